//! Commands of operators: kicks, bans, mutes, slow mode and the topic.

use std::net::IpAddr;
use std::time::Duration;

use chat_proto::{Author, Name, Text};

use super::{Caller, Reply, RoomCommand, first_word};
use crate::access::ban_list::{Ban, Banned};
use crate::access::mutes::Mute;
use crate::access::operators::Entered;
use crate::error::{MuteError, sentence};
use crate::words::in_words;

pub(super) fn rows() -> Vec<RoomCommand> {
    vec![
        RoomCommand::new("oper", "PASSWORD", "Become an operator", oper),
        RoomCommand::new("topic", "[TEXT]", "What the room is about; operators set it, - removes it", topic),
        RoomCommand::new("kick", "NAME [WHY]", "Make a member leave", kick).for_operators(),
        RoomCommand::new("ban", "NAME|ADDRESS|NETWORK [for 2h] [WHY]", "Keep out", ban).for_operators(),
        RoomCommand::new("unban", "NAME|ADDRESS|NETWORK", "Lift a ban", unban).for_operators(),
        RoomCommand::new("bans", "", "List the bans", bans).for_operators(),
        RoomCommand::new(
            "mute",
            "[NAME|ADDRESS]",
            "Refuse what a member says; without one, list the mutes",
            mute,
        )
        .for_operators(),
        RoomCommand::new("unmute", "NAME|ADDRESS", "Let a member speak again", unmute).for_operators(),
        RoomCommand::new("slow", "[5s|off]", "Let each member speak once in a while", slow).for_operators(),
        RoomCommand::new("stats", "", "What the room has counted", stats).for_operators(),
    ]
}

fn oper(caller: &Caller<'_>, password: &str) -> Reply {
    if password.is_empty() {
        return Reply::refuse("Type /oper PASSWORD");
    }
    match caller.room().enter_password(caller.member(), password) {
        Entered::Operator => Reply::line("You are an operator. /help lists what you can do."),
        Entered::Wrong => Reply::refuse("That is not the password"),
        Entered::TooOften => Reply::refuse("Too many attempts. Wait a minute."),
        Entered::NoPassword => Reply::refuse("This room has no operator password"),
    }
}

fn topic(caller: &Caller<'_>, text: &str) -> Reply {
    match (text, caller.is_operator()) {
        ("", _) => match caller.room().topic() {
            Some(topic) => Reply::line(format!("The topic is: {topic}")),
            None => Reply::line("There is no topic"),
        },
        (_, false) => Reply::refuse("Only operators set the topic"),
        (text, true) => {
            let text = if text == "-" { "" } else { text };
            match caller.room().set_topic(caller.member(), text) {
                Ok(()) => Reply::default(),
                Err(error) => Reply::refuse(sentence(&error.to_string())),
            }
        }
    }
}

fn kick(caller: &Caller<'_>, arguments: &str) -> Reply {
    let (who, why) = first_word(arguments);
    if who.is_empty() {
        return Reply::refuse("Type /kick NAME [WHY]");
    }
    let kicked = caller.room().find(who).ok_or_else(|| not_here(who));
    match kicked
        .and_then(|member| caller.room().kick_member(member, why).map_err(|e| sentence(&e.to_string())))
    {
        Ok(()) => Reply::line(format!("{who} was kicked")),
        Err(why) => Reply::refuse(why),
    }
}

fn ban(caller: &Caller<'_>, arguments: &str) -> Reply {
    let (who, rest) = first_word(arguments);
    if who.is_empty() {
        return Reply::refuse("Type /ban NAME|ADDRESS|NETWORK [for 2h] [WHY]");
    }
    let who = match banned(who) {
        Ok(who) => who,
        Err(why) => return Reply::refuse(why),
    };
    let (duration, why) = match duration_in_front(rest) {
        Ok(parts) => parts,
        Err(why) => return Reply::refuse(why),
    };
    let until_unix_ms = duration.map(|duration| caller.room().unix_ms() + milliseconds(duration));
    let why = Text::lossy(why);
    let shown = who.to_string();
    match caller.room().ban(&Ban { who, why, until_unix_ms }) {
        Ok(0) => Reply::line(format!("{shown} is banned")),
        Ok(1) => Reply::line(format!("{shown} is banned. 1 member had to leave.")),
        Ok(kicked) => Reply::line(format!("{shown} is banned. {kicked} members had to leave.")),
        Err(error) => Reply::refuse(sentence(&error.to_string())),
    }
}

/// The subject of a ban. A member shown as its address is banned by the address, without the port.
fn banned(who: &str) -> Result<Banned, String> {
    let shown = who.parse::<Author>().ok().and_then(|author| author.address());
    let who = shown.map_or_else(|| who.to_owned(), |address| address.ip().to_string());
    who.parse().map_err(|error| format!("'{who}' cannot be banned: {error}"))
}

fn unban(caller: &Caller<'_>, who: &str) -> Reply {
    if who.is_empty() {
        return Reply::refuse("Type /unban NAME|ADDRESS|NETWORK");
    }
    let lifted = banned(who).map(|banned| caller.room().unban(&banned).is_some());
    match lifted {
        Ok(true) => Reply::line(format!("{who} may come again")),
        Ok(false) => Reply::refuse(format!("{who} is not banned. /bans lists the bans.")),
        Err(why) => Reply::refuse(why),
    }
}

fn bans(caller: &Caller<'_>, _: &str) -> Reply {
    let now = caller.room().unix_ms();
    let list = caller.room().bans();
    if list.is_empty() {
        return Reply::line("Nobody is banned");
    }
    list.iter().fold(Reply::default(), |reply, Ban { who, why, until_unix_ms }| {
        let left = until_unix_ms.map(|until| format!(" for {}", in_words(left_s(until, now))));
        let why = if why.as_str().is_empty() { String::new() } else { format!(": {why}") };
        reply.and(format!("{who}{}{why}", left.unwrap_or_default()))
    })
}

/// How long a ban still lasts: a long one to the next full minute, so that one for two hours does not begin as one for
/// 119 minutes.
fn left_s(until_unix_ms: u64, now_ms: u64) -> u64 {
    let left = until_unix_ms.saturating_sub(now_ms).div_ceil(1_000);
    if left > 60 { left.div_ceil(60) * 60 } else { left }
}

fn mute(caller: &Caller<'_>, who: &str) -> Reply {
    if who.is_empty() {
        return mutes(caller);
    }
    match caller.room().mute(&Author::from_shown(who)) {
        Ok(Mute { address: Some(address), .. }) => {
            Reply::line(format!("{who} is muted, and so is everyone from {address}"))
        }
        Ok(_) => Reply::line(format!("{who} is muted")),
        Err(MuteError::NotPresent) => Reply::refuse(not_here(who)),
        Err(error) => Reply::refuse(sentence(&error.to_string())),
    }
}

fn mutes(caller: &Caller<'_>) -> Reply {
    let list = caller.room().mutes();
    if list.is_empty() {
        return Reply::line("Nobody is muted");
    }
    list.iter().fold(Reply::default(), |reply, mute| reply.and(mute.to_string()))
}

fn unmute(caller: &Caller<'_>, who: &str) -> Reply {
    if who.is_empty() {
        return Reply::refuse("Type /unmute NAME|ADDRESS");
    }
    let lifted = caller.room().unmute(who);
    if lifted.is_empty() {
        return Reply::refuse(format!("{who} is not muted. /mute lists the mutes."));
    }
    // A mute of somebody else may have held for it, too.
    let (author, name) = (Author::from_shown(who), who.parse::<Name>().ok());
    let is_named = |mute: &Mute| {
        mute.name.as_ref().zip(name.as_ref()).is_some_and(|(muted, name)| muted.is_confusable_with(name))
    };
    let others = lifted.iter().filter(|mute| mute.who != author && !is_named(mute));
    others.fold(Reply::line(format!("{who} may speak")), |reply, mute| {
        reply.and(format!("Lifted as well: the mute of {mute}"))
    })
}

fn slow(caller: &Caller<'_>, pause: &str) -> Reply {
    let pause = match pause.to_lowercase().as_str() {
        "" => {
            return Reply::line(match caller.room().slow() {
                Some(pause) => format!("Each member may speak every {}", in_words(pause.as_secs())),
                None => "Slow mode is off".to_owned(),
            });
        }
        "0" | "0s" | "off" => None,
        pause => match duration(pause) {
            Some(pause) => Some(pause),
            None => return Reply::refuse("Type /slow 5s, /slow 2m or /slow off"),
        },
    };
    caller.room().set_slow(pause);
    slow(caller, "")
}

fn stats(caller: &Caller<'_>, _: &str) -> Reply {
    caller.room().stats().lines().iter().fold(Reply::default(), Reply::and)
}

pub(super) fn not_here(who: &str) -> String {
    match who.parse::<IpAddr>() {
        Ok(_) => {
            format!("{who} is the address of a machine. Write a member with its port, as /who shows it.")
        }
        Err(_) if who.contains(char::is_whitespace) => {
            format!("'{who}' is not here. Write one name, and nothing after it. /who tells who is here.")
        }
        Err(_) => format!("{who} is not here. /who tells who is."),
    }
}

/// Reads `for 2h` at the beginning.
fn duration_in_front(text: &str) -> Result<(Option<Duration>, &str), String> {
    let (first, rest) = first_word(text);
    let first = first.to_lowercase();
    if first != "for" {
        let time = first.strip_prefix("for").unwrap_or(&first);
        return match duration(time) {
            None => Ok((None, text)),
            // Otherwise the time would be the reason of a ban without end.
            Some(_) => Err(format!("Write 'for {time}' for a time.")),
        };
    }
    let (word, why) = first_word(rest);
    match duration(word) {
        Some(duration) => Ok((Some(duration), why)),
        None if word.is_empty() => Err("Type a time after 'for': 30s, 10m, 2h or 7d".to_owned()),
        None => Err(format!("'{word}' is not a time. Write 30s, 10m, 2h or 7d.")),
    }
}

/// Reads `30s`, `10m`, `2h` or `7d`; at most ten years.
fn duration(word: &str) -> Option<Duration> {
    const DAY: u64 = 24 * 60 * 60;
    let (digits, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" | "S" => 1,
        "m" | "M" => 60,
        "h" | "H" => 60 * 60,
        "d" | "D" => DAY,
        _ => return None,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| is_number)?;
    let seconds = count.checked_mul(seconds).filter(|seconds| (1..=3_650 * DAY).contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (word, seconds) in
            [("30s", 30), ("10m", 600), ("2h", 7_200), ("2H", 7_200), ("7d", 604_800), ("3650d", 315_360_000)]
        {
            assert_eq!(duration(word), Some(Duration::from_secs(seconds)), "{word}");
        }
        for word in
            ["", "s", "5", "0s", "-5s", "+5s", "5 s", "5w", "ten", "3651d", "99999999999999999999d", "5é"]
        {
            assert_eq!(duration(word), None, "{word}");
        }
        assert_eq!(duration_in_front("for 2h spam"), Ok((Some(Duration::from_secs(7_200)), "spam")));
        assert_eq!(duration_in_front("for 2h"), Ok((Some(Duration::from_secs(7_200)), "")));
        assert_eq!(duration_in_front("spam for 2h"), Ok((None, "spam for 2h")));
        assert_eq!(duration_in_front("FOR\u{a0}2H  spam"), Ok((Some(Duration::from_secs(7_200)), "spam")));
        assert!(duration_in_front("for ever").is_err_and(|why| why.starts_with("'ever'")));
        assert!(duration_in_front("for").is_err_and(|why| why.starts_with("Type a time")));
        for time in ["2h spam", "for2h spam", "For2h spam"] {
            assert!(duration_in_front(time).is_err(), "{time}: it is not the reason of a ban for ever");
        }
    }

    #[test]
    fn the_rest_of_a_ban_is_told_in_full_minutes() {
        assert_eq!(in_words(left_s(7_200_000, 1_900)), "2 h");
        assert_eq!(in_words(left_s(604_800_000, 900)), "7 days");
        assert_eq!(in_words(left_s(30_000, 900)), "30 s");
        assert_eq!(in_words(left_s(1_000, 9_000)), "0 s");
    }

    #[test]
    fn a_shown_address_is_banned_without_its_port() {
        let shown = |who: &str| banned(who).map(|banned| banned.to_string());
        assert_eq!(shown("192.0.2.7:4000").as_deref(), Ok("192.0.2.7"));
        assert_eq!(shown("192.0.2.7:4000/udp").as_deref(), Ok("192.0.2.7"));
        assert_eq!(shown("[2001:db8::1]:5").as_deref(), Ok("2001:db8::1"));
        assert_eq!(shown("10.0.0.0/8").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(shown("ann").as_deref(), Ok("ann"));
        assert!(shown("*").is_err() && shown("300.1.1.1").is_err());
    }
}

//! `--print-config`: the settings as a configuration file.

use toml::Value;

use super::{Settings, arguments, is_switch, key};

/// The settings as a file that gives the same ones. What is as by default stands in comments.
pub(crate) fn print(settings: &Settings) -> String {
    let mut text =
        "# Settings of `chat server --config FILE`. Lines that begin with # show defaults, or settings that are not set: `\"N\"` and other capitals stand for a value.\n".to_owned();
    let mut heading = None;
    for setting in arguments() {
        let of_this = setting.get_help_heading().map(str::to_owned);
        if of_this != heading {
            heading = of_this;
            text.extend(heading.iter().map(|heading| format!("\n## {heading}\n")));
        }
        let key = key(&setting);
        let help = setting.get_help().map(ToString::to_string).unwrap_or_default();
        text.push('\n');
        for line in wrapped(&help) {
            text.push_str(&format!("# {line}\n"));
        }
        let line = match settings.values.get(&key) {
            Some(_) if is_switch(&setting) => format!("{key} = true"),
            Some(values) => format!("{key} = {}", value(values)),
            None if is_switch(&setting) => format!("#{key} = false"),
            None => {
                let default: Vec<String> = setting
                    .get_default_values()
                    .iter()
                    .map(|value| value.to_string_lossy().into_owned())
                    .collect();
                let names = || setting.get_value_names().unwrap_or_default().iter().map(ToString::to_string);
                let shown = if default.is_empty() { names().collect() } else { default };
                format!("#{key} = {}", value(&shown))
            }
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn value(values: &[String]) -> Value {
    let one = |value: &String| value.parse().map_or_else(|_| Value::String(value.clone()), Value::Integer);
    match values {
        [value] => one(value),
        several => Value::Array(several.iter().map(one).collect()),
    }
}

/// Lines of at most this many characters, as far as words are not longer.
fn wrapped(text: &str) -> Vec<String> {
    const COLUMNS: usize = 100;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::settings::{file, read};

    #[test]
    fn it_gives_the_same_settings_when_it_is_read() {
        let typed = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let words =
            "chat server tcp udp --rate 7 --room a --room b --announce --slow 5s --bind [::1]:0 --tls";
        let words: Vec<&str> = words.split(' ').chain(["x y.pem", "\"q\".pem"]).collect();
        let (_, settings) = read(typed(&words)).expect("valid");
        let text = print(&settings);
        let mut again = typed(&["chat", "server"]);
        again.extend(file::read(&text, &[]).expect(&text));
        let (_, again) = read(again).expect("valid");
        assert_eq!(again.values, settings.values);
        assert!(text.lines().next().is_some_and(|line| line.contains("stand for a value")), "{text}");
        assert!(text.contains("\n#max-members = 10000\n"), "{text}");
        // Without its #, each of them is a setting, too.
        let settings = text.lines().filter_map(|line| line.strip_prefix('#'));
        let settings: Vec<&str> = settings.filter(|line| !line.starts_with(' ')).collect();
        assert!(settings.contains(&"threads = \"N\"") && settings.contains(&"history = \"FILE\""), "{text}");
        toml::from_str::<toml::Table>(&settings.join("\n")).expect(&text);
    }
}

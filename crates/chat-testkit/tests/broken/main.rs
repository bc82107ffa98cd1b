//! The conformance kit finds faults: a sound transport passes, and the same transport with any one fault fails.

mod fault;
mod peer;
mod transport;

use std::time::{Duration, Instant};

use chat_core::Room;
use chat_testkit::conformance::{Heard, Medium, Peer, Promises, Property};

use fault::Fault;
use peer::{ChannelPeer, Door, UNREAD_LINES_MAX};
use transport::ChannelTransport;

/// A medium of lines over channels, with or without a fault.
struct Channels {
    fault: Option<Fault>,
    echo: bool,
}

const SOUND: Channels = Channels { fault: None, echo: true };

impl Medium for Channels {
    type Transport = ChannelTransport;
    type Address = Door;
    type Peer = ChannelPeer;

    fn promises(&self) -> Promises {
        Promises::default().with_echo(self.echo).with_unread_bytes_max(UNREAD_LINES_MAX * 1024)
    }

    fn patience(&self) -> Duration {
        // With a fault, the kit waits in vain for events that never come. So it gives up soon.
        Duration::from_millis(if self.fault.is_some() { 500 } else { 30_000 })
    }

    fn open(&self, room: &Room) -> (ChannelTransport, Door) {
        ChannelTransport::new(room, self.fault)
    }

    fn connect(&self, door: &Door) -> ChannelPeer {
        door.connect()
    }
}

impl Peer for ChannelPeer {
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        ChannelPeer::say(self, line, deadline)
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        ChannelPeer::hear(self, deadline)
    }

    fn end(self) {
        ChannelPeer::end(self);
    }

    fn vanish(self) {}
}

mod without_a_fault {
    chat_testkit::conformance_tests!(super::SOUND);
}

macro_rules! caught {
    ($($test:ident: $fault:ident by $property:ident;)*) => {
        $(
            #[test]
            fn $test() {
                let broken = Channels { fault: Some(Fault::$fault), ..SOUND };
                let caught = Property::$property.check(&broken);
                let violation = caught.expect_err("the fault is not noticed");
                assert_eq!(violation.property, Property::$property);
            }
        )*
    };
}

caught! {
    a_transport_that_begins_a_member_at_a_log_it_has_not_pulled_is_caught: LooksUpTooEarly by AMemberBeginsWhereItJoined;
    a_transport_that_does_not_notice_that_it_lagged_is_caught: IgnoresItsOwnGap by AGapOfTheTransportIsTold;
    a_transport_that_turns_away_without_a_word_is_caught: RefusesSilently by AFullRoomRefusesWithAReason;
    a_transport_that_sends_twice_is_caught: SendsTwice by EveryoneHearsEverythingInOrder;
    a_transport_that_reorders_is_caught: SendsNewestFirst by EveryoneHearsEverythingInOrder;
    a_transport_that_pulls_only_for_its_own_members_is_caught: PullsOnlyWhenItsMembersSpeak by TransportsShareOneOrder;
    a_transport_that_cuts_long_lines_is_caught: CutsLongLines by TextsAreCleanAndWhole;
    a_transport_that_keeps_a_refusal_to_itself_is_caught: KeepsRefusalsBack by TheModeratorDecides;
    a_transport_that_drops_messages_over_the_rate_limit_is_caught: DropsInPauses by APauseLosesNothing;
    a_transport_that_does_not_pause_is_caught: DoesNotPause by APauseLosesNothing;
    a_transport_that_skips_silently_is_caught: SkipsSilently by ASlowReaderIsToldWhatItMissed;
    a_transport_that_counts_wrong_is_caught: MiscountsMissed by ASlowReaderIsToldWhatItMissed;
    a_transport_that_buffers_without_end_is_caught: BuffersWithoutEnd by ASlowReaderIsToldWhatItMissed;
    a_transport_that_strands_the_tail_is_caught: StrandsTheTail by ASlowReaderGetsTheLastByte;
    a_transport_that_waits_for_a_slow_reader_is_caught: WaitsForReaders by ASlowReaderIsToldWhatItMissed;
    a_transport_that_keeps_whom_it_should_close_is_caught: KeepsLaggards by ASlowReaderIsClosedByPolicy;
    a_transport_that_keeps_ghosts_is_caught: KeepsGhosts by MembersComeAndGoOnce;
    a_transport_that_forgets_last_words_is_caught: DropsLastWords by MembersComeAndGoOnce;
    a_transport_that_does_not_pass_on_why_is_caught: DismissesSilently by AKickedMemberIsToldWhy;
    a_transport_that_ends_with_one_peer_is_caught: EndsWithAPeer by BrokenPeersHarmNobody;
    a_transport_that_overstays_its_turn_is_caught: OverstaysItsTurn by ATurnReturnsInTime;
    a_transport_that_does_not_say_that_the_room_closes_is_caught: HidesTheEnd by ATurnReturnsInTime;
    a_transport_that_loses_early_wakes_is_caught: LosesEarlyWakes by AWakeIsNeverLost;
    a_transport_that_spins_is_caught: Spins by AnIdleTransportSleeps;
    a_transport_that_drops_the_farewell_is_caught: DropsTheFarewell by AClosingRoomTellsEveryone;
    a_transport_that_drains_for_ever_is_caught: DrainsForEver by AStuckPeerDoesNotHoldUpTheEnd;
    a_transport_that_says_commands_is_caught: SaysCommands by ANameIsItsMembersOwn;
    a_transport_that_reorders_private_messages_is_caught: TellsNewestFirst by ADirectLaneIsInOrder;
    a_transport_that_shows_private_messages_to_others_is_caught: TellsEveryone by ADirectLaneIsInOrder;
    a_transport_that_keeps_an_undelivered_message_to_itself_is_caught: KeepsRefusalsBack by ARefusedMessageIsToldToItsSender;
    a_transport_that_moves_nobody_is_caught: StaysInTheOldRoom by AMemberGoesToAnotherRoom;
    a_transport_that_moves_a_member_before_it_has_heard_everything_is_caught: GoesBeforeItsTime by AMemberGoesToAnotherRoom;
    a_transport_that_says_in_the_old_room_what_follows_the_command_is_caught: HearsOnInTheOldRoom by AMemberGoesToAnotherRoom;
}

#[test]
fn a_transport_that_echoes_although_it_promises_not_to_is_caught() {
    let echoes = Channels { echo: false, ..SOUND };
    assert!(Property::EveryoneHearsEverythingInOrder.check(&echoes).is_err());
}

#[test]
fn a_violation_names_the_expectation_the_finding_and_the_contract() {
    let broken = Channels { fault: Some(Fault::RefusesSilently), ..SOUND };
    let violation = Property::AFullRoomRefusesWithAReason.check(&broken).expect_err("a fault");
    let report = violation.to_string();
    for part in [
        "told why",
        "expected: ",
        "found: the connection has ended without a word",
        "chat_core::transport::Attachment::join",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
}

#[test]
#[should_panic(expected = "the transport breaks its contract")]
fn a_check_of_everything_panics_with_its_findings() {
    chat_testkit::conformance::check(&Channels { fault: Some(Fault::RefusesSilently), ..SOUND });
}

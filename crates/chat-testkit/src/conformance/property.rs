//! The list of what is checked, and how to check all of it.

use std::fmt;

use thiserror::Error;

use super::medium::Medium;
use super::properties::{closing, hearing, joining, leaving, slow, turning};
use super::stage::Checked;

/// Puts a transport through every property.
///
/// # Panics
///
/// If one does not hold, with all the [`Violation`]s.
pub fn check<M: Medium>(medium: &M) {
    let violations: Vec<_> =
        Property::ALL.iter().filter_map(|property| property.check(medium).err()).collect();
    let report: Vec<_> = violations.iter().map(Violation::to_string).collect();
    assert!(violations.is_empty(), "the transport breaks its contract\n\n{}", report.join("\n\n"));
}

/// A property does not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{property}\n  expected: {expected}\n     found: {found}\n  contract: {}", property.contract())]
#[non_exhaustive]
pub struct Violation {
    /// Which one.
    pub property: Property,
    /// What should have happened.
    pub expected: String,
    /// What has happened instead.
    pub found: String,
}

macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident, $test:ident = $run:path, $statement:literal, $contract:literal;)*) => {
        /// What a transport promises, one thing each. `Display` is the promise.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Property {
            $(#[doc = $statement] $name,)*
        }

        impl Property {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Where the contract says so.
            #[must_use]
            pub fn contract(self) -> &'static str {
                match self {
                    $(Self::$name => $contract,)*
                }
            }

            fn run<M: Medium>(self, medium: &M) -> Checked {
                match self {
                    $(Self::$name => $run(medium),)*
                }
            }
        }

        impl fmt::Display for Property {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $statement,)*
                })
            }
        }

        /// Makes each [`Property`](crate::conformance::Property) of a [`Medium`](crate::conformance::Medium) a test.
        ///
        /// `conformance_tests!(my_medium)` stands at the top of a test file, or of a module in one for each medium; the
        /// argument is an expression that makes the medium.
        #[macro_export]
        macro_rules! conformance_tests {
            ($medium:expr) => {
                $(
                    #[test]
                    fn $test() {
                        let checked = $crate::conformance::Property::$name.check(&$medium);
                        checked.unwrap_or_else(|violation| panic!("{violation}"));
                    }
                )*
            };
        }
    };
}

properties! {
    ANewMemberHearsWhatFollows, a_new_member_hears_what_follows = joining::what_follows,
        "a new member hears what is said after he joined, and nothing of before",
        "chat_core::Joined::seq; docs/transport.md, \"Letting peers in\"";
    AMemberBeginsWhereHeJoined, a_member_begins_where_he_joined = joining::amid_talk,
        "who joins while others talk hears the very next message, and everything from there",
        "chat_core::Joined::seq; docs/transport.md, \"Letting peers in\"";
    AFullRoomRefusesWithAReason, a_full_room_refuses_with_a_reason = joining::full_room,
        "who does not fit into the room is told why, and a place that becomes free is given again",
        "chat_core::Port::join; docs/transport.md, \"Letting peers in\"";
    AFullAddressRefusesWithAReason, a_full_address_refuses_with_a_reason = joining::full_address,
        "an address has no more members than it may have, loopback excepted",
        "chat_core::RoomConfig::members_per_address_max; docs/transport.md, \"Letting peers in\"";
    EveryoneHearsEverythingInOrder, everyone_hears_everything_in_order = hearing::everything_in_order,
        "what anyone says reaches everyone else once, in the order of the room",
        "PROTOCOL.md 1.1, 1.2; docs/transport.md, \"What is owed\"";
    TransportsShareOneOrder, transports_share_one_order = hearing::one_order,
        "members of all transports and seats of a room hear the same messages in the same order",
        "PROTOCOL.md 1.1; docs/transport.md, \"Pulling\"";
    TextsAreCleanAndWhole, texts_are_clean_and_whole = hearing::clean_texts,
        "a line is cleaned, and a long one is split; nothing of it is lost",
        "PROTOCOL.md 2.1 to 2.5; docs/transport.md, \"Hearing peers\"";
    TheModeratorDecides, the_moderator_decides = hearing::moderator,
        "what the moderator changes is heard as changed, and whose message he refuses is told why",
        "chat_core::Outcome, PROTOCOL.md 1.7; docs/transport.md, \"Hearing peers\"";
    APauseLosesNothing, a_pause_loses_nothing = hearing::pause,
        "who speaks too fast has to wait, and loses nothing by it",
        "chat_core::Said::pause_until, PROTOCOL.md 1.6; docs/transport.md, \"Pausing\"";
    ASlowReaderIsToldWhatHeMissed, a_slow_reader_is_told_what_he_missed = slow::told,
        "who does not read harms nobody, is not buffered for, and is told exactly what he missed",
        "chat_core::Pending::Overtaken, PROTOCOL.md 1.2; docs/transport.md, \"What is owed\"";
    ASlowReaderGetsTheLastByte, a_slow_reader_gets_the_last_byte = slow::tail,
        "a slow reader gets the last byte although silence follows",
        "std::io::Write::flush; docs/transport.md, \"What is owed\"";
    AGapOfTheTransportIsTold, a_gap_of_the_transport_is_told = slow::gap,
        "when the log overtakes the transport itself, its members are told exactly what they missed",
        "chat_core::News::missed_up_to; docs/transport.md, \"Pulling\"";
    ASlowReaderIsClosedByPolicy, a_slow_reader_is_closed_by_policy = slow::closed,
        "where the room says so, who does not read is closed for that reason",
        "chat_core::Overtaken::Close; docs/transport.md, \"What is owed\"";
    MembersComeAndGoOnce, members_come_and_go_once = leaving::once,
        "each member joins once and leaves once, with a reason, and his last words are heard",
        "chat_core::Port::leave; docs/transport.md, \"Ends\"";
    WhoIsKickedIsToldWhy, who_is_kicked_is_told_why = leaving::kicked,
        "who is kicked is told why, and nobody else feels it",
        "chat_core::News::dismissed; docs/transport.md, \"Ends\"";
    BrokenPeersHarmNobody, broken_peers_harm_nobody = leaving::broken,
        "a peer who breaks ends his own membership, not the turn",
        "chat_core::Transport, \"Peers\"; docs/transport.md, \"Ends\"";
    MembersLeaveWithTheirTransport, members_leave_with_their_transport = leaving::dropped,
        "when a transport is dropped its members leave, and the room goes on",
        "chat_core::Port; docs/transport.md, \"Ends\"";
    ATurnReturnsInTime, a_turn_returns_in_time = turning::in_time,
        "a turn ends when something was done, and at `until` at the latest",
        "chat_core::Transport::turn; docs/transport.md, \"Waiting\"";
    AWakeIsNeverLost, a_wake_is_never_lost = turning::wakes,
        "the waker ends a turn's wait, also if it came before the wait",
        "chat_core::Waker; docs/transport.md, \"Waiting\"";
    AnIdleTransportSleeps, an_idle_transport_sleeps = turning::idle,
        "while nothing happens, a turn waits",
        "chat_core::Transport::turn; docs/transport.md, \"Waiting\"";
    AClosingRoomTellsEveryone, a_closing_room_tells_everyone = closing::everyone,
        "when the room closes everyone gets what was accepted, the farewell, and an end",
        "chat_core::Transport::turn, PROTOCOL.md 8.1; docs/transport.md, \"The end of the room\"";
    AStuckPeerDoesNotHoldUpTheEnd, a_stuck_peer_does_not_hold_up_the_end = closing::stuck,
        "a drain ends by its deadline, whoever does not read",
        "chat_core::Transport::turn; docs/transport.md, \"The end of the room\"";
}

impl Property {
    /// Checks this one.
    ///
    /// # Errors
    ///
    /// [`Violation`] if it does not hold.
    pub fn check<M: Medium>(self, medium: &M) -> Result<(), Violation> {
        self.run(medium).map_err(|fault| Violation {
            property: self,
            expected: fault.expected,
            found: fault.found,
        })
    }
}

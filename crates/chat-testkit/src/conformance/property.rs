//! The list of the properties that the kit checks, and a function that checks all of them.

use std::fmt;

use thiserror::Error;

use super::fault::Checked;
use super::medium::Medium;
use super::properties::{closing, hearing, joining, leaving, people, slow, turning};

/// Checks a transport against every property.
///
/// # Panics
///
/// If a property does not hold. The message lists all [`Violation`]s.
pub fn check<M: Medium>(medium: &M) {
    let violations: Vec<_> =
        Property::ALL.iter().filter_map(|property| property.check(medium).err()).collect();
    let report: Vec<_> = violations.iter().map(Violation::to_string).collect();
    assert!(violations.is_empty(), "the transport breaks its contract\n\n{}", report.join("\n\n"));
}

/// A property that does not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{property}\n  expected: {expected}\n     found: {found}\n  contract: {}", property.contract())]
#[non_exhaustive]
pub struct Violation {
    /// The property.
    pub property: Property,
    /// What should have happened.
    pub expected: String,
    /// What happened instead.
    pub found: String,
}

macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident, $test:ident = $run:path, $statement:literal, $contract:literal;)*) => {
        /// The promises of a transport. `Display` writes the promise as text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Property {
            $(#[doc = $statement] $name,)*
        }

        impl Property {
            /// All properties.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The place in the documentation where the promise is stated.
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
        /// Call `conformance_tests!(my_medium)` at the top of a test file. For several media, give each a module of
        /// its own. The argument is an expression that makes the medium.
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
        "a new member hears the messages after its join, and none from before",
        "chat_core::transport::Joined::seq; docs/transport.md, \"Letting peers in\"";
    AMemberBeginsWhereItJoined, a_member_begins_where_it_joined = joining::amid_talk,
        "a member that joins while others talk hears the very next message, and every later one",
        "chat_core::transport::Joined::seq; docs/transport.md, \"Letting peers in\"";
    AFullRoomRefusesWithAReason, a_full_room_refuses_with_a_reason = joining::full_room,
        "a peer that does not fit into the room is told why, and a free place is given again",
        "chat_core::transport::Attachment::join; docs/transport.md, \"Letting peers in\"";
    AFullAddressRefusesWithAReason, a_full_address_refuses_with_a_reason = joining::full_address,
        "an address has no more members than its limit, loopback excepted",
        "chat_core::RoomConfig::members_per_address_max; docs/transport.md, \"Letting peers in\"";
    EveryoneHearsEverythingInOrder, everyone_hears_everything_in_order = hearing::everything_in_order,
        "each message reaches everyone else once, in the order of the room",
        "PROTOCOL.md 1.1, 1.2; docs/transport.md, \"What is owed\"";
    TransportsShareOneOrder, transports_share_one_order = hearing::one_order,
        "members of all transports and local members of a room hear the same messages in the same order",
        "PROTOCOL.md 1.1; docs/transport.md, \"Pulling\"";
    TextsAreCleanAndWhole, texts_are_clean_and_whole = hearing::clean_texts,
        "a line is cleaned, and a long one is split without loss",
        "PROTOCOL.md 2.1 to 2.5; docs/transport.md, \"Hearing peers\"";
    TheModeratorDecides, the_moderator_decides = hearing::moderator,
        "a message that the moderator changes is heard as changed, and the author of a refused one is told why",
        "chat_core::transport::Outcome, PROTOCOL.md 1.7; docs/transport.md, \"Hearing peers\"";
    APauseLosesNothing, a_pause_loses_nothing = hearing::pause,
        "a member that speaks too fast must wait, and loses nothing",
        "chat_core::transport::Said::pause_until, PROTOCOL.md 1.6; docs/transport.md, \"Pausing\"";
    ASlowReaderIsToldWhatItMissed, a_slow_reader_is_told_what_it_missed = slow::told,
        "a member that does not read harms nobody, needs no buffer, and is told exactly how much it missed",
        "chat_core::transport::Pending::Lagged, PROTOCOL.md 1.2; docs/transport.md, \"What is owed\"";
    ASlowReaderGetsTheLastByte, a_slow_reader_gets_the_last_byte = slow::tail,
        "a slow reader gets the last byte although silence follows",
        "std::io::Write::flush; docs/transport.md, \"What is owed\"";
    AGapOfTheTransportIsTold, a_gap_of_the_transport_is_told = slow::gap,
        "when the transport itself lags, its members are told exactly how much they missed",
        "chat_core::transport::Update::missed_up_to; docs/transport.md, \"Pulling\"";
    ASlowReaderIsClosedByPolicy, a_slow_reader_is_closed_by_policy = slow::closed,
        "if the room's policy says so, a member that does not read is closed for that reason",
        "chat_core::LagPolicy::Close; docs/transport.md, \"What is owed\"";
    MembersComeAndGoOnce, members_come_and_go_once = leaving::once,
        "each member joins once and leaves once, with a reason, and its last words are heard",
        "chat_core::transport::Attachment::leave; docs/transport.md, \"Ends\"";
    AKickedMemberIsToldWhy, a_kicked_member_is_told_why = leaving::kicked,
        "a kicked member is told why, and nobody else is affected",
        "chat_core::transport::Update::dismissed; docs/transport.md, \"Ends\"";
    BrokenPeersHarmNobody, broken_peers_harm_nobody = leaving::broken,
        "a broken peer ends its own membership, not the turn",
        "chat_core::transport::Transport, \"Peers\"; docs/transport.md, \"Ends\"";
    MembersLeaveWithTheirTransport, members_leave_with_their_transport = leaving::dropped,
        "when a transport is dropped its members leave, and the room goes on",
        "chat_core::transport::Attachment; docs/transport.md, \"Ends\"";
    ANameIsItsMembersOwn, a_name_is_its_members_own = people::names,
        "a member that takes a name is heard by it, nobody else gets it, and a command is never said",
        "PROTOCOL.md 13.1, 13.3; docs/transport.md, \"Hearing peers\"";
    ADirectLaneIsInOrder, a_direct_lane_is_in_order = people::lane_order,
        "private messages reach one member, each once and in order, and their sender is told so",
        "chat_core::transport::Update::direct, PROTOCOL.md 13.6; docs/transport.md, \"Pulling\"";
    ARefusedMessageIsToldToItsSender, a_refused_message_is_told_to_its_sender = people::refusal,
        "the sender of a private message that is not delivered is told why",
        "PROTOCOL.md 13.6, 13.7; docs/transport.md, \"Hearing peers\"";
    AMemberGoesToAnotherRoom, a_member_goes_to_another_room = people::another_room,
        "a member that goes to another room has heard everything of the old one, has left it, and says and hears nothing more there",
        "chat_core::commands::Action::Move, PROTOCOL.md 13.11, 13.12; docs/transport.md, \"Hearing peers\"";
    ATurnReturnsInTime, a_turn_returns_in_time = turning::in_time,
        "a turn ends when it has done some work, and at `until` at the latest",
        "chat_core::transport::Transport::turn; docs/transport.md, \"Waiting\"";
    AWakeIsNeverLost, a_wake_is_never_lost = turning::wakes,
        "the waker ends a turn's wait, even if it was called before the wait",
        "chat_core::Waker; docs/transport.md, \"Waiting\"";
    AnIdleTransportSleeps, an_idle_transport_sleeps = turning::idle,
        "while nothing happens, a turn waits",
        "chat_core::transport::Transport::turn; docs/transport.md, \"Waiting\"";
    AClosingRoomTellsEveryone, a_closing_room_tells_everyone = closing::everyone,
        "when the room closes, everyone gets every accepted message, the farewell, and an end",
        "chat_core::transport::Transport::turn, PROTOCOL.md 8.1; docs/transport.md, \"The end of the room\"";
    AStuckPeerDoesNotHoldUpTheEnd, a_stuck_peer_does_not_hold_up_the_end = closing::stuck,
        "a drain ends by its deadline, even if a member does not read",
        "chat_core::transport::Transport::turn; docs/transport.md, \"The end of the room\"";
}

impl Property {
    /// Checks this property.
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

//! Which types may go to another thread, and which several threads may share. This is part of the contract, and no
//! signature shows it.

use std::error::Error;
use std::fmt::Debug;

use chat_core::client::Conversation;
use chat_core::transport::{Attachment, Cursor, EncodedLog, Membership, Update};
use chat_core::{
    Client, ClientConfig, ClientEnd, ClientEvent, Heard, JoinError, KickError, LocalMember, Moderator,
    NickError, RecvTimeoutError, Room, RoomClosed, RoomConfig, RunError, Running, SayError, Stats, TellError,
    TryRecvError, TrySayError, Waker,
};

fn is_shared_by_threads<T: Send + Sync + Debug + 'static>() {}
fn is_an_error<T: Error + Send + Sync + 'static>() {}

#[test]
fn a_room_its_local_members_and_clients_are_shared_by_threads() {
    is_shared_by_threads::<Room>();
    is_shared_by_threads::<LocalMember>();
    is_shared_by_threads::<Client>();
    is_shared_by_threads::<Waker>();
    is_shared_by_threads::<Moderator>();
    is_shared_by_threads::<Running>();
}

#[test]
fn the_parts_of_a_transport_are_shared_by_threads() {
    is_shared_by_threads::<Attachment>();
    is_shared_by_threads::<Update>();
    is_shared_by_threads::<EncodedLog>();
    is_shared_by_threads::<Cursor>();
    is_shared_by_threads::<Conversation>();
}

#[test]
fn values_are_shared_by_threads() {
    is_shared_by_threads::<RoomConfig>();
    is_shared_by_threads::<ClientConfig>();
    is_shared_by_threads::<ClientEvent>();
    is_shared_by_threads::<Heard>();
    is_shared_by_threads::<Membership>();
    is_shared_by_threads::<Stats>();
}

#[test]
fn errors_are_errors_that_cross_threads() {
    is_an_error::<ClientEnd>();
    is_an_error::<JoinError>();
    is_an_error::<KickError>();
    is_an_error::<NickError>();
    is_an_error::<RecvTimeoutError>();
    is_an_error::<RoomClosed>();
    is_an_error::<RunError>();
    is_an_error::<SayError>();
    is_an_error::<TellError>();
    is_an_error::<TryRecvError>();
    is_an_error::<TrySayError>();
}

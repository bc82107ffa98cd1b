//! The limit of the machine with rooms: a poll loop that passes bytes on to the members of the author's room.
//!
//! Like the limit with one room, it has no protocol, no order to keep and no memory. A member's first read is the
//! command that names its room. From then on everything it sends goes to the other members of that room.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::SocketAddr;

use mio::Events;
use mio::net::TcpStream;
use slab::Slab;

use super::limit::{self, LISTEN, READ_BYTES};
use crate::failure::Result;

struct Member {
    socket: TcpStream,
    /// The place of its room, once it has named one.
    room: Option<usize>,
}

impl From<TcpStream> for Member {
    fn from(socket: TcpStream) -> Self {
        Self { socket, room: None }
    }
}

/// Serves until it is killed.
pub(super) fn serve(address: SocketAddr) -> Result<()> {
    let (mut poll, listener) = limit::listen(address)?;
    let mut events = Events::with_capacity(1024);
    let mut members: Slab<Member> = Slab::new();
    let (mut rooms, mut places) = (Vec::<Vec<usize>>::new(), HashMap::<Vec<u8>, usize>::new());
    let mut buffer = vec![0; READ_BYTES];
    loop {
        limit::wait(&mut poll, &mut events)?;
        for event in &events {
            if event.token() == LISTEN {
                limit::accept(&listener, &poll, &mut members)?;
                continue;
            }
            let author = event.token().0;
            let Some(member) = members.get_mut(author) else { continue };
            let count = match member.socket.read(&mut buffer) {
                Ok(0) => {
                    let room = members.remove(author).room;
                    room.iter().for_each(|&room| rooms[room].retain(|&member| member != author));
                    continue;
                }
                Ok(count) => count,
                Err(_) => continue,
            };
            match member.room {
                Some(room) => {
                    for &other in rooms[room].iter().filter(|&&other| other != author) {
                        // The rest is lost. A room would keep it for later.
                        let _taken = members[other].socket.write(&buffer[..count]);
                    }
                }
                None => {
                    let place = *places.entry(buffer[..count].to_vec()).or_insert_with(|| {
                        rooms.push(Vec::new());
                        rooms.len() - 1
                    });
                    rooms[place].push(author);
                    member.room = Some(place);
                    let _taken = member.socket.write(b"[*] You are in a room now\n");
                }
            }
        }
    }
}

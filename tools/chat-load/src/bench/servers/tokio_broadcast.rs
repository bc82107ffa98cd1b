//! The server that a good tutorial ends with: a tokio task per member and one broadcast channel.
//!
//! It is not made weak on purpose. A line is formatted once and shared, and a task that has fallen behind collects
//! everything that waits for it into one write.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::failure::Result;

/// Messages that a member may lag behind.
const LAG_MAX: usize = 4096;
/// Bytes collected into one write.
const WRITE_BYTES: usize = 64 * 1024;

#[derive(Clone, Debug)]
struct Said {
    author: SocketAddr,
    line: Arc<str>,
}

/// Serves until it is killed, with tokio's default number of threads.
pub(super) fn serve(address: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build()?;
    runtime.block_on(accept(address))
}

async fn accept(address: SocketAddr) -> Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(address)?;
    let listener = socket.listen(4096)?;
    let (room, _) = broadcast::channel(LAG_MAX);
    loop {
        if let Ok((socket, peer)) = listener.accept().await {
            tokio::spawn(member(socket, peer, room.clone()));
        }
    }
}

async fn member(socket: TcpStream, peer: SocketAddr, room: Sender<Said>) {
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let heard = room.subscribe();
    let (input, output) = socket.into_split();
    // When either half ends, the member ends.
    tokio::select! {
        () = speak(input, peer, &room) => {}
        () = listen(output, peer, heard) => {}
    }
}

async fn speak(input: OwnedReadHalf, peer: SocketAddr, room: &Sender<Said>) {
    let mut input = BufReader::new(input);
    let mut text = String::new();
    while let Ok(1..) = input.read_line(&mut text).await {
        let line = format!("[{peer}] {}\n", text.trim_end()).into();
        // There is always a receiver: this member's own.
        let _heard_by = room.send(Said { author: peer, line });
        text.clear();
    }
}

async fn listen(mut output: OwnedWriteHalf, peer: SocketAddr, mut heard: Receiver<Said>) {
    let mut batch = String::new();
    loop {
        match heard.recv().await {
            Ok(said) => add(&mut batch, &said, peer),
            Err(RecvError::Lagged(missed)) => batch.push_str(&format!("[*] You missed {missed} messages\n")),
            Err(RecvError::Closed) => return,
        }
        while batch.len() < WRITE_BYTES {
            match heard.try_recv() {
                Ok(said) => add(&mut batch, &said, peer),
                Err(TryRecvError::Lagged(missed)) => {
                    batch.push_str(&format!("[*] You missed {missed} messages\n"));
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if output.write_all(batch.as_bytes()).await.is_err() {
            return;
        }
        batch.clear();
    }
}

fn add(batch: &mut String, said: &Said, reader: SocketAddr) {
    if said.author != reader {
        batch.push_str(&said.line);
    }
}

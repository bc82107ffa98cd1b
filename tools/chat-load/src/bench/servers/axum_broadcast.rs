//! The server that a good tutorial on WebSocket ends with: axum, a task per member and one broadcast channel.
//!
//! It is not made weak on purpose. A text is formatted once and shared, and a task that has fallen behind hands over
//! everything that waits for it before it flushes.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpSocket;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::failure::Result;

/// Messages that a member may lag behind.
const LAG_MAX: usize = 4096;

#[derive(Clone, Debug)]
struct Said {
    author: SocketAddr,
    text: Utf8Bytes,
}

/// Serves until it is killed, with tokio's default number of threads.
pub(super) fn serve(address: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(accept(address))
}

async fn accept(address: SocketAddr) -> Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(address)?;
    let listener = socket.listen(4096)?.tap_io(|socket| {
        let _it_may_be_gone = socket.set_nodelay(true);
    });
    let (room, _) = broadcast::channel::<Said>(LAG_MAX);
    let app = Router::new().route("/ws", any(upgrade)).with_state(room);
    Ok(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

async fn upgrade(
    request: WebSocketUpgrade,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    State(room): State<Sender<Said>>,
) -> Response {
    request.on_upgrade(move |socket| member(socket, peer, room))
}

async fn member(socket: WebSocket, peer: SocketAddr, room: Sender<Said>) {
    let heard = room.subscribe();
    let (output, input) = socket.split();
    // When either half ends, the member ends.
    tokio::select! {
        () = speak(input, peer, &room) => {}
        () = listen(output, peer, heard) => {}
    }
}

async fn speak(mut input: SplitStream<WebSocket>, peer: SocketAddr, room: &Sender<Said>) {
    while let Some(Ok(message)) = input.next().await {
        if let Message::Text(text) = message {
            // There is always a receiver: this member's own.
            let _heard_by = room.send(Said { author: peer, text: format!("[{peer}] {text}").into() });
        }
    }
}

async fn listen(mut output: SplitSink<WebSocket, Message>, peer: SocketAddr, mut heard: Receiver<Said>) {
    loop {
        let mut next = heard.recv().await.map(Some);
        while let Some(said) = match next {
            Ok(said) => said,
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => return,
        } {
            if said.author != peer && output.feed(Message::Text(said.text)).await.is_err() {
                return;
            }
            next = Ok(heard.try_recv().ok());
        }
        if output.flush().await.is_err() {
            return;
        }
    }
}

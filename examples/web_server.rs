//! The room at `/ws` of an existing web server. axum answers the requests and decides which pages may connect, and
//! the room takes over the connection. Netcat is in the same room.
//!
//! ```sh
//! cargo run -p chat-examples --example web_server
//! ```

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use chat_core::{Room, RoomConfig};
use chat_tcp::{Adopter, TcpConfig, TcpServer};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::net::{TcpListener, TcpStream};
use tungstenite::handshake::server::create_response_with_body;

/// PROTOCOL.md, section 14, describes what else such a page can do.
const PAGE: &str = "<!doctype html><title>chat</title><ol id=said></ol><form id=say><input id=text autofocus></form><script>
const room = new WebSocket(location.origin.replace('http', 'ws') + '/ws');
const send = (object) => room.send(JSON.stringify(object));
room.onopen = () => send({ type: 'hello', history: 20 });
room.onmessage = ({ data }) => {
    const { type, author, text, direct } = JSON.parse(data);
    if (direct) send({ type: 'got', direct });
    if (type === 'message') document.getElementById('said').append(Object.assign(document.createElement('li'), { textContent: author + ': ' + text }));
};
document.getElementById('say').onsubmit = (event) => {
    event.preventDefault();
    const field = document.getElementById('text');
    send({ type: 'say', text: field.value });
    field.value = '';
};
</script>";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let room = Room::new(RoomConfig::default());
    let chat = TcpServer::bind(&address, &room, &TcpConfig::default())?;
    println!("netcat: {}", chat.local_addr());
    let adopter = chat.adopter();
    let _running = chat.spawn()?;

    let app =
        Router::new().route("/", get(|| async { Html(PAGE) })).route("/ws", get(open)).with_state(adopter);
    let listener = TcpListener::bind(&address).await?;
    println!("browser: http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

/// Opens a WebSocket and hands its connection to the room.
async fn open(
    State(room): State<Adopter>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    if !is_from_own_page(request.headers()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Ok(answer) = create_response_with_body(&request, Body::empty) else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    tokio::spawn(hand_over(hyper::upgrade::on(&mut request), peer, room));
    answer
}

/// Once the answer is written, the room owns the connection.
async fn hand_over(upgrade: OnUpgrade, peer: SocketAddr, room: Adopter) {
    let Ok(upgraded) = upgrade.await else { return };
    // Over TLS the stream would have another type. Let a proxy in front do TLS, or use `chat-tls`.
    let Ok(parts) = downcast::<TokioIo<TcpStream>>(upgraded) else { return };
    // A client may send nothing before it has the answer.
    if parts.read_buf.is_empty()
        && let Ok(socket) = parts.io.into_inner().into_std()
        && let Err(error) = room.adopt_websocket(socket, peer)
    {
        eprintln!("{peer}: {error}");
    }
}

/// Whether the request comes from a page of this server or from a program that is not a browser. A server with a name
/// also compares that: see docs/web.md.
fn is_from_own_page(headers: &HeaderMap) -> bool {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let origin = value(header::ORIGIN);
    !headers.contains_key(header::ORIGIN) || origin.strip_prefix("http://") == Some(value(header::HOST))
}

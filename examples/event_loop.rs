//! One async runtime with one thread serves TCP, UDP, the keyboard and the program itself. The room starts no thread.
//! Each transport takes a turn when its descriptor is readable or when it has something due.

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::sync::Arc;
    use std::time::Duration;

    use chat_core::{Room, RoomConfig, TryRecvError, Waker};
    use chat_tcp::{TcpConfig, TcpServer};
    use chat_udp::{UdpConfig, UdpServer};
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::sync::Notify;

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5555".to_owned());
    let room = Room::new(RoomConfig::default());
    let tcp = TcpServer::bind(address, &room, &TcpConfig::default().with_threads(1))?;
    let udp = UdpServer::bind(tcp.local_addr(), &room, &UdpConfig::default())?;
    println!("Listening on {}; type a line to say it, or quit", tcp.local_addr());
    let tcp = tcp.into_transports().pop().ok_or("a server has a transport")?;

    let something_said = Arc::new(Notify::new());
    let notify = Arc::clone(&something_said);
    let host = room.join("host")?.with_waker(Waker::new(move || notify.notify_one()));
    let hear = async {
        loop {
            match host.try_recv() {
                Ok(heard) => println!("{heard}"),
                Err(TryRecvError::Empty) => something_said.notified().await,
                Err(TryRecvError::Closed) => return Ok(()),
            }
        }
    };
    let type_lines = async {
        let mut lines = BufReader::new(tokio::io::stdin()).split(b'\n');
        while let Some(line) = lines.next_segment().await?.filter(|line| line != b"quit") {
            let _closing = host.say(&String::from_utf8_lossy(&line));
        }
        room.close("The server is stopping", Duration::from_secs(5));
        Ok(())
    };
    tokio::try_join!(serve(tcp), serve(udp.into_transport()), hear, type_lines)?;
    Ok(())
}

/// Gives `transport` its turns until it is done.
#[cfg(unix)]
async fn serve<T>(mut transport: T) -> std::io::Result<()>
where
    T: chat_core::transport::Transport<Error = std::io::Error> + std::os::fd::AsFd,
{
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::time::{Instant, sleep_until};

    // A duplicate that belongs to this function, so it stays open as long as the runtime watches it.
    let descriptor = transport.as_fd().try_clone_to_owned()?;
    #[expect(deprecated, reason = "its successor is unsafe code: the caller must keep the descriptor open")]
    let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
    loop {
        let due = transport.due().map(Instant::from_std);
        let is_due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Clear the readiness before the turn. If the descriptor becomes readable during the turn, the runtime
            // reports it again.
            ready = descriptor.readable() => ready?.clear_ready(),
            () = is_due => {}
        }
        if transport.turn(Some(Instant::now().into_std()))? == chat_core::transport::Turn::Done {
            return Ok(());
        }
    }
}

#[cfg(not(unix))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    Err("this system has no descriptor for a transport; run it on a thread of its own, or turn it in a loop"
        .into())
}

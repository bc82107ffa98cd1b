//! `chat admin`: the console of a server that runs elsewhere on this machine.

use std::env;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};

use crate::args::AdminArgs;
use crate::failure::Failure;
use crate::operator::console::{Console, Place};
use crate::operator::{QUEUE_MAX, Request, Update, control};
use crate::terminal::printable;
use crate::{byte_order_mark, signals, stdio};

/// How long a server may take to say what has become of a line.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(args: &AdminArgs, is_interactive: bool) -> Result<ExitCode, Failure> {
    let path = match &args.socket {
        Some(path) => path.clone(),
        None => the_only_socket()?,
    };
    let server = UnixStream::connect(&path).map_err(|error| no_server(error, &path))?;
    if !args.command.is_empty() {
        let line = args.command.join(" ");
        let line = if line.trim_start().starts_with('/') { line } else { format!("/{}", line.trim_start()) };
        return one_by_one(&server, std::iter::once(Ok(line)));
    }
    if is_interactive { console(server, args) } else { one_by_one(&server, lines()?) }
}

/// The lines of stdin.
fn lines() -> io::Result<impl Iterator<Item = io::Result<String>>> {
    let mut is_first = true;
    Ok(BufReader::new(stdio::stdin()?).lines().map(move |line| {
        let line =
            line.map_err(|error| io::Error::new(error.kind(), format!("cannot read stdin: {error}")))?;
        let has_mark = std::mem::take(&mut is_first);
        Ok(if has_mark { byte_order_mark::strip(&line).to_owned() } else { line })
    }))
}

/// Where a server makes its control socket if nothing else is asked for, and this system has such a place.
pub(crate) fn default_socket(port: u16) -> Option<PathBuf> {
    Some(runtime_directory()?.join(format!("chat-{port}.sock")))
}

/// Made by the system for each user that is logged in, and nobody else may look into it.
fn runtime_directory() -> Option<PathBuf> {
    let directory = PathBuf::from(env::var_os("XDG_RUNTIME_DIR")?);
    directory.is_absolute().then_some(directory)
}

/// The control socket of the one server that made its own.
fn the_only_socket() -> Result<PathBuf, Failure> {
    let directory = runtime_directory().and_then(|directory| directory.read_dir().ok());
    let is_socket = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("chat-") && name.ends_with(".sock") && UnixStream::connect(path).is_ok()
    };
    let files = directory.into_iter().flatten().filter_map(|file| Some(file.ok()?.path()));
    let mut sockets: Vec<PathBuf> = files.filter(is_socket).collect();
    sockets.sort_unstable();
    match sockets.as_slice() {
        [socket] => Ok(socket.clone()),
        [] => Err(Failure::new(
            "no server of yours has a control socket",
            Some(
                "start one with: chat server tcp --socket PATH, and name it here: chat admin --socket PATH"
                    .to_owned(),
            ),
        )),
        several => {
            let list: Vec<String> =
                several.iter().map(|socket| format!("--socket {}", socket.display())).collect();
            Err(Failure::new(
                "several servers have a control socket",
                Some(format!("choose one: {}", list.join(", "))),
            ))
        }
    }
}

fn no_server(error: io::Error, path: &Path) -> Failure {
    let hint = match error.kind() {
        ErrorKind::NotFound => {
            Some(format!("start the server with: chat server tcp --socket {}", path.display()))
        }
        ErrorKind::ConnectionRefused => Some("its server has ended".to_owned()),
        ErrorKind::PermissionDenied => Some("only the user that the server runs as may use it".to_owned()),
        _ => None,
    };
    Failure::new(NoServer { path: path.into(), source: error }, hint)
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open the control socket {}", path.display())]
struct NoServer {
    path: PathBuf,
    source: io::Error,
}

/// Has the server do what each line says, and prints its answers. Fails if it has refused one.
fn one_by_one(
    server: &UnixStream,
    lines: impl Iterator<Item = io::Result<String>>,
) -> Result<ExitCode, Failure> {
    let (updates, updated) = bounded(QUEUE_MAX);
    let mut stdout = stdio::stdout()?;
    let reader = BufReader::new(server.try_clone()?);
    Builder::new().name("chat-updates".to_owned()).spawn(move || control::forward(reader, &updates))?;
    let mut refused = None;
    for line in lines {
        // A server that takes no more consoles says so and closes, perhaps before this: then that is there to read.
        let sent = control::send(&mut &*server, &Request::Line(line?));
        loop {
            match updated.recv_timeout(ANSWER_TIMEOUT) {
                Ok(Update::Answer(text)) => {
                    let text: String = text.lines().map(|line| format!("{}\n", printable(line))).collect();
                    match stdout.write_all(text.as_bytes()) {
                        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                        result => result?,
                    }
                }
                Ok(Update::Refused(why)) => {
                    if let Some(before) = refused.replace(why) {
                        Failure::new(before, None).report();
                    }
                }
                Ok(Update::Done) => break,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Err(silent()),
                Err(RecvTimeoutError::Disconnected) => {
                    let why = refused.map(|why| Failure::new(why, None));
                    return Err(why.or(sent.err().map(Failure::from)).unwrap_or_else(gone));
                }
            }
        }
    }
    match refused {
        Some(why) => Err(Failure::new(why, None)),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn silent() -> Failure {
    let hint = "it is stopped or overloaded; what it was told to do may still happen";
    Failure::new(format!("the server has not answered within {ANSWER_TIMEOUT:?}"), Some(hint.to_owned()))
}

fn gone() -> Failure {
    Failure::new("the server has ended before it answered", None)
}

/// The console on this terminal.
fn console(server: UnixStream, args: &AdminArgs) -> Result<ExitCode, Failure> {
    let (requests, requested) = bounded(QUEUE_MAX);
    let (updates, updated) = bounded(QUEUE_MAX);
    let (leave, left) = bounded(1);
    signals::Watched::new()?.on_each(move |_| {
        let _there_already = leave.try_send(());
    })?;
    let reader = BufReader::new(server.try_clone()?);
    Builder::new().name("chat-updates".to_owned()).spawn(move || control::forward(reader, &updates))?;
    Builder::new().name("chat-requests".to_owned()).spawn(move || {
        requested.iter().try_for_each(|request: Request| control::send(&mut &server, &request))
    })?;
    requests.send(Request::Watch)?;
    let console = Console::take(Place::Elsewhere, args.look, requests, updated)?;
    console.run("", &left).map_err(|error| Failure::new(format!("the terminal is gone: {error}"), None))?;
    Ok(ExitCode::SUCCESS)
}

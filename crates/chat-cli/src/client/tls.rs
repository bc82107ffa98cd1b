//! Which server to trust: the system's word, a fingerprint, or what is known from before.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use chat_core::ClientEnd;
use chat_tls::{Fingerprint, HandshakeError, TlsClient, Unknown};

use crate::address::Addresses;
use crate::args::{ClientArgs, TransportKind};
use crate::failure::Failure;

/// What is read of the file at most.
const KNOWN_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The layer that is asked for, if one is.
pub(super) fn layer(args: &ClientArgs) -> Result<Option<TlsClient>, Failure> {
    if !(args.tls || args.tls_first_use || args.tls_fingerprint.is_some()) {
        return Ok(None);
    }
    let (TransportKind::Tcp, Some(addresses)) = (args.transport, args.address.address()) else {
        return Err(Failure::usage(format!("TLS is for tcp, and not for {}", args.transport), None));
    };
    // Several servers that share their rooms have a certificate for the first one's name.
    let host = addresses.first().host();
    let client = match args.tls_fingerprint {
        Some(fingerprint) => TlsClient::with_fingerprint(host, fingerprint),
        None => {
            let (known, server) = (Known::open()?, addresses.to_string());
            let first_use = args.tls_first_use;
            TlsClient::with_judge(host, move |unknown| judge(&known, &server, first_use, unknown))
        }
    };
    Ok(Some(client?))
}

fn judge(known: &Known, server: &str, first_use: bool, unknown: &Unknown<'_>) -> bool {
    let result = match known.find(server) {
        Ok(None) if first_use => known.add(server, unknown.fingerprint).map(|()| {
            let fingerprint = unknown.fingerprint;
            tracing::warn!(
                "{server} is trusted from now on by the certificate that it shows, {fingerprint}; compare that with what the \
                 server prints"
            );
            true
        }),
        found => found.map(|found| found == Some(unknown.fingerprint)),
    };
    result.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot use {}", known.path.display());
        false
    })
}

/// What to tell the user of a server that TLS does not let through.
pub(super) fn failure(end: &ClientEnd, args: &ClientArgs) -> Option<Failure> {
    let (ClientEnd::NotOpened { error } | ClientEnd::Lost { error, .. }) = end else { return None };
    let address = args.address.address()?;
    let cause = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    let handshake = match cause?.downcast_ref::<HandshakeError>() {
        Some(handshake) => handshake.clone(),
        None => {
            let end = cause?.downcast_ref::<ClientEnd>()?;
            return failure(end, args);
        }
    };
    let hint = match &handshake {
        HandshakeError::Untrusted { fingerprint, .. } => {
            return Some(untrusted(args, address, *fingerprint, handshake));
        }
        HandshakeError::Ended | HandshakeError::NotTls => {
            format!(
                "leave out --tls, or have the server offer it: chat server tcp --bind {address} --tls self-signed"
            )
        }
        _ => "openssl s_client -connect tells more about the server".to_owned(),
    };
    Some(Failure::new(handshake, Some(hint)))
}

fn untrusted(
    args: &ClientArgs,
    address: &Addresses,
    fingerprint: Fingerprint,
    error: HandshakeError,
) -> Failure {
    if args.tls_fingerprint.is_some() {
        let hint = format!(
            "the server shows {fingerprint}. If its certificate was renewed, ask whoever runs it for the new fingerprint; \
             otherwise somebody may be listening in between"
        );
        return Failure::new(error, Some(hint));
    }
    let known = Known::open().ok();
    let before = known.as_ref().and_then(|known| known.find(&address.to_string()).ok()?);
    let cannot_note = known.as_ref().filter(|_| args.tls_first_use).and_then(|known| known.append().err());
    let path = known.map(|known| known.path.display().to_string()).unwrap_or_default();
    let (error, hint): (Box<dyn Error + Send + Sync>, _) = match (before, cannot_note) {
        (Some(before), _) => (
            format!("the certificate of {address} HAS CHANGED").into(),
            format!(
                "somebody may be listening in between, or the server has a new one. It was {before} and is {fingerprint}. Ask \
                 whoever runs the server; if the new one is right, delete the line of {address} in {path}"
            ),
        ),
        (None, Some(why)) => (
            format!("the server cannot be noted in {path}: {why}").into(),
            format!(
                "--tls-first-use needs that file; without it, trust the server with --tls-fingerprint {fingerprint}"
            ),
        ),
        (None, None) => (
            error.into(),
            format!(
                "the server shows {fingerprint}. If that is what the server prints when it starts: --tls-fingerprint {fingerprint}; or \
             --tls-first-use to trust what is there now, and only that from then on"
            ),
        ),
    };
    Failure::new(error, Some(hint))
}

/// The servers that are known: a file with lines of an address and the fingerprint of its certificate. It is only ever added to.
struct Known {
    path: PathBuf,
}

impl Known {
    /// `chat/known_servers` in the directory for states (`XDG_STATE_HOME`, or `.local/state` at home).
    fn open() -> Result<Self, Failure> {
        let of = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let directory = of("XDG_STATE_HOME").or_else(|| of("HOME").map(|home| home.join(".local/state")));
        let directory = directory.ok_or_else(|| {
            let hint = "set HOME, or give --tls-fingerprint".to_owned();
            Failure::new("there is no place for the servers that are known", Some(hint))
        })?;
        Ok(Self { path: directory.join("chat/known_servers") })
    }

    /// The fingerprint of a server, if it is known. The newest line counts; names of hosts have no case.
    fn find(&self, server: &str) -> io::Result<Option<Fingerprint>> {
        let text = match read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            result => result?,
        };
        let mut found = None;
        for line in text.lines() {
            if let Some((name, fingerprint)) = line.split_once(' ')
                && name.eq_ignore_ascii_case(server)
            {
                let fingerprint = fingerprint.trim().parse();
                found = Some(fingerprint.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?);
            }
        }
        Ok(found)
    }

    /// Opens the file to add a line. Makes it, and its directory.
    fn append(&self) -> io::Result<File> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        OpenOptions::new().append(true).create(true).open(&self.path)
    }

    fn add(&self, server: &str, fingerprint: Fingerprint) -> io::Result<()> {
        // Its last line may have no end, if the disk was full or somebody has edited it.
        let is_torn = read(&self.path).is_ok_and(|text| !text.is_empty() && !text.ends_with('\n'));
        let begin = if is_torn { "\n" } else { "" };
        self.append()?.write_all(format!("{begin}{server} {fingerprint}\n").as_bytes())
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > KNOWN_BYTES_MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "the file is too large"));
    }
    fs::read_to_string(path)
}

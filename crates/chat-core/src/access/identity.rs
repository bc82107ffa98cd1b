//! What a transport knows about a peer before it is a member.

use std::net::SocketAddr;

use chat_proto::{Author, Text};

use crate::limits::PROOF_BYTES_MAX;

/// Where a peer comes from, and who it is, if its transport knows that. Most know the address only:
/// `Identity::from(address)`.
///
/// ```
/// use chat_core::access::Identity;
///
/// let local: std::net::SocketAddr = "127.0.0.1:4000".parse()?;
/// let identity = Identity::from(local).with_proof("uid:1000");
/// assert_eq!(identity.proof().map(|proof| proof.as_str()), Some("uid:1000"));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The address that limits, bans and the gate look at.
    pub address: SocketAddr,
    proof: Option<Text>,
}

impl Identity {
    /// Adds who the peer is, as the system or a certificate proves it: `uid:1000`, `cert:ann`. The gate sees it
    /// ([`JoinRequest::proof`](crate::access::JoinRequest::proof)), and a member without a name is shown like this
    /// instead of by its address.
    ///
    /// It is a kind, `:` and a value, at most [`PROOF_BYTES_MAX`] ASCII letters, digits and `-_.@=+:`, and reads as no
    /// other author. Anything else proves nothing and is ignored.
    #[must_use]
    pub fn with_proof(mut self, proof: &str) -> Self {
        let may_contain = |c: char| c.is_ascii_alphanumeric() || "-_.@=+:".contains(c);
        let is_proof =
            proof.len() <= PROOF_BYTES_MAX && proof.contains(':') && proof.chars().all(may_contain);
        self.proof = match Author::from_shown(proof) {
            Author::Other(shown) if is_proof => Some(shown),
            _ => None,
        };
        self
    }

    /// Who the peer is, if that is known.
    #[must_use]
    pub fn proof(&self) -> Option<&Text> {
        self.proof.as_ref()
    }

    pub(crate) fn new(address: SocketAddr, proof: Option<Text>) -> Self {
        Self { address, proof }
    }
}

impl From<SocketAddr> for Identity {
    fn from(address: SocketAddr) -> Self {
        Self::new(address, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_reads_as_no_other_author() {
        let local: SocketAddr = "127.0.0.1:4000".parse().unwrap();
        let longest = format!("cert:{}", "x".repeat(PROOF_BYTES_MAX - 5));
        let too_long = format!("{longest}x");
        for (proof, counts) in [
            ("uid:1000", true),
            ("cert:ann@home.example", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("ann", false),
            ("*", false),
            ("127.0.0.1:5", false),
            ("uid:1000/unix", false),
            ("cert:] a", false),
            ("cert:\u{e4}", false),
            ("", false),
        ] {
            assert_eq!(Identity::from(local).with_proof(proof).proof().is_some(), counts, "{proof}");
        }
    }
}

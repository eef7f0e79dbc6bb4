//! What a handshake ended with, as far as HTTP needs to know.

use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};

use super::presented::Presented;
use super::terms::HTTP_2;
use crate::host::Host;

/// An established TLS session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The host that the client named (SNI), if it named one.
    pub(crate) host: Option<Host>,
    /// As in `TLSv1.3`.
    pub(crate) version: &'static str,
    pub(crate) inside: Inside,
}

/// What is spoken inside, by ALPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    Http1,
    Http2,
}

impl Session {
    pub(super) fn of(connection: &ServerConnection, host: Option<Host>) -> Self {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        };
        let http2 = connection.alpn_protocol() == Some(HTTP_2);
        Self { host, version, inside: if http2 { Inside::Http2 } else { Inside::Http1 } }
    }

    /// Whether a request for this host came over a connection that was opened for another one
    /// with another certificate: 421 (RFC 9110 section 15.5.20). A client that named nobody took
    /// what it was shown, and may ask for any.
    pub(crate) fn is_misdirected(&self, asked: &Host, presented: &Presented) -> bool {
        self.host.as_ref().is_some_and(|named| presented.are_apart(named, asked))
    }
}

pub(super) fn is_resumed(connection: &ServerConnection) -> bool {
    connection.handshake_kind() == Some(HandshakeKind::Resumed)
}

//! What the edge does for a service besides finding an upstream, as plain data.
//!
//! Each part is absent by default and costs nothing then. Secrets in it are keys and digests, never
//! passwords, and print themselves as dots.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::table::Absence;

/// The rules of one service, in the order in which a request meets them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Who may ask at all.
    pub access: Access,
    /// How often one client may ask.
    pub rate: Option<Rate>,
    /// A name and password that every request must bring (RFC 7617).
    pub password: Option<Password>,
    /// Everybody is told this instead of being served. Challenges and health checks of the
    /// platform do not come through the edge and are not affected.
    pub maintenance: Option<Absence>,
    /// The most bytes of a request body; larger ones are refused with 413.
    pub most_body: Option<u64>,
    /// The most requests in flight at once; more wait as held requests do.
    pub most_in_flight: Option<usize>,
    /// Whether responses are compressed for clients that understand it.
    pub compression: Compression,
    /// A cookie that binds a client to an instance.
    pub sticky: Option<Sticky>,
    /// What is shown instead of the edge's own page when it answers in the upstream's place.
    pub pages: Pages,
    /// How long a new upstream's share grows to its full size. Zero is at once.
    pub slow_start: Duration,
}

/// Who may ask, by address. Deny wins; an empty allow list allows everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Access {
    /// Only these, if any.
    pub allow: Vec<Network>,
    /// Never these.
    pub deny: Vec<Network>,
}

/// A token bucket per client address (IPv6: per /64).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Requests that one client may make in `per`, spread evenly.
    pub requests: u32,
    /// See `requests`.
    pub per: Duration,
    /// How many may come at once after a pause.
    pub burst: u32,
}

/// A name and a password, kept as HMAC-SHA-256 of `name:password` under `key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    /// What the browser calls the protected place.
    pub realm: Box<str>,
    /// The key of the digests.
    pub key: Key,
    /// One digest for each name and password that is let in.
    pub digests: Vec<[u8; 32]>,
}

/// Whether responses are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// Never: what the upstream sends is what the client gets.
    #[default]
    Off,
    /// Text of more than a kilobyte that is not compressed yet, in the best coding that the client
    /// names: zstd, br, gzip.
    Text,
}

/// A signed cookie that names an instance without telling which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sticky {
    /// The cookie's name.
    pub cookie: Box<str>,
    /// The key it is signed with.
    pub key: Key,
}

/// A secret key. Equal keys are equal values; it never prints.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// Takes at least 32 random bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// HTML pages by status, at most 64 KiB each; clients that do not want HTML get the edge's own text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages(pub Arc<std::collections::BTreeMap<u16, Box<str>>>);

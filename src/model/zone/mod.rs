//! A zone: a domain whose DNS this server answers for, and the records that users add to it.
//!
//! What is generated (SOA, name servers, the edge's addresses, proofs for an authority) is not here:
//! it follows from settings and from what is seen, and is never stored.

mod name;
mod public;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Actor, DomainName, Timestamp};

pub use name::{RecordGrammar, RecordName, is_within};
pub use public::{PublicNames, PublicZone, ZoneRecord};
pub use text::InvalidRecord;

/// A domain delegated to this server. The platform's own is not stored: it is a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its apex.
    pub name: DomainName,
    /// When it was added.
    pub created_at: Timestamp,
    /// By whom.
    pub by: Actor,
}

/// One record that a user added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecord {
    /// The name in full.
    pub name: RecordName,
    /// What it says.
    pub data: DnsData,
    /// How long others may keep it, in seconds: [`MIN_TTL`] to [`MAX_TTL`].
    pub ttl: u32,
    /// When it was added.
    pub created_at: Timestamp,
    /// By whom.
    pub by: Actor,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
pub enum DnsData {
    /// An IPv4 address.
    A {
        /// It.
        address: std::net::Ipv4Addr,
    },
    /// An IPv6 address.
    Aaaa {
        /// It.
        address: std::net::Ipv6Addr,
    },
    /// Another name for it.
    Cname {
        /// Which.
        target: String,
    },
    /// Who takes mail.
    Mx {
        /// Lower is asked first.
        preference: u16,
        /// Who.
        exchange: String,
    },
    /// Text.
    Txt {
        /// At most 4096 bytes; sent in pieces of 255.
        text: String,
    },
    /// Where a service is (RFC 2782).
    Srv {
        /// Lower is asked first.
        priority: u16,
        /// A share among equals.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: String,
    },
    /// Who may issue certificates (RFC 8659).
    Caa {
        /// 128 is critical.
        flags: u8,
        /// `issue`, `issuewild` or `iodef`.
        tag: String,
        /// Whom.
        value: String,
    },
    /// Who answers for what is below.
    Ns {
        /// The server.
        target: String,
    },
}

/// What a certificate authority is to find in the DNS: names, and the texts at each. Not stored: an
/// order that is taken up again has them anew.
pub type Proofs = BTreeMap<RecordName, Vec<String>>;

impl DnsData {
    /// The type as zone files write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::A { .. } => "A",
            Self::Aaaa { .. } => "AAAA",
            Self::Cname { .. } => "CNAME",
            Self::Mx { .. } => "MX",
            Self::Txt { .. } => "TXT",
            Self::Srv { .. } => "SRV",
            Self::Caa { .. } => "CAA",
            Self::Ns { .. } => "NS",
        }
    }
}

/// The names under which this server is to be named as a zone's server, at the registrar and in the
/// zone itself. Registries want two; both lead to all the addresses that there are.
pub fn name_servers(platform: &str) -> [String; 2] {
    [format!("ns1.{platform}"), format!("ns2.{platform}")]
}

/// The shortest time to live, in seconds; less makes the world ask for every request.
pub const MIN_TTL: u32 = 30;
/// The longest, a week: what was wrong for longer is wrong for good.
pub const MAX_TTL: u32 = 604_800;
/// What a record gets if its user does not say.
pub const DEFAULT_TTL: u32 = 300;
/// The longest TXT text in bytes; a proof or a key is a tenth of it.
pub const MAX_TEXT: usize = 4096;

//! A zone: a domain whose DNS this server answers for, and the records that users add to it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Actor, DomainName, Timestamp};

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
    /// The name in full, without a final dot; `_` is allowed in labels and `*` as the first one.
    pub name: String,
    /// What it says.
    pub data: DnsData,
    /// How long others may keep it, in seconds.
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

impl fmt::Display for DnsData {
    /// The data as zone files write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A { address } => address.fmt(f),
            Self::Aaaa { address } => address.fmt(f),
            Self::Cname { target } | Self::Ns { target } => f.write_str(target),
            Self::Mx { preference, exchange } => write!(f, "{preference} {exchange}"),
            Self::Txt { text } => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Self::Srv { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} {target}")
            }
            Self::Caa { flags, tag, value } => write!(f, "{flags} {tag} \"{value}\""),
        }
    }
}

//! The DNS that this server answers: zones, and the records that users add to them.

use serde::{Deserialize, Serialize};

use crate::DnsSetting;

/// A zone that this server answers for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Zone {
    /// Its apex.
    pub name: String,
    /// Whether it is the platform's own domain, which cannot be removed.
    pub platform: bool,
    /// What to set where the domain above it is kept, so that the world asks this server.
    pub delegation: Vec<DnsSetting>,
    /// When it was added; `null` for the platform's own.
    pub created_at: Option<String>,
    /// By whom.
    pub by: Option<String>,
}

/// A record that a user added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Record {
    /// Its name in full, without a final dot.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `MX`, `TXT`, `SRV`, `CAA` or `NS`.
    pub kind: String,
    /// What it says, as zone files write it.
    pub value: String,
    /// How long others may keep it, in seconds.
    pub ttl: u32,
    /// When it was added.
    pub created_at: String,
    /// By whom.
    pub by: String,
}

/// Asks for a record. One that says the same gets the new time to live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AddRecord {
    /// See [`Record`].
    pub name: String,
    /// See [`Record`].
    pub kind: String,
    /// See [`Record`].
    pub value: String,
    /// See [`Record`]; 300 if absent.
    pub ttl: Option<u32>,
}

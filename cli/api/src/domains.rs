//! Domains: the names of the user's own under which apps answer, what the world's DNS says of them
//! and what they are proved with.

use serde::{Deserialize, Serialize};

use crate::Certificate;

/// One name, or one path of it, and the app that answers there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Domain {
    /// The name: `www.example.com`, or `*.example.com` for every name right below it.
    pub name: String,
    /// Which paths of it: `/` for all, `/api` for `/api` and `/api/…`.
    pub path: String,
    /// Whether the app sees paths without that prefix.
    pub strip: bool,
    /// The app.
    pub app: String,
    /// Browsers are sent to this name instead of being served.
    pub moved_to: Option<String>,
    /// Where it can be looked at; for a wildcard, where its names would be.
    pub url: String,
    /// What the world's DNS says of it.
    pub dns: Pointing,
    /// What it is proved with; `null` where no certificate is got for it.
    pub certificate: Option<Certificate>,
    /// What to set at the registrar so that it leads here; empty if this server answers for its
    /// zone.
    pub records: Vec<DnsSetting>,
    /// What to set in place of a CNAME where the name is the top of its zone.
    pub instead: Vec<DnsSetting>,
    /// When it was added.
    pub created_at: String,
    /// By whom.
    pub by: String,
}

/// Where a name leads, as this server last saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Pointing {
    /// One word: `unchecked`, `here`, `elsewhere`, `nowhere`, `unknown` (it could not be asked).
    pub state: String,
    /// What was seen, in a sentence.
    pub detail: Option<String>,
    /// Since when it has been so.
    pub since: Option<String>,
}

/// A DNS record to set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DnsSetting {
    /// Its name in full.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`.
    pub kind: String,
    /// What it says.
    pub value: String,
}

/// Asks for a domain. What an app has already is changed to this.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct AddDomain {
    /// See [`Domain`].
    pub name: String,
    /// See [`Domain`]; all paths if absent.
    pub path: Option<String>,
    /// See [`Domain`].
    pub strip: bool,
    /// See [`Domain`].
    pub moved_to: Option<String>,
}

/// Asks for the maintenance page, or no more for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SetMaintenance {
    /// Whether visitors see it instead of the app.
    pub on: bool,
    /// What it says; a sentence of the platform's own if absent.
    pub message: Option<String>,
}

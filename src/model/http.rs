//! What an app asks of the edge: the section `[http]` of `paas.toml`, and the maintenance page.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{ByteSize, EnvKey};

/// How the edge serves an app's web process. It is part of a release, so that it goes back with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpSettings {
    /// What the web process speaks.
    pub protocol: HttpProtocol,
    /// Plain HTTP is redirected to HTTPS wherever there is a certificate; `false` serves it.
    pub redirect: Option<bool>,
    /// `Strict-Transport-Security` for so long.
    pub hsts: Option<Duration>,
    /// Compress text responses.
    pub compress: bool,
    /// The largest request body.
    pub max_body: Option<ByteSize>,
    /// The most requests in flight; more wait.
    pub max_in_flight: Option<u32>,
    /// Bind a browser to an instance.
    pub sticky: bool,
    /// Networks that may ask, in CIDR notation; all if empty.
    pub allow: Vec<String>,
    /// Networks that may not.
    pub deny: Vec<String>,
    /// How often one client may ask.
    pub rate: Option<RateLimit>,
    /// A password before everything.
    pub password: Option<PasswordGate>,
    /// Pages in HTML by status, in place of the edge's own.
    pub pages: BTreeMap<u16, String>,
    /// How long a new instance's share of requests grows.
    pub slow_start: Option<Duration>,
}

/// What a web process speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, as gRPC servers do.
    H2c,
}

/// Requests per time for each client address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// So many requests …
    pub requests: u32,
    /// … in this time.
    pub per: Duration,
    /// How many may come at once.
    pub burst: u32,
}

/// A name, and the variable of the app's config that holds the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordGate {
    /// The user's name.
    pub user: String,
    /// The variable; while it is not set, nobody is let in.
    pub password_from: EnvKey,
}

/// What visitors are told while an app is being worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// One or two sentences.
    pub message: String,
    /// Since when.
    pub since: super::Timestamp,
}

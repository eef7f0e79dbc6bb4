//! A site: what a host answers with, path by path.
//!
//! Plain data. What is routed by is what is sent: nothing is decoded before it is compared, and a
//! prefix ends where a segment ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::table::ServiceName;

/// What one host, or all hosts under one wildcard, answer with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Site {
    /// Whether plain HTTP is served.
    pub plain: Plain,
    /// `Strict-Transport-Security` (RFC 6797): how long browsers shall insist on TLS. `None` says
    /// nothing; zero withdraws it.
    pub hsts: Option<Hsts>,
    /// Another host that this one only points to, with path and query kept: `www` to apex.
    pub moved_to: Option<Host>,
    /// Who answers for which paths; the longest prefix that fits wins.
    pub routes: Vec<Route>,
}

impl Site {
    /// A site whose every path is answered by one service, over plain HTTP as well.
    pub fn of(service: ServiceName) -> Self {
        Self { routes: vec![Route::all(service)], ..Self::default() }
    }
}

/// What a request over plain HTTP gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plain {
    /// The same as over TLS.
    #[default]
    Served,
    /// A redirect to `https` on this port (443 is left out of the URL).
    Redirected {
        /// The port that TLS is reached on from outside.
        port: u16,
    },
}

/// How long and how widely browsers shall insist on TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hsts {
    /// `max-age`, whole seconds.
    pub max_age: Duration,
    /// `includeSubDomains`.
    pub subdomains: Subdomains,
}

/// Whether a rule is for the names below a host too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subdomains {
    /// The host only.
    #[default]
    Excluded,
    /// The host and every name below it.
    Included,
}

/// Who answers for the paths under one prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The prefix, `/` for all: `/api` is for `/api` and `/api/…`, not for `/apix`.
    pub prefix: Box<str>,
    /// What the upstream sees of it.
    pub forwarded: Forwarded,
    /// Who answers. A route to a service that does not exist is no route.
    pub to: ServiceName,
}

impl Route {
    /// Every path, as it is.
    pub fn all(to: ServiceName) -> Self {
        Self { prefix: "/".into(), forwarded: Forwarded::Whole, to }
    }
}

/// What an upstream sees of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Forwarded {
    /// All of it.
    #[default]
    Whole,
    /// What comes behind the prefix (`/api/x` as `/x`), with `X-Forwarded-Prefix` saying what went.
    Stripped,
}

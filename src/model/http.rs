//! What an app asks of the edge: the section `[http]` of `paas.toml`, and the maintenance page.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    ByteSize, EnvKey,
    name::{Grammar, Name},
};

/// Addresses in CIDR notation, `10.0.0.0/8` or `2001:db8::/32`; a bare address is itself alone.
pub type Cidr = Name<CidrGrammar>;

/// What the paths of an app's assets begin with, `/assets/`; as the app sees them.
pub type AssetPrefix = Name<AssetGrammar>;

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
    /// Networks that may ask; all if empty.
    pub allow: Vec<Cidr>,
    /// Networks that may not.
    pub deny: Vec<Cidr>,
    /// How often one client may ask.
    pub rate: Option<RateLimit>,
    /// A password before everything.
    pub password: Option<PasswordGate>,
    /// Pages in HTML by status, in place of the edge's own.
    pub pages: BTreeMap<u16, String>,
    /// How long a new instance's share of requests grows.
    pub slow_start: Option<Duration>,
    /// Where files are that pages ask for by names of their own release.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetPrefix>,
    /// How long those of an earlier release can be had when another has taken its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assets_for: Option<Duration>,
}

impl HttpSettings {
    /// How long the files of earlier releases can be had; `None` where none are declared.
    pub fn assets_last(&self) -> Option<Duration> {
        (!self.assets.is_empty()).then(|| self.assets_for.unwrap_or(ASSETS_LAST))
    }
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

/// See [`Cidr`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CidrGrammar {}

impl Grammar for CidrGrammar {
    const KIND: &'static str = "network";

    fn check(text: &str) -> Result<(), &'static str> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let most = match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => Some(32),
            Ok(IpAddr::V6(_)) => Some(128),
            Err(_) => None,
        };
        let digits = |bits: &str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let fits = |most: u8| match bits {
            None => true,
            Some(bits) => digits(bits) && bits.parse::<u8>().is_ok_and(|bits| bits <= most),
        };
        most.is_some_and(fits)
            .then_some(())
            .ok_or("an address or a range of addresses, such as `203.0.113.7` or `10.0.0.0/8`")
    }
}

/// See [`AssetPrefix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetGrammar {}

impl Grammar for AssetGrammar {
    const KIND: &'static str = "beginning of a path";

    fn check(text: &str) -> Result<(), &'static str> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\\%".contains(&byte);
        let leads_on = |segment| matches!(segment, "." | "..");
        let valid = text.len() <= 200
            && text.starts_with('/')
            && text.bytes().all(plain)
            && !text.split('/').any(leads_on);
        valid
            .then_some(())
            .ok_or("`/assets/`, for example: it begins with `/` and has no `?`, `%` or `..`")
    }
}

/// What visitors are told while an app is being worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// One or two sentences.
    pub message: String,
    /// Since when.
    pub since: super::Timestamp,
}

/// A tab that was left open over lunch.
const ASSETS_LAST: Duration = Duration::from_hours(1);

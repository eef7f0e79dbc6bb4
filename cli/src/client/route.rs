//! The paths of the API. Names come checked, so that only query values and what is typed need escaping.

use std::fmt::Write;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::target::{AppName, DomainName};

/// The server itself.
pub(crate) const SERVER: &str = "/v1/server";
/// The JSON Schema of `paas.toml`.
pub(crate) const SCHEMA: &str = "/v1/manifest.schema.json";
/// All apps.
pub(crate) const APPS: &str = "/v1/apps";

/// All domains.
pub(crate) const DOMAINS: &str = "/v1/domains";
/// All certificates.
pub(crate) const CERTIFICATES: &str = "/v1/certificates";
/// A new sealing key.
pub(crate) const ROTATE: &str = "/v1/sealing-key/rotate";
/// All backups.
pub(crate) const BACKUPS: &str = "/v1/backups";
/// The keys that open them.
pub(crate) const BACKUP_KEY: &str = "/v1/backups/key";
/// Keys of SSH.
pub(crate) const KEYS: &str = "/v1/keys";
/// All machines.
pub(crate) const NODES: &str = "/v1/nodes";
/// What would be elsewhere, and having it moved.
pub(crate) const REBALANCE: &str = "/v1/nodes/rebalance";
/// Having nodes keep the records, too.
pub(crate) const PROMOTE: &str = "/v1/nodes/promote";
/// Having them keep the records no more.
pub(crate) const DEMOTE: &str = "/v1/nodes/demote";
/// Where one becomes a node.
pub(crate) const JOIN: &str = "/v1/nodes/join";
/// Tokens by which they do.
pub(crate) const JOIN_TOKENS: &str = "/v1/nodes/tokens";
/// Why a request gets an answer or none.
pub(crate) const WHY: &str = "/v1/why";
/// All zones.
pub(crate) const ZONES: &str = "/v1/zones";
/// All records.
pub(crate) const RECORDS: &str = "/v1/records";

/// One app.
pub(crate) fn app(app: &AppName) -> String {
    format!("{APPS}/{app}")
}

/// What belongs to an app, for example `releases`.
pub(crate) fn of(app: &AppName, rest: &str) -> String {
    format!("{APPS}/{app}/{rest}")
}

/// The pin of a release, which somebody typed.
pub(crate) fn pin(app: &AppName, release: &str) -> String {
    let release = utf8_percent_encode(release, NON_ALPHANUMERIC);
    format!("{APPS}/{app}/releases/{release}/pin")
}

/// One domain.
pub(crate) fn domain(name: &DomainName) -> String {
    format!("{DOMAINS}/{name}")
}

/// What belongs to a domain, for example `check`.
pub(crate) fn domain_of(name: &DomainName, rest: &str) -> String {
    format!("{DOMAINS}/{name}/{rest}")
}

/// The certificate of a name.
pub(crate) fn certificate(name: &DomainName) -> String {
    format!("{CERTIFICATES}/{name}")
}

/// One zone.
pub(crate) fn zone(name: &DomainName) -> String {
    format!("{ZONES}/{name}")
}

/// `path` with those query parameters that have a value.
pub(crate) fn query(mut path: String, parameters: &[(&str, Option<String>)]) -> String {
    let mut separator = '?';
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        // Writing to a string cannot fail.
        write!(path, "{separator}{name}={value}").ok();
        separator = '&';
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_values_are_escaped_and_absent_ones_left_out() {
        let parameters =
            [("grep", Some("a b&c=d".to_owned())), ("x", None), ("n", Some("5".to_owned()))];
        assert_eq!(query("/p".to_owned(), &parameters), "/p?grep=a%20b%26c%3Dd&n=5");
    }
}

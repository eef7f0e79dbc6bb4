//! Where a server's API is: `https://host:port`, `http://127.0.0.1:port` or `unix:/path`.
//!
//! Plain HTTP is for this machine only, because a token goes over it.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

use hyper::Uri;

/// Where a server's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A socket file on this machine.
    Unix(PathBuf),
    /// Plain HTTP on this machine.
    Http(HostPort),
    /// HTTP over TLS.
    Https(HostPort),
}

/// A host (without brackets) and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// A name or an address.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

/// Why a text is not a server's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAnAddress {
    /// Something else altogether.
    #[error("an address is `https://HOST:PORT`, `http://127.0.0.1:PORT` or `unix:/PATH`")]
    Form,
    /// The path of a socket must not depend on the folder.
    #[error("the path of a socket starts with `/`")]
    Relative,
    /// A token would travel readable for everyone on the way.
    #[error("plain http is for this machine only: the token would be readable on the network")]
    PlainAcrossNetwork,
    /// There is nothing behind the port.
    #[error("an address ends with the port; the API's path is always `/v1`")]
    Path,
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let absolute = path.starts_with('/');
            return absolute.then(|| Self::Unix(path.into())).ok_or(NotAnAddress::Relative);
        }
        let uri: Uri = text.parse().map_err(|_| NotAnAddress::Form)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(NotAnAddress::Form)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(NotAnAddress::Path);
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(NotAnAddress::Form);
        }
        match uri.scheme_str() {
            Some("https") => {
                Ok(Self::Https(HostPort { host, port: uri.port_u16().unwrap_or(443) }))
            }
            Some("http") if is_this_machine(&host) => {
                Ok(Self::Http(HostPort { host, port: uri.port_u16().unwrap_or(80) }))
            }
            Some("http") => Err(NotAnAddress::PlainAcrossNetwork),
            _ => Err(NotAnAddress::Form),
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Address {
    /// What a context for it is called unless the user says otherwise.
    pub(crate) fn suggested_name(&self) -> &str {
        match self {
            Self::Unix(_) | Self::Http(_) => "local",
            Self::Https(at) => &at.host,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Http(at) => write!(f, "http://{at}"),
            Self::Https(at) => write!(f, "https://{at}"),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, NotAnAddress>) {
        let parsed = text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(parsed, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn addresses_and_what_is_not_one() {
        check("https://paas.example.com:8443", Ok("https://paas.example.com:8443"));
        check("https://[2001:db8::1]:8443/", Ok("https://[2001:db8::1]:8443"));
        check("http://127.0.0.1:7000", Ok("http://127.0.0.1:7000"));
        check("http://[::1]:7000", Ok("http://[::1]:7000"));
        check("http://localhost:7000", Ok("http://localhost:7000"));
        check("unix:/run/paas/api.sock", Ok("unix:/run/paas/api.sock"));
        check("unix:///run/paas/api.sock", Ok("unix:/run/paas/api.sock"));
        check("unix:api.sock", Err(NotAnAddress::Relative));
        check("http://10.0.0.1:7000", Err(NotAnAddress::PlainAcrossNetwork));
        check("http://localhost.example.com", Err(NotAnAddress::PlainAcrossNetwork));
        check("https://a@b:1", Err(NotAnAddress::Form));
        check("https://host:1/api", Err(NotAnAddress::Path));
        check("ftp://host", Err(NotAnAddress::Form));
        check("host:7000", Err(NotAnAddress::Form));
        check("", Err(NotAnAddress::Form));
    }
}

//! The address of a source: read strictly, and followed from one server to the next. Pure.

use std::{fmt, str::FromStr};

use ureq::http::{Uri, uri::Authority};

/// An address that may be fetched from, as far as its text tells.
#[derive(Clone, PartialEq, Eq)]
pub struct Link(Uri);

/// Why a text is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLink {
    /// Anything else.
    #[error("an address is `https://HOST/PATH`, or the same with http")]
    Form,
    /// It would be kept in records and shown.
    #[error("a password has no place in an address")]
    Password,
    /// What was private on its way would not be any more.
    #[error("it leads from https to http")]
    Downgrade,
}

impl FromStr for Link {
    type Err = InvalidLink;

    fn from_str(text: &str) -> Result<Self, InvalidLink> {
        if text.len() > LONGEST || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(InvalidLink::Form);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidLink::Form)?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err(InvalidLink::Form);
        }
        let authority = uri.authority().ok_or(InvalidLink::Form)?;
        if authority.as_str().contains('@') {
            return Err(InvalidLink::Password);
        }
        if authority.host().is_empty() {
            return Err(InvalidLink::Form);
        }
        Ok(Self(uri))
    }
}

impl Link {
    /// Where an answer sends on to, which may be told in part.
    pub(super) fn follow(&self, location: &str) -> Result<Self, InvalidLink> {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", Authority::as_str);
        let path = self.0.path();
        let folder = path.rfind('/').and_then(|end| path.get(..=end)).unwrap_or("/");
        let text = if location.contains("://") {
            location.to_owned()
        } else if let Some(rest) = location.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else if location.starts_with('?') {
            format!("{scheme}://{authority}{path}{location}")
        } else {
            format!("{scheme}://{authority}{folder}{location}")
        };
        let next: Self = text.parse()?;
        if scheme == "https" && next.0.scheme_str() != Some("https") {
            return Err(InvalidLink::Downgrade);
        }
        Ok(next)
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

/// Without the query, which may hold a signature that is as good as a password.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.authority().map_or("", Authority::as_str);
        write!(f, "{}://{authority}{}", self.0.scheme_str().unwrap_or_default(), self.0.path())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({self})")
    }
}

const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_is_none() {
        for good in ["https://a.example/app.tar.gz", "http://10.0.0.1:8080/x?y=z", "https://[::1]/"]
        {
            assert!(good.parse::<Link>().is_ok(), "{good}");
        }
        for bad in ["", "a.tar", "/x", "file:///etc/passwd", "ftp://a/b", "https://", "https:///x"]
        {
            assert!(bad.parse::<Link>().is_err(), "{bad}");
        }
        assert_eq!("https://me:pw@a/x".parse::<Link>(), Err(InvalidLink::Password));
        assert!("https://a/x\ny".parse::<Link>().is_err());
        assert!(format!("https://a/{}", "x".repeat(5000)).parse::<Link>().is_err());
        let signed: Link = "https://a/x.tgz?signature=abc".parse().unwrap();
        assert_eq!(signed.to_string(), "https://a/x.tgz");
    }

    #[test]
    fn an_answer_sends_on() {
        let from: Link = "https://a.example:8/one/two.tgz?q".parse().unwrap();
        let to = |location: &str| from.follow(location).map(|link| link.uri().to_string());
        assert_eq!(to("https://b/x?s").as_deref(), Ok("https://b/x?s"));
        assert_eq!(to("//b/x").as_deref(), Ok("https://b/x"));
        assert_eq!(to("/x").as_deref(), Ok("https://a.example:8/x"));
        assert_eq!(to("x").as_deref(), Ok("https://a.example:8/one/x"));
        assert_eq!(to("?r").as_deref(), Ok("https://a.example:8/one/two.tgz?r"));
        assert_eq!(to("http://b/x"), Err(InvalidLink::Downgrade));
        assert_eq!(to("https://me:pw@b/x"), Err(InvalidLink::Password));
        assert_eq!(to("gopher://b/x"), Err(InvalidLink::Form));
    }
}

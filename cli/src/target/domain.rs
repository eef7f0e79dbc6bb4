//! A domain's name, checked here so that a typing mistake is told at once and a name can stand in a
//! path without escaping. The server has the last word.

use std::{fmt, str::FromStr};

/// `example.com`, `www.example.com` or `*.example.com`, in lower case and without a final dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DomainName(String);

/// Why a text is not a domain's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a domain is a name such as `www.example.com` or `*.example.com`, without `https://` and \
     without a path (that is `--path`); other letters are written in their `xn--` form"
)]
pub(crate) struct NotADomain;

impl DomainName {
    /// Whether it is surely the top of its zone: no name of two labels is below another's.
    pub(crate) fn is_apex(&self) -> bool {
        self.0.split('.').count() == 2 && !self.0.starts_with('*')
    }
}

impl FromStr for DomainName {
    type Err = NotADomain;

    fn from_str(text: &str) -> Result<Self, NotADomain> {
        let text = text.trim_end_matches('.').to_ascii_lowercase();
        let base = text.strip_prefix("*.").unwrap_or(&text);
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let valid = base.contains('.') && text.len() <= 253 && base.split('.').all(label);
        if valid { Ok(Self(text)) } else { Err(NotADomain) }
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tidied_and_addresses_are_refused() {
        for (text, expected) in [
            ("Example.COM.", Some("example.com")),
            ("*.example.com", Some("*.example.com")),
            ("https://example.com", None),
            ("example.com/api", None),
            ("a.*.com", None),
            ("localhost", None),
            ("bücher.example", None),
            ("a..b", None),
        ] {
            let name = text.parse::<DomainName>().ok();
            assert_eq!(name.map(|name| name.to_string()).as_deref(), expected, "{text}");
        }
    }
}

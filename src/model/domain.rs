//! A domain: a name of the user's own under which an app answers.

use serde::{Deserialize, Serialize};

use super::{
    Actor, AppName, Timestamp,
    name::{Grammar, Name},
};

/// A DNS name in lower case without a final dot, two labels or more, or `*.` before one:
/// `example.com`, `www.example.com`, `*.example.com`. International names are in their `xn--` form.
pub type DomainName = Name<DomainGrammar>;

/// A path prefix: `/`, or segments of visible ASCII with no final slash, such as `/api/v1`.
pub type PathPrefix = Name<PathGrammar>;

/// One name, or one path of one name, and the app that answers there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The name.
    pub name: DomainName,
    /// Which paths of it; the longest prefix wins.
    pub path: PathPrefix,
    /// Whether the app sees paths without the prefix.
    pub strip: bool,
    /// Who answers.
    pub app: AppName,
    /// The name only points to this one: browsers are sent there (`www.example.com` to
    /// `example.com`).
    pub moved_to: Option<DomainName>,
    /// When it was added.
    pub created_at: Timestamp,
    /// By whom.
    pub by: Actor,
}

/// What the world's DNS was last seen to say of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainCheck {
    /// Which name.
    pub name: DomainName,
    /// Where it leads.
    pub pointing: Pointing,
    /// Since when it has led there.
    pub since: Timestamp,
}

/// Where a name leads, as seen from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Pointing {
    /// To this server.
    Here,
    /// To these addresses, which are not this server's.
    Elsewhere {
        /// In text, sorted.
        addresses: Vec<String>,
    },
    /// Nowhere: there is no such name, or it has no address.
    Nowhere,
    /// It could not be asked for.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl DomainName {
    /// The name below which a wildcard is; the name itself otherwise.
    pub fn base(&self) -> &str {
        self.as_str().strip_prefix("*.").unwrap_or(self.as_str())
    }

    /// Whether it stands for every name with one label before its base.
    pub fn is_wildcard(&self) -> bool {
        self.as_str().starts_with("*.")
    }
}

impl PathPrefix {
    /// Whether it is every path.
    pub fn is_root(&self) -> bool {
        self.as_str() == "/"
    }
}

/// See [`DomainName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DomainGrammar {}

impl Grammar for DomainGrammar {
    const KIND: &'static str = "domain";

    fn check(text: &str) -> Result<(), &'static str> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let base = text.strip_prefix("*.").unwrap_or(text);
        let last = base.rsplit('.').next().unwrap_or_default();
        let valid = text.len() <= 253
            && base.contains('.')
            && base.split('.').all(label)
            && !last.bytes().all(|b| b.is_ascii_digit());
        valid.then_some(()).ok_or(
            "a name such as `www.example.com` or `*.example.com` in lower case, without `https://` \
             and without a path; names with other letters in their `xn--` form",
        )
    }
}

/// See [`PathPrefix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathGrammar {}

impl Grammar for PathGrammar {
    const KIND: &'static str = "path";

    fn check(text: &str) -> Result<(), &'static str> {
        let segment = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
        };
        let segments = text.strip_prefix('/');
        let valid = text == "/"
            || (text.len() <= 200 && segments.is_some_and(|rest| rest.split('/').all(segment)));
        valid.then_some(()).ok_or("`/`, or a path such as `/api` without a slash at its end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_names_and_nothing_else() {
        for good in ["example.com", "*.example.com", "a.b-c.example", "xn--bcher-kva.example"] {
            assert!(good.parse::<DomainName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "com",
            "*.com",
            "*",
            "Example.com",
            "https://a.b",
            "a.b/",
            "a..b",
            "-a.b",
            "1.2.3.4",
            "a.*.b",
            "a.b.",
            "a b.c",
            "bücher.example",
        ] {
            assert!(bad.parse::<DomainName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn path_prefixes_are_segments() {
        for good in ["/", "/api", "/api/v1.0", "/~me"] {
            assert!(good.parse::<PathPrefix>().is_ok(), "{good}");
        }
        for bad in ["", "api", "/api/", "//", "/a/../b", "/%2e", "/a?b", "/a b"] {
            assert!(bad.parse::<PathPrefix>().is_err(), "{bad}");
        }
    }
}

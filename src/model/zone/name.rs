//! A record's name: wider than a host's, because `_` begins the names of services and proofs.

use crate::model::name::{Grammar, Name};

/// A name of a record in full, in lower case and without a final dot: `www.example.com`,
/// `_acme-challenge.example.com`, `*.example.com`. `*` may only be the first label, alone.
pub type RecordName = Name<RecordGrammar>;

impl RecordName {
    /// Whether it is `apex` or below it.
    pub fn is_within(&self, apex: &str) -> bool {
        is_within(self.as_str(), apex)
    }
}

/// Whether `name` is `apex` or below it; both in lower case without a final dot.
pub fn is_within(name: &str, apex: &str) -> bool {
    let before = name.strip_suffix(apex);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// See [`RecordName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordGrammar {}

impl Grammar for RecordGrammar {
    const KIND: &'static str = "record name";

    fn check(text: &str) -> Result<(), &'static str> {
        let base = text.strip_prefix("*.").unwrap_or(text);
        let valid = text.len() <= MAX_NAME && base.split('.').all(is_label);
        valid.then_some(()).ok_or(
            "a name such as `www.example.com`, `_sip._tcp.example.com` or `*.example.com` in lower \
             case; names with other letters in their `xn--` form",
        )
    }
}

/// A label as people write them; `_` where a host's name would not have it.
pub(super) fn is_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(inner)
}

/// 255 bytes on the wire, of which the first length and the root take two (RFC 1035 section 2.3.4).
pub(super) const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_names_that_hosts_have_not() {
        for good in ["example.com", "*.example.com", "_dmarc.example.com", "localhost", "1.a"] {
            assert!(good.parse::<RecordName>().is_ok(), "{good}");
        }
        let long = format!("{}.com", "a".repeat(64));
        for bad in ["", ".", "a.", "A.b", "a..b", "a.*.b", "**.b", "*", "-a.b", "a b", &long] {
            assert!(bad.parse::<RecordName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn within_is_by_labels_and_not_by_letters() {
        let within = |name: &str, apex| name.parse::<RecordName>().unwrap().is_within(apex);
        assert!(within("example.com", "example.com") && within("a.b.example.com", "example.com"));
        assert!(!within("badexample.com", "example.com") && !within("com", "example.com"));
    }
}

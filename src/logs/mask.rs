//! Masks: the values of an app's secrets, and what is written in their place.
//!
//! By value, not by name: whatever prints a secret, its line is kept and shown with `[NAME]` instead, also
//! where the value stands in JSON, in a URL or in base64. Values and lines of values shorter than
//! [`SHORTEST`] are left alone, because they would be found everywhere. Invariant: a line is masked before
//! it is on the disk or with a follower; an app without secrets pays nothing.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    fmt::Write,
    sync::{Arc, PoisonError, RwLock},
};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use zeroize::Zeroizing;

use crate::model::{EnvKey, SecretValue};

/// What hides the values of one app's secrets.
#[derive(Default)]
pub struct Mask {
    /// `None` where nothing is hidden.
    automaton: Option<AhoCorasick>,
    /// By pattern: what is written in its place.
    names: Vec<String>,
    patterns: Vec<Zeroizing<String>>,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} patterns)", self.names.len())
    }
}

impl Mask {
    /// For these values; a name may have several, as releases have.
    pub fn of<'a>(values: impl IntoIterator<Item = (&'a EnvKey, &'a SecretValue)>) -> Self {
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in values {
            for pattern in patterns(value.expose()) {
                wanted.entry(pattern).or_insert_with(|| format!("[{name}]"));
            }
        }
        let wiped = wanted.into_iter().map(|(pattern, name)| (Zeroizing::new(pattern), name));
        let (patterns, names): (Vec<_>, Vec<_>) = wiped.unzip();
        let automaton = (!patterns.is_empty())
            .then(|| {
                let mut builder = AhoCorasick::builder();
                let bytes = patterns.iter().map(|pattern| pattern.as_bytes());
                builder.match_kind(MatchKind::LeftmostLongest).build(bytes)
            })
            .transpose();
        let automaton = automaton.expect("an app's secrets are far below what an automaton can be");
        Self { automaton, names, patterns }
    }

    /// The text without the values.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(automaton) = &self.automaton else { return Cow::Borrowed(text) };
        let mut hidden = String::new();
        let mut shown = 0;
        for found in automaton.find_iter(text) {
            hidden.push_str(text.get(shown..found.start()).unwrap_or_default());
            let name = self.names.get(found.pattern().as_usize());
            hidden.push_str(name.map_or("[secret]", String::as_str));
            shown = found.end();
        }
        if shown == 0 {
            return Cow::Borrowed(text);
        }
        hidden.push_str(text.get(shown..).unwrap_or_default());
        Cow::Owned(hidden)
    }

    /// Where the end of the text begins that may be the beginning of a value, whose rest is yet to come;
    /// the text's length if there is none.
    pub fn open_end(&self, text: &str) -> usize {
        let longest = self.patterns.iter().map(|pattern| pattern.len()).max().unwrap_or(0);
        let from = text.floor_char_boundary(text.len().saturating_sub(longest.saturating_sub(1)));
        let tails = text.char_indices().map(|(at, _)| at).skip_while(|at| *at < from);
        let begins = |at: &usize| {
            let tail = text.get(*at..).unwrap_or_default();
            self.patterns
                .iter()
                .any(|pattern| pattern.len() > tail.len() && pattern.starts_with(tail))
        };
        tails.into_iter().find(begins).unwrap_or(text.len())
    }
}

/// An app's mask, which changes while its logs are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Masked(Arc<RwLock<Arc<Mask>>>);

impl Masked {
    pub(super) fn now(&self) -> Arc<Mask> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn put_on(&self, mask: Mask) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(mask);
    }
}

/// All that is to be found of a value: its lines, and each as others write it.
fn patterns(value: &str) -> Vec<String> {
    let lines = value.split(['\n', '\r']);
    let mut all = Vec::new();
    for text in std::iter::once(value).chain(lines) {
        if text.len() < SHORTEST {
            continue;
        }
        all.extend([text.to_owned(), json(text)]);
        if text.len() <= LONGEST_ENCODED {
            all.push(percent(text));
            all.extend(base64(text.as_bytes()));
        }
    }
    all.retain(|one| one.len() >= SHORTEST);
    all
}

/// As it stands between the quotes of JSON.
fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned()
}

/// As it stands in a URL: all but what never needs it is escaped (RFC 3986 section 2.3).
fn percent(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
    }
    escaped
}

/// In base64 wherever it stands in what is encoded: in each of the three positions, without the
/// characters that its neighbours have a part in.
fn base64(bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    for before in 0..3 {
        let mut padded = Zeroizing::new(vec![0; before]);
        padded.extend_from_slice(bytes);
        let first = (before * 4).div_ceil(3);
        // Of what does not fill three bytes, the last character has bits of its neighbour.
        let last = padded.len() * 4 / 3;
        for text in [STANDARD_NO_PAD.encode(&*padded), URL_SAFE_NO_PAD.encode(&*padded)] {
            let text = Zeroizing::new(text);
            all.extend(
                text.get(first..last).filter(|it| it.len() >= SHORTEST_ENCODED).map(str::to_owned),
            );
        }
    }
    all
}

/// The shortest value that is masked, in bytes.
pub const SHORTEST: usize = 6;
/// The same in base64, where any six characters are found by chance.
const SHORTEST_ENCODED: usize = 8;
/// The longest that is looked for in URLs and base64, in bytes: what is longer is a document, whose many
/// forms would cost more memory than they protect.
const LONGEST_ENCODED: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(values: &[(&str, &str)]) -> Mask {
        let values: Vec<(EnvKey, SecretValue)> = values
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), SecretValue::new((*value).to_owned())))
            .collect();
        Mask::of(values.iter().map(|(name, value)| (name, value)))
    }

    fn check(values: &[(&str, &str)], text: &str, expected: &str) {
        assert_eq!(mask(values).hide(text), expected, "{text}");
    }

    #[test]
    fn values_are_replaced_by_their_names() {
        let values = [("KEY", "swordfish"), ("LONG", "swordfish-and-chips"), ("PIN", "12345")];
        check(&values, "nothing of it", "nothing of it");
        check(&values, "swordfish", "[KEY]");
        check(&values, "a swordfish, a swordfish-and-chips!", "a [KEY], a [LONG]!");
        check(&values, "swordfishswordfish üswordfishü", "[KEY][KEY] ü[KEY]ü");
        check(&values, "12345 is too short", "12345 is too short");
        check(&[("KEY", "pässwörd")], "ein pässwörd.", "ein [KEY].");
        check(&[], "swordfish", "swordfish");
        assert!(matches!(mask(&[]).hide("x"), Cow::Borrowed(_)));
    }

    #[test]
    fn lines_of_a_value_are_values() {
        let pem = "-----BEGIN KEY-----\nMIIEvQIBADANBg\r\nend\n-----END KEY-----\n";
        let values = [("PEM", pem)];
        check(&values, "got MIIEvQIBADANBg", "got [PEM]");
        check(&values, "end", "end");
        check(
            &values,
            &format!("{{\"key\":{}}}", serde_json::to_string(pem).unwrap()),
            "{\"key\":\"[PEM]\"}",
        );
    }

    #[test]
    fn common_encodings_are_masked_too() {
        let values = [("KEY", "p@ss wörd\"7")];
        check(&values, "https://x/?p=p%40ss%20w%C3%B6rd%227&q", "https://x/?p=[KEY]&q");
        check(&values, r#"{"a":"p@ss wörd\"7"}"#, r#"{"a":"[KEY]"}"#);
        for (before, after) in [("", ""), ("u:", ""), ("us:", "x"), ("usr:", "yz")] {
            let whole = STANDARD_NO_PAD.encode(format!("{before}p@ss wörd\"7{after}"));
            let hidden = mask(&values).hide(&whole).into_owned();
            assert!(hidden.contains("[KEY]"), "{whole} {hidden}");
            assert!(hidden.len() < whole.len(), "{whole} {hidden}");
        }
    }

    #[test]
    fn what_may_be_the_beginning_of_a_value_is_found() {
        let mask = mask(&[("KEY", "swordfish")]);
        for (text, expected) in
            [("", 0), ("plain", 5), ("a swor", 2), ("swordfish", 9), ("ssss", 3), ("üs", 2)]
        {
            assert_eq!(mask.open_end(text), expected, "{text}");
        }
    }
}

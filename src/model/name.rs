//! Names, parsed once at the edge: apps, processes, environment variables and actors.
//!
//! The grammars are strict because names end up in host names, container names, labels and files.
//! Whoever holds one of these types needs no escaping and no second check.

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is not a name: the kind of name, the text, and the rule in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid {kind}: {rule}", shorten(.text))]
pub struct InvalidName {
    /// What it should have been, for example `app name`.
    pub kind: &'static str,
    /// What was given.
    pub text: String,
    /// The rule, in words that tell what to do.
    pub rule: &'static str,
}

/// An app's name: 3 to 40 characters, `^[a-z][a-z0-9-]{1,38}[a-z0-9]$`, thus a DNS label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

impl AppName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let valid = (3..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        accept(valid, text, "app name", APP_RULE).map(Self)
    }
}

/// A process's name, as in a Procfile: 1 to 30 characters, `^[a-z][a-z0-9_-]*$`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProcessName(String);

impl ProcessName {
    /// The process that takes HTTP traffic.
    pub const WEB: &'static str = "web";

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this process takes HTTP traffic.
    pub fn is_web(&self) -> bool {
        self.0 == Self::WEB
    }
}

impl FromStr for ProcessName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let valid = (1..=30).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(inner);
        accept(valid, text, "process name", PROCESS_RULE).map(Self)
    }
}

/// The name of an environment variable: 1 to 128 characters, `^[A-Za-z_][A-Za-z0-9_]*$`, and not
/// one that the platform sets itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvKey(String);

impl EnvKey {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvKey {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let valid = (1..=128).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let text = accept(valid, text, "environment variable", ENV_RULE)?;
        let reserved = text == "PORT" || text.starts_with("PAAS_") || text.starts_with("CNB_");
        accept(!reserved, &text, "environment variable", ENV_RESERVED).map(Self)
    }
}

/// Who did something: the name of a token, or `paas` where the platform acted by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Actor(String);

impl Actor {
    /// The platform itself.
    pub fn platform() -> Self {
        Self("paas".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Actor {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let valid = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"'`\\<>".contains(&b));
        accept(valid, text, "user name", ACTOR_RULE).map(Self)
    }
}

const APP_RULE: &str = "3 to 40 characters: lower-case letters, digits and `-`, starting with a \
                        letter and not ending with `-`";
const PROCESS_RULE: &str =
    "1 to 30 characters: lower-case letters, digits, `-` and `_`, starting with a letter";
const ENV_RULE: &str = "1 to 128 characters: letters, digits and `_`, not starting with a digit";
const ENV_RESERVED: &str =
    "`PORT` and names starting with `PAAS_` or `CNB_` are set by the platform";
const ACTOR_RULE: &str = "1 to 64 visible ASCII characters without quotes";

fn accept(
    valid: bool,
    text: &str,
    kind: &'static str,
    rule: &'static str,
) -> Result<String, InvalidName> {
    if valid { Ok(text.to_owned()) } else { Err(InvalidName { kind, text: text.to_owned(), rule }) }
}

/// Hostile input may be a megabyte of control characters; an error shows a little of it, escaped.
fn shorten(text: &str) -> String {
    let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() { format!("{shown}…") } else { shown }
}

impl TryFrom<String> for AppName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl TryFrom<String> for ProcessName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl TryFrom<String> for EnvKey {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl TryFrom<String> for Actor {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<AppName> for String {
    fn from(name: AppName) -> Self {
        name.0
    }
}

impl From<ProcessName> for String {
    fn from(name: ProcessName) -> Self {
        name.0
    }
}

impl From<EnvKey> for String {
    fn from(name: EnvKey) -> Self {
        name.0
    }
}

impl From<Actor> for String {
    fn from(name: Actor) -> Self {
        name.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for EnvKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for ProcessName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for EnvKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_names_are_dns_labels() {
        for good in ["abc", "a-1", "hello-world", &"a".repeat(40)] {
            assert!(good.parse::<AppName>().is_ok(), "{good}");
        }
        for bad in ["", "a", "ab", "-ab", "ab-", "Abc", "a.b", "a b", "a;b", "ä-b", "1ab", "a\0b"]
        {
            assert!(bad.parse::<AppName>().is_err(), "{bad}");
        }
        assert!("a".repeat(41).parse::<AppName>().is_err());
    }

    #[test]
    fn env_keys_leave_the_platforms_names_alone() {
        for good in ["A", "_x", "DATABASE_URL", "a1"] {
            assert!(good.parse::<EnvKey>().is_ok(), "{good}");
        }
        for bad in ["", "1A", "A-B", "A=B", "A B", "PORT", "PAAS_APP", "CNB_LAYERS_DIR"] {
            assert!(bad.parse::<EnvKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_shows_hostile_input_short_and_escaped() {
        let error = format!("\u{202e}\n{}", "x".repeat(1000)).parse::<AppName>().unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains("\\u{202e}\\n") && shown.len() < 300, "{shown}");
    }
}

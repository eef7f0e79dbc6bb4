//! Names, parsed once at the edge: of apps, processes, environment variables and actors, and the
//! digests that name images and source trees.
//!
//! The grammars are strict because names end up in host names, container names, labels and files.
//! Whoever holds a [`Name`] needs no escaping and no second check.

use std::{borrow::Borrow, fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that a grammar has accepted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<G>(String, PhantomData<G>);

/// What texts are names of one kind.
pub trait Grammar {
    /// What it is called, for example `app name`.
    const KIND: &'static str;

    /// Accepts a text, or says the rule that it breaks, in words that tell what to do.
    fn check(text: &str) -> Result<(), &'static str>;
}

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
pub type AppName = Name<AppGrammar>;

/// A process's name, as in a Procfile: 1 to 30 characters, `^[a-z][a-z0-9_-]*$`.
pub type ProcessName = Name<ProcessGrammar>;

/// The name of a job by the clock: as a process's.
pub type CronName = Name<CronGrammar>;

/// The name of an environment variable: 1 to 128 characters, `^[A-Za-z_][A-Za-z0-9_]*$`, and not
/// one that the platform sets itself.
pub type EnvKey = Name<EnvGrammar>;

/// Who did something: the name of a token, or `paas` where the platform acted by itself.
pub type Actor = Name<ActorGrammar>;

/// Where something is mounted into an instance: `/etc/app/tls.key`.
pub type MountPath = Name<MountGrammar>;

/// `sha256:` and 64 hexadecimal digits: the identity of an image's configuration, as Docker has it.
pub type ImageId = Name<ImageGrammar>;

/// `sha256:` and 64 hexadecimal digits over a source tree: names, modes and contents in order,
/// without times and owners, so that the same files have the same digest wherever they come from.
pub type SourceDigest = Name<SourceGrammar>;

impl<G> Name<G> {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProcessName {
    /// The process that takes HTTP traffic.
    pub const WEB: &'static str = "web";

    /// The process that runs once for each release, before it takes over.
    pub const RELEASE: &'static str = "release";

    /// The process that runs once for each release, when it serves.
    pub const POST_DEPLOY: &'static str = "post_deploy";

    /// Whether this process runs to its end, once for each release, instead of being kept running.
    pub fn runs_once(&self) -> bool {
        self.precedes_release() || self.follows_release()
    }

    /// Whether this process runs before a release takes over.
    pub fn precedes_release(&self) -> bool {
        self.0 == Self::RELEASE
    }

    /// Whether this process runs when a release serves.
    pub fn follows_release(&self) -> bool {
        self.0 == Self::POST_DEPLOY
    }

    /// Whether this process takes HTTP traffic.
    pub fn is_web(&self) -> bool {
        self.0 == Self::WEB
    }
}

impl Actor {
    /// The platform itself.
    pub fn platform() -> Self {
        Self("paas".to_owned(), PhantomData)
    }
}

impl<G: Grammar> FromStr for Name<G> {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::try_from(text.to_owned())
    }
}

impl<G: Grammar> TryFrom<String> for Name<G> {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        match G::check(&text) {
            Ok(()) => Ok(Self(text, PhantomData)),
            Err(rule) => Err(InvalidName { kind: G::KIND, text, rule }),
        }
    }
}

impl<G> From<Name<G>> for String {
    fn from(name: Name<G>) -> Self {
        name.0
    }
}

impl<G> Borrow<str> for Name<G> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<G> fmt::Display for Name<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<G> fmt::Debug for Name<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<G> Serialize for Name<G> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, G: Grammar> Deserialize<'de> for Name<G> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// See [`AppName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AppGrammar {}

impl Grammar for AppGrammar {
    const KIND: &'static str = "app name";

    fn check(text: &str) -> Result<(), &'static str> {
        let valid = (3..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        valid.then_some(()).ok_or(
            "3 to 40 characters: lower-case letters, digits and `-`, starting with a letter and \
             not ending with `-`",
        )
    }
}

/// See [`ProcessName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProcessGrammar {}

impl Grammar for ProcessGrammar {
    const KIND: &'static str = "process name";

    fn check(text: &str) -> Result<(), &'static str> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let valid = (1..=30).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(inner);
        valid.then_some(()).ok_or(
            "1 to 30 characters: lower-case letters, digits, `-` and `_`, starting with a letter",
        )
    }
}

/// See [`CronName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CronGrammar {}

impl Grammar for CronGrammar {
    const KIND: &'static str = "name of a job";

    fn check(text: &str) -> Result<(), &'static str> {
        ProcessGrammar::check(text)
    }
}

/// See [`EnvKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvGrammar {}

impl Grammar for EnvGrammar {
    const KIND: &'static str = "environment variable";

    fn check(text: &str) -> Result<(), &'static str> {
        let valid = (1..=128).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !valid {
            return Err("1 to 128 characters: letters, digits and `_`, not starting with a digit");
        }
        let reserved = text == "PORT" || text.starts_with("PAAS_") || text.starts_with("CNB_");
        (!reserved)
            .then_some(())
            .ok_or("`PORT` and names starting with `PAAS_` or `CNB_` are set by the platform")
    }
}

/// See [`MountPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MountGrammar {}

impl Grammar for MountGrammar {
    const KIND: &'static str = "path in an instance";

    fn check(text: &str) -> Result<(), &'static str> {
        let plain = |step: &str| !matches!(step, "" | "." | "..");
        let steps = text.strip_prefix('/').filter(|_| text.len() <= 255);
        let valid = steps.is_some_and(|steps| steps.split('/').all(plain))
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !valid {
            return Err("an absolute path of at most 255 visible characters, without `..`");
        }
        let first = text.split('/').nth(1).unwrap_or_default();
        (!matches!(first, "proc" | "sys" | "dev" | "cnb" | ".paas"))
            .then_some(())
            .ok_or("`/proc`, `/sys`, `/dev`, `/cnb` and `/.paas` are the platform's")
    }
}

/// See [`Actor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActorGrammar {}

impl Grammar for ActorGrammar {
    const KIND: &'static str = "user name";

    fn check(text: &str) -> Result<(), &'static str> {
        let valid = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"'`\\<>".contains(&b));
        valid.then_some(()).ok_or("1 to 64 visible ASCII characters without quotes")
    }
}

/// See [`ImageId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageGrammar {}

impl Grammar for ImageGrammar {
    const KIND: &'static str = "image id";

    fn check(text: &str) -> Result<(), &'static str> {
        sha256(text)
    }
}

/// See [`SourceDigest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceGrammar {}

impl Grammar for SourceGrammar {
    const KIND: &'static str = "source digest";

    fn check(text: &str) -> Result<(), &'static str> {
        sha256(text)
    }
}

pub(super) fn sha256(text: &str) -> Result<(), &'static str> {
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let digits = text.strip_prefix("sha256:");
    let valid = digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(lower_hex));
    valid.then_some(()).ok_or("`sha256:` and 64 hexadecimal digits in lower case")
}

/// Hostile input may be a megabyte of control characters; an error shows a little of it, escaped.
fn shorten(text: &str) -> String {
    let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() { format!("{shown}…") } else { shown }
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
    fn paths_in_an_instance() {
        for good in ["/a", "/etc/app/tls.key", "/workspace/.env"] {
            assert!(good.parse::<MountPath>().is_ok(), "{good}");
        }
        for bad in ["", "/", "etc", "/a/", "/a//b", "/a/../b", "/a b", "/proc/x", "/.paas/enter"] {
            assert!(bad.parse::<MountPath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_shows_hostile_input_short_and_escaped() {
        let error = format!("\u{202e}\n{}", "x".repeat(1000)).parse::<AppName>().unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains("\\u{202e}\\n") && shown.len() < 300, "{shown}");
    }
}

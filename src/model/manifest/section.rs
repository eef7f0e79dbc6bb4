//! A section of a manifest: one table in `paas.toml`, or two of the same name where an environment
//! has a file of its own.
//!
//! What the environment says counts before what `paas.toml` says, key by key; a list is one value.
//! Invariant: after [`Section::finish`] every key of every file was asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    str::FromStr,
};

use super::{
    Config, EnvKey, ManifestError, MountPath,
    layer::{Document, Layer, Place, Value},
};
use crate::model::{InvalidName, node::Labels};

/// A section that is being read.
pub(super) struct Section<'a> {
    /// Its name in errors; empty at the top.
    name: String,
    /// What counts most first.
    layers: Vec<Layer<'a>>,
    asked: BTreeSet<&'static str>,
    /// Keys that exclude one another: the first file that has one of them has the only word.
    exclusive: &'static [&'static str],
}

impl<'a> Section<'a> {
    /// The top of the documents, of which the first counts most.
    pub(super) fn top(documents: &'a [Document<'a>]) -> Self {
        let layer = |document: &'a Document<'a>| Layer {
            place: Place { file: document.file, span: 0..0 },
            table: document.table.get_ref(),
        };
        Self::new(String::new(), documents.iter().map(layer).collect())
    }

    fn new(name: String, layers: Vec<Layer<'a>>) -> Self {
        Self { name, layers, asked: BTreeSet::new(), exclusive: &[] }
    }

    /// A section in this one.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Option<Self>, ManifestError> {
        self.asked.insert(key);
        self.inner(key)
    }

    fn inner(&self, key: &str) -> Result<Option<Self>, ManifestError> {
        let name =
            if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) };
        let layer = |value: Value<'a>| match value.get().as_table() {
            Some(table) => Ok(Layer { place: value.place(), table }),
            None => {
                let hint = format!("write it as a section: `[{name}]`");
                Err(value.fault(format!("`{name}` is not a section")).hint(hint))
            }
        };
        let layers = self.layers.iter().filter_map(|it| it.get(key)).map(layer);
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        Ok(if layers.is_empty() { None } else { Some(Self::new(name, layers)) })
    }

    /// All sections in this one, whose names have a grammar.
    pub(super) fn named_sections<N>(&self) -> Result<Vec<(N, Self)>, ManifestError>
    where
        N: FromStr<Err: Display> + Ord,
    {
        let mut sections = BTreeMap::new();
        for (key, value) in self.entries().filter(|(key, _)| !is_own(key)) {
            let name = key.parse::<N>();
            let name = name.map_err(|error: N::Err| value.key().fault(error.to_string()))?;
            if let Some(section) = self.inner(key)? {
                sections.insert(name, section);
            }
        }
        Ok(sections.into_iter().collect())
    }

    /// All keys as environment variables.
    pub(super) fn environment(&self) -> Result<Config, ManifestError> {
        let read = self.entries().map(|(key, value)| {
            let name = key.parse();
            let name = name.map_err(|error: InvalidName| value.key().fault(error.to_string()))?;
            let Some(text) = value.get().as_str() else {
                let hint = "put the value in double quotes".to_owned();
                return Err(value.fault(format!("the value of `{key}` is not text")).hint(hint));
            };
            if text.contains('\0') {
                return Err(value.fault(format!("the value of `{key}` has a NUL byte")));
            }
            Ok((name, text.to_owned()))
        });
        read.collect()
    }

    /// All keys as files of an instance, each made of the variable that its value names.
    pub(super) fn files(&self) -> Result<BTreeMap<MountPath, EnvKey>, ManifestError> {
        self.pairs(|key| format!("write `{key:?} = \"NAME\"`, NAME being a variable or a secret"))
    }

    /// All keys as labels that a machine must have.
    pub(super) fn labels(&self) -> Result<Labels, ManifestError> {
        self.pairs(|key| format!("write `{key} = \"VALUE\"`, as `paas nodes` shows it"))
    }

    /// All keys and their texts, both of which have a grammar; `hint` says how one is written.
    fn pairs<K, V>(&self, hint: impl Fn(&str) -> String) -> Result<BTreeMap<K, V>, ManifestError>
    where
        K: FromStr<Err = InvalidName> + Ord,
        V: FromStr<Err = InvalidName>,
    {
        let read = self.entries().map(|(key, value)| {
            let name =
                key.parse().map_err(|error: InvalidName| value.key().fault(error.to_string()))?;
            let Some(text) = value.get().as_str() else {
                let what = format!("the value of `{key}` is not text");
                return Err(value.fault(what).hint(hint(key)));
            };
            let text = text.parse().map_err(|error: InvalidName| value.fault(error.to_string()))?;
            Ok((name, text))
        });
        read.collect()
    }

    /// All entries, what counts most last.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.layers.iter().rev().flat_map(|layer| {
            let table: &'a _ = layer.table;
            let keys = table.keys().map(|key| key.get_ref().as_ref());
            keys.filter_map(|key: &'a str| Some((key, layer.get(key)?)))
        })
    }

    /// Says that of these keys the first file that has one decides, so that an environment can
    /// want another of them than `paas.toml`.
    pub(super) fn exclusive(&mut self, keys: &'static [&'static str]) {
        self.exclusive = keys;
    }

    /// The value of a key.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.asked.insert(key);
        self.value(key)
    }

    fn value(&self, key: &str) -> Option<Value<'a>> {
        let has =
            |layer: &&Layer<'a>| self.exclusive.iter().any(|it| layer.table.contains_key(*it));
        if self.exclusive.contains(&key) {
            return self.layers.iter().find(has)?.get(key);
        }
        self.layers.iter().find_map(|layer| layer.get(key))
    }

    /// Refuses what was never asked for.
    pub(super) fn finish(self) -> Result<(), ManifestError> {
        for (name, value) in self.entries() {
            if self.asked.contains(name) || is_own(name) {
                continue;
            }
            let place =
                if self.name.is_empty() { String::new() } else { format!(" in [{}]", self.name) };
            let fault = format!("unknown key `{}`{place}", name.escape_debug());
            let near = |known: &&&str| strsim::jaro_winkler(known, name) > 0.8;
            let by_nearness = |a: &&&str, b: &&&str| {
                strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name))
            };
            let known: Vec<_> = self.asked.iter().copied().collect();
            // What other platforms call it is near in meaning only.
            let meant = |key: &&&str| self.name.is_empty() && name == "name" && **key == "app";
            let nearest = known.iter().find(meant);
            let nearest = nearest.or_else(|| known.iter().filter(near).max_by(by_nearness));
            let suggestion = nearest.map(|known| format!("did you mean `{known}`?"));
            let all = || format!("known here: {}", known.join(", "));
            return Err(value.key().fault(fault).hint(suggestion.unwrap_or_else(all)));
        }
        Ok(())
    }

    /// A fault of the section as a whole.
    pub(super) fn fault(&self, fault: String) -> ManifestError {
        self.place().fault(fault)
    }

    /// A fault of one key.
    pub(super) fn wrong_at(&self, key: &str, fault: &str) -> ManifestError {
        let place = self.value(key).map_or_else(|| self.place(), |value| value.place());
        place.fault(fault.to_owned())
    }

    fn place(&self) -> Place<'a> {
        let nowhere =
            || Place { file: super::ManifestFile { name: super::FILE, text: "" }, span: 0..0 };
        self.layers.first().map_or_else(nowhere, |layer| layer.place.clone())
    }
}

/// Keys that are the user's own.
fn is_own(key: &str) -> bool {
    key.starts_with("x-")
}

//! What the manifests of other platforms say of an app: `fly.toml` and `app.json`, read where
//! `paas.toml` is silent, so that whoever moves in has nothing to write.
//!
//! They were written for another server. So nothing of them is ever an error: what means the same
//! here is taken, what does not is named, and a file that cannot be read is left alone.

mod app_json;
mod fly;

use serde_json::{Map, Value};

use super::{
    Manifest, ManifestProcess,
    read::{duration, is_http_path},
};
use crate::model::{Config, EnvKey, ProcessName, release::MAX_CONFIG_BYTES};

/// Those that are read, what counts most first.
pub const FILES: [&str; 2] = ["fly.toml", "app.json"];

/// What one of them says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// In our words; its processes stand among [`Manifest::suggested`].
    pub manifest: Manifest,
    /// What was taken, for people.
    pub taken: Vec<String>,
    /// What has no meaning here, or none yet.
    pub left: Vec<String>,
}

impl Foreign {
    /// Reads one of [`FILES`]; `None` if it is not what its name says.
    pub fn read(name: &str, text: &str) -> Option<Self> {
        let mut foreign = Self::default();
        match name {
            "fly.toml" => fly::read(&toml::from_str(text).ok()?, &mut foreign),
            "app.json" => app_json::read(&serde_json::from_str(text).ok()?, &mut foreign),
            _ => return None,
        }
        Some(foreign)
    }

    fn process(&mut self, name: &str) -> Option<&mut ManifestProcess> {
        let name: ProcessName = name.parse().ok()?;
        Some(self.manifest.suggested.entry(name).or_default())
    }

    /// Keeps a value, and says so; what our own grammar refuses is left.
    fn take<T>(&mut self, what: &str, value: Option<T>, keep: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => {
                keep(self, value);
                self.taken.push(what.to_owned());
            }
            None => self.left.push(what.to_owned()),
        }
    }

    /// Leaves those variables that would be, with those of nearer files, more than an app may have.
    pub(super) fn bound(&mut self, nearer: &Config) {
        let size = |key: &EnvKey, value: &String| key.as_str().len() + value.len();
        let mut bytes: usize = nearer.iter().map(|(key, value)| size(key, value)).sum();
        let mut over = Vec::new();
        self.manifest.env.retain(|key, value| {
            if nearer.contains_key(key) {
                return true;
            }
            let with = bytes + size(key, value);
            let fits = with <= MAX_CONFIG_BYTES;
            if fits {
                bytes = with;
            } else {
                over.push(format!("env {key}"));
            }
            fits
        });
        self.taken.retain(|what| !over.contains(what));
        let why = format!("the variables are larger than {MAX_CONFIG_BYTES} bytes");
        self.left.extend(over.into_iter().map(|what| format!("{what} ({why})")));
    }

    /// Takes what is plain text or a number as environment.
    fn environment<'a>(&mut self, values: impl Iterator<Item = (&'a String, Option<String>)>) {
        for (key, value) in values {
            let entry = key.parse().ok().zip(value.filter(|value| !value.contains('\0')));
            let what = format!("env {key}");
            self.take(&what, entry, |it, (key, value)| {
                it.manifest.env.insert(key, value);
            });
        }
    }
}

/// A text, or a number or truth value as its text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A duration: `"30s"`, or a number of seconds.
fn time(value: &Value) -> Option<std::time::Duration> {
    match value {
        Value::Number(number) => duration(&format!("{}s", number.as_u64()?)),
        Value::String(text) => duration(text).or_else(|| duration(&format!("{text}s"))),
        _ => None,
    }
}

/// An HTTP path.
fn path(value: &Value) -> Option<String> {
    value.as_str().filter(|text| is_http_path(text)).map(str::to_owned)
}

/// A table, or the first of a list of them: both spellings are in use.
fn first_table(value: Option<&Value>) -> Option<&Map<String, Value>> {
    match value? {
        Value::Object(table) => Some(table),
        Value::Array(list) => list.first()?.as_object(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

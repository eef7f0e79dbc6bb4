//! The environment of a process as the contract builds it up: layer by layer, file by file.
//!
//! Shared by the build and the launcher, which differ only in which folders they apply. Values are
//! bytes: a file's content is the value, without trimming and without a shell. The delimiter of
//! a list stands between two values whenever there was one before, as in the reference.

mod files;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

pub use files::{Unsuffixed, apply_dir, sorted_entries};

/// Variables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    vars: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// The environment that we were started with.
    pub fn inherited() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of `name`, empty if unset: the contract does not tell the two apart.
    pub fn value(&self, name: impl AsRef<OsStr>) -> &OsStr {
        self.vars.get(name.as_ref()).map_or(OsStr::new(""), OsString::as_os_str)
    }

    /// Whether a variable is set, be it to nothing.
    pub fn holds(&self, name: &str) -> bool {
        self.vars.contains_key(OsStr::new(name))
    }

    /// Sets or replaces a variable.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.vars.insert(name.into(), value.into());
    }

    /// Removes a variable.
    pub fn remove(&mut self, name: &str) {
        self.vars.remove(OsStr::new(name));
    }

    /// Puts `value` before what the variable holds, with `delimiter` between the two.
    pub fn prepend(&mut self, name: &OsStr, value: &OsStr, delimiter: &OsStr) {
        let mut joined = value.to_owned();
        let present = self.value(name);
        if !present.is_empty() {
            joined.push(delimiter);
            joined.push(present);
        }
        self.set(name, joined);
    }

    /// Puts `value` after what the variable holds, with `delimiter` between the two.
    pub fn append(&mut self, name: &OsStr, value: &OsStr, delimiter: &OsStr) {
        let mut joined = self.value(name).to_owned();
        if !joined.is_empty() {
            joined.push(delimiter);
        }
        joined.push(value);
        self.set(name, joined);
    }

    /// Adds a folder at the front of a `:`-separated variable, if the folder exists.
    pub fn prepend_folder(&mut self, name: &str, folder: &Path) {
        if folder.is_dir() {
            self.prepend(OsStr::new(name), folder.as_os_str(), OsStr::new(":"));
        }
    }

    /// Gives `command` exactly this environment.
    pub fn apply_to(&self, command: &mut Command) {
        command.env_clear().envs(&self.vars);
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(vars: T) -> Self {
        Self { vars: vars.into_iter().collect() }
    }
}

//! The environment of a process as the contract builds it up: layer by layer, file by file.
//!
//! Shared by the build and the launcher, which differ only in which folders they apply. Values are
//! bytes: a file's content is the value, without trimming and without a shell.

mod files;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

pub(crate) use files::{Unsuffixed, apply_dir, sorted_entries};

/// Variables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    vars: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// The environment that we were started with.
    pub(crate) fn inherited() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of `name`, empty if unset: the contract does not tell the two apart.
    pub(crate) fn value(&self, name: impl AsRef<OsStr>) -> &OsStr {
        self.vars.get(name.as_ref()).map_or(OsStr::new(""), OsString::as_os_str)
    }

    /// Sets or replaces a variable.
    pub(crate) fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.vars.insert(name.into(), value.into());
    }

    /// Removes a variable.
    pub(crate) fn remove(&mut self, name: &str) {
        self.vars.remove(OsStr::new(name));
    }

    /// Puts `value` before what the variable holds, with `delimiter` between the two.
    pub(crate) fn prepend(&mut self, name: &OsStr, value: &OsStr, delimiter: &OsStr) {
        let joined = join(value, self.value(name), delimiter);
        self.set(name, joined);
    }

    /// Puts `value` after what the variable holds, with `delimiter` between the two.
    pub(crate) fn append(&mut self, name: &OsStr, value: &OsStr, delimiter: &OsStr) {
        let joined = join(self.value(name), value, delimiter);
        self.set(name, joined);
    }

    /// Adds a folder at the front of a `:`-separated variable, if the folder exists.
    pub(crate) fn prepend_folder(&mut self, name: &str, folder: &Path) {
        if folder.is_dir() {
            self.prepend(OsStr::new(name), folder.as_os_str(), OsStr::new(":"));
        }
    }

    /// Gives `command` exactly this environment.
    pub(crate) fn apply_to(&self, command: &mut Command) {
        command.env_clear().envs(&self.vars);
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(vars: T) -> Self {
        Self { vars: vars.into_iter().collect() }
    }
}

fn join(first: &OsStr, second: &OsStr, delimiter: &OsStr) -> OsString {
    let mut joined = first.to_owned();
    if !first.is_empty() && !second.is_empty() {
        joined.push(delimiter);
    }
    joined.push(second);
    joined
}

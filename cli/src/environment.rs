//! What the process was given besides its arguments, read once.
//!
//! Nothing else in this crate reads an environment variable, so that a test can stand in any
//! folder with any environment.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Where the daemon keeps its data unless told otherwise.
pub(crate) const DATA: &str = "/var/lib/paas";

/// The folder, the variables and the terminal that a command runs in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The user's folder.
    pub(crate) home: Option<PathBuf>,
    /// The user's folder for configuration.
    pub(crate) config: Option<PathBuf>,
    /// The user's folder for what can be made anew.
    pub(crate) cache: Option<PathBuf>,
    /// Where a daemon on this machine keeps its data.
    pub(crate) data: PathBuf,
    /// `PAAS_APP`.
    pub(crate) app: Option<String>,
    /// `PAAS_ENV`.
    pub(crate) env: Option<String>,
    /// `PAAS_CONTEXT`.
    pub(crate) context: Option<String>,
    /// `PAAS_URL`.
    pub(crate) url: Option<String>,
    /// `PAAS_TOKEN`.
    pub(crate) token: Option<String>,
    /// `PAAS_FINGERPRINT`.
    pub(crate) fingerprint: Option<String>,
    /// What kind of terminal this is (`TERM`).
    pub(crate) terminal: Option<String>,
    /// `GIT_SSL_CAINFO`, which git believes before any configuration.
    pub(crate) git_authority: Option<String>,
    /// Whether there is a screen that a browser could open on.
    pub(crate) display: bool,
    /// `RUST_BACKTRACE`, whatever it is set to.
    pub(crate) backtrace: bool,
    /// `NO_COLOR`, whatever it is set to.
    pub(crate) no_color: bool,
}

impl Environment {
    /// Reads the process's own.
    pub(crate) fn read() -> Self {
        let config = given("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| given("HOME").map(|home| PathBuf::from(home).join(".config")));
        let cache = given("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| given("HOME").map(|home| PathBuf::from(home).join(".cache")));
        Self {
            folder: env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            home: given("HOME").map(PathBuf::from),
            config,
            cache,
            // A relative path is relative to here; a folder that is gone leaves it as it is.
            data: given("PAAS_DATA").map_or_else(
                || PathBuf::from(DATA),
                |data| std::path::absolute(&data).unwrap_or_else(|_| PathBuf::from(data)),
            ),
            app: text("PAAS_APP"),
            env: text("PAAS_ENV"),
            context: text("PAAS_CONTEXT"),
            url: text("PAAS_URL"),
            token: text("PAAS_TOKEN"),
            fingerprint: text("PAAS_FINGERPRINT"),
            terminal: text("TERM"),
            git_authority: text("GIT_SSL_CAINFO"),
            display: given("DISPLAY").or_else(|| given("WAYLAND_DISPLAY")).is_some(),
            backtrace: given("RUST_BACKTRACE").is_some(),
            no_color: given("NO_COLOR").is_some(),
        }
    }

    /// Where a path that was typed leads; `.` is no part of it.
    pub(crate) fn at(&self, path: &Path) -> PathBuf {
        self.folder.join(path).components().collect()
    }
}

/// A variable that is set to nothing counts as not set.
fn given(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &str) -> Option<String> {
    given(name).map(|value| value.to_string_lossy().into_owned())
}

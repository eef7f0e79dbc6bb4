//! The servers that this user has logged in to: `~/.config/paas/contexts.toml`.
//!
//! It holds tokens, so it is the user's alone (0600), and it is replaced, never half written.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Token;
use crate::{environment::Environment, failure::Failure};

/// All servers, and which is meant when nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contexts {
    version: u32,
    /// The one that is meant when nothing else is said.
    pub(crate) current: Option<String>,
    /// By name.
    #[serde(default, rename = "contexts")]
    pub(crate) known: BTreeMap<String, Context>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Context {
    /// Its address.
    pub(crate) url: String,
    /// What proves who asks; a socket file needs none.
    pub(crate) token: Option<Token>,
    /// SHA-256 of its certificate authority.
    pub(crate) fingerprint: Option<String>,
}

impl Default for Contexts {
    fn default() -> Self {
        Self { version: VERSION, current: None, known: BTreeMap::new() }
    }
}

const VERSION: u32 = 1;

impl Contexts {
    /// Reads the user's; there are none where there is no file.
    pub(crate) fn load(environment: &Environment) -> Result<Self, Failure> {
        let Some(file) = file(environment) else { return Ok(Self::default()) };
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unusable(&file, error)),
        };
        let contexts: Self =
            toml::from_str(&text).map_err(|fault| unusable(&file, fault.message()))?;
        if contexts.version > VERSION {
            return Err(unusable(&file, "a newer paas wrote it"));
        }
        Ok(contexts)
    }

    /// Replaces the user's file.
    pub(crate) fn save(&self, environment: &Environment) -> Result<PathBuf, Failure> {
        let file = file(environment).ok_or_else(|| {
            Failure::local("there is nowhere to keep the login")
                .because("neither HOME nor XDG_CONFIG_HOME is set")
                .hint("use PAAS_URL and PAAS_TOKEN instead")
        })?;
        let failed = |error: io::Error| {
            Failure::local(format!("cannot write {}", file.display())).because(error)
        };
        let text = toml::to_string(self).map_err(|fault| failed(io::Error::other(fault)))?;
        replace(&file, text.as_bytes()).map_err(failed)?;
        Ok(file)
    }
}

fn file(environment: &Environment) -> Option<PathBuf> {
    environment.config.as_ref().map(|folder| folder.join("paas/contexts.toml"))
}

fn unusable(file: &Path, why: impl ToString) -> Failure {
    Failure::local(format!("cannot read {}", file.display()))
        .because(why)
        .hint("move the file away and run `paas login URL` again")
}

/// Write, fsync, rename. A temporary file is made with mode 0600 from its first moment.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(content)?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|fault| fault.error)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_is_the_users_alone() {
        let home = tempfile::tempdir().unwrap();
        let environment =
            Environment { config: Some(home.path().join(".config")), ..Environment::default() };
        assert_eq!(Contexts::load(&environment).unwrap(), Contexts::default());
        let context =
            Context { url: "unix:/x".to_owned(), token: Token::new("secret"), fingerprint: None };
        let contexts = Contexts {
            current: Some("here".to_owned()),
            known: BTreeMap::from([("here".to_owned(), context)]),
            ..Contexts::default()
        };
        let file = contexts.save(&environment).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Contexts::load(&environment).unwrap(), contexts);
        fs::write(&file, "version = \"one\"").unwrap();
        assert!(Contexts::load(&environment).is_err());
    }
}

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

use super::{Address, Token};
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
    /// Where else to ask if it is not reached: the other machines that keep its records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) others: Vec<String>,
}

impl Context {
    /// Has those of these addresses be the others that are not its own; says whether that is new. Only a server
    /// that is asked over TLS has others, since only there they prove that they are of the same installation.
    pub(crate) fn learn(&mut self, controls: &[String]) -> bool {
        let over_tls = |url: &String| matches!(url.parse(), Ok(Address::Https(_)));
        let is_other = |url: &&String| over_tls(&self.url) && over_tls(url) && **url != self.url;
        let others: Vec<String> = controls.iter().filter(is_other).cloned().collect();
        let is_new = others != self.others;
        self.others = others;
        is_new
    }
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
        let context = Context {
            url: "unix:/x".to_owned(),
            token: Token::new("secret"),
            fingerprint: None,
            others: vec![],
        };
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

    #[test]
    fn a_context_of_before_there_were_others_is_read_and_written_as_it_was() {
        let text = "version = 1\n\n[contexts.box]\nurl = \"https://box:8443\"\n";
        let mut contexts: Contexts = toml::from_str(text).unwrap();
        assert_eq!(toml::to_string(&contexts).unwrap(), text);
        contexts.known.get_mut("box").unwrap().learn(&["https://10.0.0.2:8443".to_owned()]);
        let text = toml::to_string(&contexts).unwrap();
        assert!(text.ends_with("others = [\"https://10.0.0.2:8443\"]\n"), "{text}");
        assert_eq!(toml::from_str::<Contexts>(&text).unwrap(), contexts);
    }

    #[test]
    fn others_are_those_that_prove_who_they_are() {
        let learn = |url: &str| {
            let (url, others) = (url.to_owned(), vec!["https://10.0.0.9:8443".to_owned()]);
            let mut context = Context { url, token: None, fingerprint: None, others };
            let told = [
                "https://10.0.0.1:8443",
                "https://10.0.0.2:8443",
                "http://127.0.0.1:1",
                "unix:/x",
                "",
            ];
            context.learn(&told.map(str::to_owned));
            context.others.join(" ")
        };
        assert_eq!(learn("https://10.0.0.1:8443"), "https://10.0.0.2:8443");
        assert_eq!(learn("https://box:8443"), "https://10.0.0.1:8443 https://10.0.0.2:8443");
        assert_eq!(learn("http://127.0.0.1:7000"), "");
    }
}

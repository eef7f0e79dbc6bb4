//! What a node has from its joining: who it is, whom it believes, and where the control is.
//!
//! Four files in the folder `node`. Invariant: `identity.json` is written last; without it the others are
//! of a joining that was cut short, and count for nothing.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    daemon::{folders::Folders, init::write_secret},
    model::{NodeName, TokenId},
    node::link,
};

/// A node's identity, with its key.
#[derive(Debug, Clone)]
pub struct Joined {
    /// What is in `identity.json`.
    pub identity: Identity,
    /// The certificate of the node authority, in PEM.
    pub authority: String,
    /// Its own certificate, in PEM.
    pub chain: String,
    /// Its private key, in PEM.
    pub key: Zeroizing<String>,
}

/// Who a node is. It is stored: fields are only added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What it is called.
    pub name: NodeName,
    /// The machine that controls.
    pub control: Control,
    /// Where its link listens.
    pub listen: SocketAddr,
    /// Where others reach that.
    pub address: SocketAddr,
    /// The token that it joined by.
    pub token: TokenId,
    /// Whether nobody said where that is, and it is where the machine is found on its way to the control.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen: bool,
}

/// The machine that controls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// What it is called.
    pub name: NodeName,
    /// Where its link is, the likeliest first.
    pub addresses: Vec<SocketAddr>,
}

/// A file of it cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the node's {} cannot be used", path.display())]
pub struct JoinedError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Joined {
    /// Reads it; `None` if this folder has not joined anything.
    pub fn read(folders: &Folders) -> Result<Option<Self>, JoinedError> {
        let Some(identity) = Identity::read(folders)? else { return Ok(None) };
        let text = |name: &str| {
            let path = folders.node().join(name);
            fs::read_to_string(&path).map_err(failed(&path))
        };
        let key = Zeroizing::new(text(KEY)?);
        Ok(Some(Self { identity, authority: text(AUTHORITY)?, chain: text(CHAIN)?, key }))
    }

    /// What it shows on links.
    pub(super) fn shown(&self) -> Result<link::Identity, link::IdentityError> {
        link::Identity::from_pem(
            self.identity.name.clone(),
            &self.authority,
            &self.chain,
            &self.key,
        )
    }

    /// Writes its chain, which has become another.
    pub(super) fn keep_chain(&self, folders: &Folders) -> Result<(), JoinedError> {
        let path = folders.node().join(CHAIN);
        write_secret(&path, self.chain.as_bytes()).map_err(failed(&path))
    }

    /// Writes it; the key is there already.
    pub(super) fn keep(
        folders: &Folders,
        identity: &Identity,
        authority: &str,
        chain: &str,
    ) -> Result<(), JoinedError> {
        let write = |name: &str, contents: &[u8]| {
            let path = folders.node().join(name);
            write_secret(&path, contents).map_err(failed(&path))
        };
        write(AUTHORITY, authority.as_bytes())?;
        write(CHAIN, chain.as_bytes())?;
        let json = serde_json::to_vec_pretty(identity).expect("it is names and addresses");
        write(IDENTITY, &json)
    }
}

impl Identity {
    /// Reads it; `None` if this folder has not joined anything.
    pub fn read(folders: &Folders) -> Result<Option<Self>, JoinedError> {
        let path = folders.node().join(IDENTITY);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&path)(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| failed(&path)(error.into()))
    }
}

/// The machine's private key, in PEM; made by `make` if it is not there.
pub(super) fn key<E>(
    folders: &Folders,
    make: impl FnOnce() -> Result<Zeroizing<String>, E>,
) -> Result<Zeroizing<String>, E>
where
    E: From<JoinedError>,
{
    let path = folders.node().join(KEY);
    if !path.exists() {
        write_secret(&path, make()?.as_bytes()).map_err(failed(&path))?;
    }
    Ok(Zeroizing::new(fs::read_to_string(&path).map_err(failed(&path))?))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> JoinedError + use<> {
    let path = path.to_owned();
    move |source| JoinedError { path: path.clone(), source }
}

const KEY: &str = "key.pem";
const AUTHORITY: &str = "authority.pem";
const CHAIN: &str = "chain.pem";
const IDENTITY: &str = "identity.json";

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = r#"{
  "name": "edge-1",
  "control": {
    "name": "box",
    "addresses": [
      "203.0.113.7:7600",
      "[2001:db8::7]:7600"
    ]
  },
  "listen": "0.0.0.0:7600",
  "address": "203.0.113.9:7600",
  "token": "0011aabb"
}"#;

    #[test]
    fn what_was_cut_short_counts_for_nothing_and_what_is_whole_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::of(folder.path());
        assert!(Joined::read(&folders).unwrap().is_none());
        folders.make_node().unwrap();
        let made = || Ok::<_, JoinedError>(Zeroizing::new("a key".to_owned()));
        assert_eq!(key(&folders, made).unwrap().as_str(), "a key");
        let again = key(&folders, || Ok::<_, JoinedError>(Zeroizing::new("another".to_owned())));
        assert_eq!(again.unwrap().as_str(), "a key");
        assert!(Joined::read(&folders).unwrap().is_none());

        let identity: Identity = serde_json::from_str(GOLDEN).unwrap();
        Joined::keep(&folders, &identity, "an authority", "a chain").unwrap();
        let joined = Joined::read(&folders).unwrap().unwrap();
        assert_eq!(joined.identity, identity);
        assert_eq!((joined.authority.as_str(), joined.chain.as_str()), ("an authority", "a chain"));
        let file = folders.node().join(IDENTITY);
        assert_eq!(fs::read_to_string(&file).unwrap(), GOLDEN);
        for name in [KEY, AUTHORITY, CHAIN, IDENTITY] {
            use std::os::unix::fs::PermissionsExt;
            let found = fs::metadata(folders.node().join(name)).unwrap().permissions();
            assert_eq!(found.mode() & 0o777, 0o600, "{name}");
        }

        fs::write(&file, "{}").unwrap();
        let said = crate::telemetry::chain(&Joined::read(&folders).unwrap_err());
        assert!(said.contains("identity.json cannot be used"), "{said}");
    }
}

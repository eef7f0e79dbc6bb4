//! `paas node join`: a machine becomes a node, once, before its daemon starts for the first time.
//!
//! It can be cut short anywhere and run again: the key that it made stays, and the control answers the same
//! machine the same.

use std::{fs, io, net::SocketAddr, path::PathBuf};

use cli::NotJoined;

use crate::{
    daemon::{
        folders::Folders,
        init,
        joined::{self, Control, Identity, Joined, JoinedError},
    },
    model::{InvalidName, InvalidWord, JoinWord, NodeName},
    node::addresses,
    pki::{self, MadeError, NodeRequest},
    store::{DataDirLock, LockError},
    telemetry::chain,
};

/// What was asked for, as text.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The token.
    pub token: String,
    /// The data folder.
    pub data: PathBuf,
    /// What the machine is to be called.
    pub name: Option<String>,
    /// What its kernel calls it.
    pub host_name: String,
    /// Where its link is to listen.
    pub listen: String,
    /// Where others reach that.
    pub address: Option<String>,
    /// Where to write a systemd unit, and which binary it starts.
    pub unit: Option<(PathBuf, PathBuf)>,
}

/// Why the machine did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The token is none.
    #[error("that is no join token")]
    Word(#[from] InvalidWord),
    /// The name that was given, or that the machine has.
    #[error("this machine cannot have that name")]
    Name(#[from] InvalidName),
    /// An option that is no address.
    #[error("`{text}` is no address that {option} can have")]
    Address {
        /// Which.
        option: &'static str,
        /// What was given.
        text: String,
    },
    /// Nothing leads from here to the control.
    #[error("it is not to be seen from here where other machines reach this one")]
    Unreached,
    /// A control's folder.
    #[error("{} is the data folder of a server of its own", .0.display())]
    Control(PathBuf),
    /// It has joined.
    #[error("{} has joined already: as {name}, of the control {control}", data.display())]
    Already {
        /// The folder.
        data: PathBuf,
        /// As what.
        name: NodeName,
        /// Whose.
        control: NodeName,
    },
    /// A file cannot be written.
    #[error("{} cannot be written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the identity.
    #[error(transparent)]
    Identity(#[from] JoinedError),
    /// A daemon runs on it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// No key, or no request.
    #[error(transparent)]
    Made(#[from] MadeError),
    /// The control refused, or was not found.
    #[error("{}", .0.why)]
    Refused(NotJoined),
    /// The control answered with something else.
    #[error("the control's answer is not understood")]
    Answer,
}

impl JoinError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Word(InvalidWord::Newer) => Some(
                "install the control's version of paas here; `paas --version` says it".to_owned(),
            ),
            Self::Word(_) => Some(
                "`paas nodes token` on the control prints the whole command, with one long word"
                    .to_owned(),
            ),
            Self::Name(_) => Some("choose one with `--name NAME`".to_owned()),
            Self::Address { option, .. } => {
                Some(format!("write it like `{option} 203.0.113.7:7600`"))
            }
            Self::Unreached => Some("say so with `--address 203.0.113.7:7600`".to_owned()),
            Self::Control(_) => Some("join with another folder: `--data DIR`".to_owned()),
            Self::Already { data, name, .. } => {
                let folders = Folders::of(data);
                let records = [folders.quorum(), folders.store(), folders.keys()];
                let kept = records.into_iter().filter(|_| folders.quorum().exists());
                let all = std::iter::once(folders.node()).chain(kept);
                let all: Vec<_> = all.map(|folder| folder.display().to_string()).collect();
                Some(format!(
                    "to join anew: `paas nodes remove {name} --confirm {name}` on the control, then `rm -r \
                     {}` here",
                    all.join(" ")
                ))
            }
            Self::File { path, .. } => {
                Some(format!("paas node join needs root; see `ls -ld {}`", path.display()))
            }
            Self::Locked(error) => error.hint(),
            Self::Refused(error) => error.hint.clone(),
            Self::Identity(_) | Self::Made(_) => None,
            Self::Answer => {
                Some("compare `paas --version` of both machines, and install the same".to_owned())
            }
        }
    }
}

/// An error with its causes and its hint, as the terminal shows it.
pub fn explain(error: &JoinError) -> String {
    let hint = error.hint().map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    format!("error: {}{hint}", chain(error))
}

/// Makes this machine a node, or finds that it is one by this very token.
pub async fn join(wish: &Wish) -> Result<Identity, JoinError> {
    let word: JoinWord = wish.token.parse()?;
    let folders = Folders::of(&wish.data);
    let identity = match Identity::read(&folders)? {
        Some(identity) => same(wish, &word, identity)?,
        None => introduce(wish, &word, &folders).await?,
    };
    if let Some((path, binary)) = &wish.unit {
        let written = fs::write(path, init::unit(binary, &wish.data));
        written.map_err(|source| JoinError::File { path: path.clone(), source })?;
    }
    Ok(identity)
}

/// What is there, if it is what is asked for.
fn same(wish: &Wish, word: &JoinWord, identity: Identity) -> Result<Identity, JoinError> {
    let as_asked = word.id == identity.token
        && wish.name.as_ref().is_none_or(|name| name == identity.name.as_str())
        && wish.listen.parse() == Ok(identity.listen)
        && wish.address.as_ref().is_none_or(|text| text.parse() == Ok(identity.address));
    if as_asked {
        return Ok(identity);
    }
    let (name, control) = (identity.name, identity.control.name);
    Err(JoinError::Already { data: wish.data.clone(), name, control })
}

/// Makes a key, has the control sign it, and writes everything down.
async fn introduce(wish: &Wish, word: &JoinWord, folders: &Folders) -> Result<Identity, JoinError> {
    let name: NodeName = match (&wish.name, NodeName::of_host(&wish.host_name)) {
        (Some(name), _) => name.parse()?,
        (None, Some(name)) => name,
        (None, None) => wish.host_name.parse()?,
    };
    let listen = place("--listen", &wish.listen)?;
    let address = match &wish.address {
        Some(text) => place("--address", text)?,
        None => addresses::towards(&word.api, listen).ok_or(JoinError::Unreached)?,
    };
    if folders.store().exists() {
        return Err(JoinError::Control(wish.data.clone()));
    }
    let made = folders.make_node();
    made.map_err(|source| JoinError::File { path: wish.data.clone(), source })?;
    let _lock = DataDirLock::take(&wish.data)?;
    let key = joined::key(folders, || Ok::<_, JoinError>(pki::private_key()?))?;
    let csr = NodeRequest::write(&key)?;
    let asked = api::Join { name: name.to_string(), csr, address: address.to_string() };
    let control = cli::Control { api: &word.api, fingerprint: word.fingerprint };
    let answer = cli::ask_to_join(control, &word.proof(), &asked).await;
    let answer = answer.map_err(JoinError::Refused)?;
    let addresses: Result<Vec<SocketAddr>, _> =
        answer.addresses.iter().map(|address| address.parse()).collect();
    let addresses = addresses.ok().filter(|some| !some.is_empty()).ok_or(JoinError::Answer)?;
    let control = answer.control.parse().map_err(|_| JoinError::Answer)?;
    let control = Control { name: control, addresses };
    let (token, seen) = (word.id.clone(), wish.address.is_none());
    let identity = Identity { name, control, listen, address, token, seen };
    Joined::keep(folders, &identity, &answer.authority, &answer.chain)?;
    Ok(identity)
}

fn place(option: &'static str, text: &str) -> Result<SocketAddr, JoinError> {
    let at: Option<SocketAddr> = text.parse().ok();
    let fits =
        |at: &SocketAddr| at.port() != 0 && (option == "--listen" || !at.ip().is_unspecified());
    at.filter(fits).ok_or_else(|| JoinError::Address { option, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, TokenId};

    fn word() -> JoinWord {
        JoinWord {
            id: TokenId("0011aabb".to_owned()),
            secret: [7; 32],
            expires_at: Timestamp::default(),
            fingerprint: [1; 32],
            // Nobody listens on port 1.
            api: vec!["127.0.0.1:1".parse().unwrap()],
        }
    }

    fn wish(data: &std::path::Path) -> Wish {
        Wish {
            token: word().to_string(),
            data: data.to_owned(),
            name: Some("edge-1".to_owned()),
            host_name: "box".to_owned(),
            listen: "0.0.0.0:7600".to_owned(),
            address: None,
            unit: None,
        }
    }

    #[tokio::test]
    async fn what_cannot_join_says_why_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let check = async |wish: Wish, parts: &[&str]| {
            let said = explain(&join(&wish).await.unwrap_err());
            for part in parts {
                assert!(said.contains(part), "{part}\n{said}");
            }
            assert!(said.contains("\nhint: ") && !said.contains(&"07".repeat(32)), "{said}");
        };
        let wish = || wish(&data);
        check(Wish { token: "paas_1_2".to_owned(), ..wish() }, &["no join token", "paasj_"]).await;
        check(Wish { name: Some("Edge_1".to_owned()), ..wish() }, &["--name NAME"]).await;
        let nameless = Wish { name: None, host_name: "_".to_owned(), ..wish() };
        check(nameless, &["cannot have that name", "--name NAME"]).await;
        check(Wish { listen: "7600".to_owned(), ..wish() }, &["`7600`", "--listen"]).await;
        let nowhere = Wish { address: Some("0.0.0.0:7600".to_owned()), ..wish() };
        check(nowhere, &["--address"]).await;
        assert!(!data.exists(), "nothing is made for a wish that makes no sense");
        check(wish(), &["cannot be reached", "https://127.0.0.1:1", "firewall"]).await;
        let key = fs::read(data.join("node/key.pem")).unwrap();
        check(wish(), &["cannot be reached"]).await;
        assert_eq!(fs::read(data.join("node/key.pem")).unwrap(), key, "it keeps its key");
        fs::create_dir(data.join("store")).unwrap();
        check(wish(), &["a server of its own", "--data DIR"]).await;
    }

    #[tokio::test]
    async fn who_has_joined_is_told_so_and_does_not_join_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::of(folder.path());
        folders.make_node().unwrap();
        let control = Control { name: "box".parse().unwrap(), addresses: word().api };
        let listen = "0.0.0.0:7600".parse().unwrap();
        let (name, address) = ("edge-1".parse().unwrap(), "10.0.0.2:7600".parse().unwrap());
        let identity = Identity { name, control, listen, address, token: word().id, seen: true };
        Joined::keep(&folders, &identity, "", "").unwrap();
        let unit = folder.path().join("paas.service");
        let again = Wish { unit: Some((unit.clone(), "/bin/paas".into())), ..wish(folder.path()) };
        assert_eq!(join(&again).await.unwrap(), identity);
        assert!(fs::read_to_string(unit).unwrap().contains("ExecStart=/bin/paas server --data "));
        let elsewhere = JoinWord { id: TokenId("ffffffff".to_owned()), ..word() };
        for other in [
            Wish { token: elsewhere.to_string(), ..wish(folder.path()) },
            Wish { name: Some("edge-2".to_owned()), ..wish(folder.path()) },
            Wish { listen: "0.0.0.0:7601".to_owned(), ..wish(folder.path()) },
            Wish { address: Some("10.0.0.3:7600".to_owned()), ..wish(folder.path()) },
        ] {
            let said = explain(&join(&other).await.unwrap_err());
            assert!(said.contains("joined already: as edge-1, of the control box"), "{said}");
            assert!(said.contains("paas nodes remove edge-1 --confirm edge-1"), "{said}");
        }
    }
}

//! What comes once, before the first start: the data folder, its keys, its settings, and the admin
//! token, which is shown once and kept only as a hash.
//!
//! It can be run again: what is there stays, and a new admin token is made.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{
    clock,
    daemon::{
        authority::{Authority, AuthorityError},
        folders::Folders,
    },
    model::Actor,
    ops::{
        Refusal,
        grant::{self, Randomness, TokenKey},
    },
    store::{self, DataDirLock, LockError, OpenError, RestoreError, Store, StoreOptions},
    telemetry::chain,
};

/// What was made.
#[derive(Debug)]
pub struct Initialised {
    /// The admin token. This is the only copy.
    pub token: String,
    /// What `paas login` pins.
    pub fingerprint: String,
    /// The settings.
    pub config: PathBuf,
    /// The systemd unit, if one was asked for.
    pub unit: Option<PathBuf>,
}

/// What to set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where.
    pub data: PathBuf,
    /// An export to begin with.
    pub restore: Option<PathBuf>,
    /// Settings for a new `config.toml`: name → text.
    pub settings: Vec<(String, String)>,
    /// Where to write a systemd unit, and which binary it starts.
    pub unit: Option<(PathBuf, PathBuf)>,
}

/// Why it was not set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A file cannot be written.
    #[error("{} cannot be written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A node's folder.
    #[error("{} is the data folder of a node, which has joined another server", .0.display())]
    Node(PathBuf),
    /// A daemon runs on it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The records cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The export cannot be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The token cannot be recorded.
    #[error(transparent)]
    Token(#[from] Refusal),
    /// The API's keys cannot be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl InitError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Locked(error) => error.hint(),
            Self::Open(error) => error.hint(),
            Self::Restore(error) => error.hint(),
            Self::Node(_) => Some("make a server in another folder: `--data DIR`".to_owned()),
            Self::File { .. } | Self::Token(_) | Self::Authority(_) => None,
        }
    }
}

/// An error with its causes and its hint, as the terminal shows it.
pub fn explain(error: &InitError) -> String {
    match error.hint() {
        Some(hint) => format!("error: {}\nhint: {hint}", chain(error)),
        None => format!("error: {}", chain(error)),
    }
}

/// Sets up a data folder.
pub async fn init(setup: &Setup) -> Result<Initialised, InitError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| InitError::File { path, source }
    };
    let folders = Folders::of(&setup.data);
    if folders.node().exists() {
        return Err(InitError::Node(setup.data.clone()));
    }
    folders.make().map_err(file(&setup.data))?;
    let _lock = DataDirLock::take(&setup.data)?;
    if let Some(export) = &setup.restore {
        store::restore(export, &folders.store())?;
    }
    let config = folders.config();
    if !config.exists() {
        write_secret(&config, settings(&setup.settings).as_bytes()).map_err(file(&config))?;
    }
    let authority = Authority::open(&folders.keys(), clock::now())?;
    let key = token_key(&folders).map_err(file(&folders.keys()))?;
    let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
    let store = Store::open(&folders.store(), options)?;
    let token = grant_admin(&store, key).await?;
    store.close().await;
    let unit = match &setup.unit {
        Some((path, binary)) => {
            fs::write(path, unit(binary, &setup.data)).map_err(file(path))?;
            Some(path.clone())
        }
        None => None,
    };
    Ok(Initialised { token, fingerprint: authority.fingerprint(), config, unit })
}

/// The key under which token secrets are hashed; made if it is not there.
pub(super) fn token_key(folders: &Folders) -> io::Result<TokenKey> {
    let path = folders.keys().join("token.key");
    if !path.exists() {
        write_secret(&path, &rand::random::<[u8; 32]>())?;
    }
    let bytes = fs::read(&path)?;
    let bytes = bytes.try_into().map_err(|_| io::Error::other("token.key is not 32 bytes long"))?;
    Ok(TokenKey::new(bytes))
}

async fn grant_admin(store: &Store, key: TokenKey) -> Result<String, Refusal> {
    let randomness = Randomness { id: rand::random(), secret: rand::random() };
    let admin: Actor = "admin".parse().map_err(Refusal::from)?;
    store.transact(move |tx| grant::grant(tx, &key, &randomness, admin, clock::now())).await
}

/// Writes a file that only root can read, whole or not at all.
pub(super) fn write_secret(path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn settings(given: &[(String, String)]) -> String {
    let mut text =
        "# Settings of `paas server`; flags and PAAS_… variables win over them.\n".to_owned();
    for (name, value) in given {
        text.push_str(name);
        text.push_str(" = ");
        text.push_str(&toml::Value::from(value.as_str()).to_string());
        text.push('\n');
    }
    text
}

/// A systemd unit that starts this binary.
pub(super) fn unit(binary: &Path, data: &Path) -> String {
    format!(
        "[Unit]\n\
         Description=paas: deploys, runs and routes apps\n\
         After=network-online.target docker.service\n\
         Wants=network-online.target docker.service\n\n\
         [Service]\n\
         # The daemon says when it serves; a successor, which is no child of systemd's, says so itself.\n\
         Type=notify\n\
         NotifyAccess=all\n\
         # It tells when the hand-over has ended (RELOADING, READY), so `systemctl reload` waits for it.\n\
         ExecReload=/bin/kill -USR2 $MAINPID\n\
         ExecStart={} server --data {}\n\
         Restart=always\n\
         RestartSec=1\n\
         KillSignal=SIGTERM\n\
         TimeoutStopSec=60\n\
         OOMScoreAdjust=-900\n\
         LimitNOFILE=1048576\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        binary.display(),
        data.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::View;

    #[tokio::test]
    async fn it_can_be_run_again_and_never_shows_the_same_token() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let setup = Setup {
            data: data.clone(),
            restore: None,
            settings: vec![("domain".to_owned(), "apps.test".to_owned())],
            unit: Some((folder.path().join("paas.service"), PathBuf::from("/usr/bin/paas"))),
        };
        let (first, second) = (init(&setup).await.unwrap(), init(&setup).await.unwrap());
        assert_ne!(first.token, second.token);
        assert_eq!(first.fingerprint, second.fingerprint);
        assert!(fs::read_to_string(first.config).unwrap().contains("domain = \"apps.test\""));
        let unit = fs::read_to_string(first.unit.unwrap()).unwrap();
        for needed in ["Type=notify", "NotifyAccess=all", "ExecReload=/bin/kill -USR2 $MAINPID"] {
            assert!(unit.lines().any(|line| line == needed), "{needed}\n{unit}");
        }
        let folders = Folders::of(&data);
        let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
        let store = Store::open(&folders.store(), options).unwrap();
        let key = token_key(&folders).unwrap();
        for token in [&first.token, &second.token] {
            let known = grant::recognise(&store.snapshot(), &key, token).unwrap();
            assert!(known.is_some(), "{token}");
        }
        let forged = format!("{}0", first.token);
        assert!(grant::recognise(&store.snapshot(), &key, &forged).unwrap().is_none());
        let tokens = store.snapshot().scan::<crate::model::Token>(&()).unwrap();
        assert!(tokens.iter().all(|token| !first.token.contains(&token.hash)));
        store.close().await;
    }

    #[tokio::test]
    async fn a_new_server_begins_with_the_records_of_an_export() {
        let folder = tempfile::tempdir().unwrap();
        let setup = |name: &str, restore: Option<PathBuf>| Setup {
            data: folder.path().join(name),
            restore,
            settings: Vec::new(),
            unit: None,
        };
        let tokens = |store: &Store| {
            let tokens = store.snapshot().scan::<crate::model::Token>(&()).unwrap();
            tokens.into_iter().map(|token| token.hash).collect::<Vec<_>>()
        };
        let open = |setup: &Setup| {
            let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
            Store::open(&Folders::of(&setup.data).store(), options).unwrap()
        };
        let first = setup("first", None);
        init(&first).await.unwrap();
        let old = open(&first);
        let export = old.export_hourly(clock::system()).unwrap();
        let second = setup("second", Some(export));
        init(&second).await.unwrap();
        let new = open(&second);
        let (before, after) = (tokens(&old), tokens(&new));
        assert!(before.iter().all(|hash| after.contains(hash)), "{before:?} {after:?}");
        old.close().await;
        new.close().await;

        let again = init(&second).await.unwrap_err();
        assert!(explain(&again).contains("hint: move it away first"), "{}", explain(&again));

        let node = setup("node", None);
        Folders::of(&node.data).make_node().unwrap();
        let refused = explain(&init(&node).await.unwrap_err());
        assert!(refused.contains("the data folder of a node") && refused.contains("--data DIR"));
    }
}

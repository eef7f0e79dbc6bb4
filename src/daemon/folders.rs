//! Where what lies in the data folder.

use std::path::{Path, PathBuf};

/// The data folder's layout. It is made by `paas init` or the first start, mode 0700.
#[derive(Debug, Clone)]
pub struct Folders {
    root: PathBuf,
}

impl Folders {
    /// Of the data folder at `root`.
    pub fn of(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The daemon's settings.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// The settings that machines share of which each keeps the records.
    pub fn installation(&self) -> PathBuf {
        self.root.join("installation.toml")
    }

    /// The records.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Keys: of tokens, of the API's authority.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// What a node has from its joining.
    pub fn node(&self) -> PathBuf {
        self.root.join("node")
    }

    /// What a member of the quorum has: its log, and who it is there.
    pub fn quorum(&self) -> PathBuf {
        self.root.join("quorum")
    }

    /// What labels this installation's things in Docker.
    pub fn identity(&self) -> PathBuf {
        self.root.join("installation")
    }

    /// The keys that backups are encrypted to.
    pub fn backup_key(&self) -> PathBuf {
        self.keys().join("backup.key")
    }

    /// The API's socket.
    pub fn socket(&self) -> PathBuf {
        self.root.join("api.sock")
    }

    /// Apps' logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The edge's access log; older parts of it have a number behind the name.
    pub fn access_log(&self) -> PathBuf {
        self.root.join("access.log")
    }

    /// Toolchains, one folder each.
    pub fn toolchains(&self) -> PathBuf {
        self.root.join("toolchains")
    }

    /// Base images.
    pub fn stack(&self) -> PathBuf {
        self.root.join("stack")
    }

    /// Makes the folders that are missing, for root only.
    pub fn make(&self) -> std::io::Result<()> {
        make(&[self.root.clone(), self.keys()])
    }

    /// The same of a machine that keeps the records together with others.
    pub(super) fn make_quorum(&self) -> std::io::Result<()> {
        make(&[self.quorum()])
    }

    /// The same of a node.
    pub fn make_node(&self) -> std::io::Result<()> {
        make(&[self.root.clone(), self.node()])
    }
}

fn make(folders: &[PathBuf]) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    folders.iter().try_for_each(|folder| builder.create(folder))
}

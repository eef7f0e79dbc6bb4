//! What is in a commit: its files as a tar, and what should be said about them before they are built.

use std::{collections::BTreeMap, io, process::Stdio};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdout},
};

use super::{
    GitError,
    tool::{Tool, last_line},
};
use crate::model::CommitId;

/// A commit's files.
#[derive(Debug)]
pub struct Contents {
    tool: Tool,
    commit: CommitId,
}

impl Contents {
    pub(super) fn new(tool: Tool, commit: CommitId) -> Self {
        Self { tool, commit }
    }

    /// All files as a tar, just as they were committed.
    pub fn archive(
        &self,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, GitError> {
        // Of the tree: of a commit it would begin with the commit's id, in an entry of its own.
        let tree = format!("{}^{{tree}}", self.commit);
        let arguments = ["archive", "--format=tar", &tree];
        let mut child = self.tool.start(&arguments, Stdio::null())?;
        let stdout = child.stdout.take().ok_or(GitError::Strange { what: "archive" })?;
        Ok(stream::try_unfold(Some((child, stdout)), |state| async move {
            let Some((child, mut stdout)) = state else { return Ok(None) };
            let mut piece = bytes::BytesMut::with_capacity(PIECE);
            if stdout.read_buf(&mut piece).await? == 0 {
                ended(child, stdout).await?;
                return Ok(None);
            }
            Ok(Some((piece.freeze(), Some((child, stdout)))))
        }))
    }

    /// The texts of files at the top that are wanted by their names, as far as they are texts of at most so
    /// many bytes.
    pub async fn texts(
        &self,
        wanted: impl Fn(&str) -> bool,
        most: u64,
    ) -> Result<BTreeMap<String, String>, GitError> {
        let arguments = ["ls-tree", "-z", "--long", "--full-tree", self.commit.as_str()];
        let answer = self.tool.run(&arguments).await?;
        let listed = String::from_utf8_lossy(&answer);
        let mut texts = BTreeMap::new();
        for (id, name) in listed.split('\0').filter_map(|line| file(line, most)) {
            if texts.len() == TEXTS || !wanted(name) {
                continue;
            }
            let text = self.tool.run(&["cat-file", "blob", id]).await?;
            if let Ok(text) = String::from_utf8(text) {
                texts.insert(name.to_owned(), text);
            }
        }
        Ok(texts)
    }

    /// The paths of submodules, of which git brings no files: the first few.
    pub async fn submodules(&self) -> Result<Vec<String>, GitError> {
        let arguments = ["ls-tree", "-r", "-z", "--full-tree", self.commit.as_str()];
        let answer = self.tool.run(&arguments).await?;
        let text = String::from_utf8_lossy(&answer);
        let links = text.split('\0').filter(|line| line.starts_with("160000 "));
        Ok(links
            .filter_map(|line| line.split_once('\t'))
            .map(|(_, path)| shown(path))
            .take(FEW)
            .collect())
    }

    /// Files that are new since `before` and look by their names as if they held secrets.
    pub async fn secrets(&self, before: Option<&CommitId>) -> Result<Vec<String>, GitError> {
        let before = before.map_or(EMPTY_TREE, CommitId::as_str);
        let arguments = [
            "diff-tree",
            "-r",
            "-z",
            "--no-renames",
            "--name-only",
            "--diff-filter=A",
            before,
            self.commit.as_str(),
        ];
        let answer = self.tool.run(&arguments).await?;
        let text = String::from_utf8_lossy(&answer);
        Ok(text.split('\0').filter(|path| looks_secret(path)).map(shown).take(FEW).collect())
    }

    /// Whether files are kept in Git LFS, so that what was pushed are notes of where they are.
    pub async fn has_lfs(&self) -> Result<bool, GitError> {
        let name = format!("{}:.gitattributes", self.commit);
        match self.tool.run(&["cat-file", "blob", &name]).await {
            Ok(text) => Ok(String::from_utf8_lossy(&text).contains("filter=lfs")),
            Err(GitError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Id and name of a file that `ls-tree --long` lists, if it is one of at most so many bytes.
fn file(line: &str, most: u64) -> Option<(&str, &str)> {
    let (described, name) = line.split_once('\t')?;
    let mut words = described.split_ascii_whitespace();
    let (mode, _, id, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let fits = size.parse::<u64>().is_ok_and(|size| size <= most);
    (mode.starts_with("100") && fits).then_some((id, name))
}

/// How it ended: a broken archive must not pass for a short one.
async fn ended(mut child: Child, stdout: ChildStdout) -> io::Result<()> {
    drop(stdout);
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        stderr.take(PIECE as u64).read_to_end(&mut said).await?;
    }
    let status = child.wait().await?;
    if status.success() { Ok(()) } else { Err(io::Error::other(last_line(&said))) }
}

/// Whether a file of this name usually holds what nobody else should know.
fn looks_secret(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let environment = name == ".env" || name.starts_with(".env.") && !SAMPLES.contains(&ending);
    environment
        || NAMES.contains(&name)
        || ENDINGS.contains(&ending)
        || lower.ends_with(".aws/credentials")
        || lower.ends_with(".kube/config")
}

/// A path that is fit for a screen.
fn shown(path: &str) -> String {
    path.chars().map(|c| if c.is_control() { '?' } else { c }).take(200).collect()
}

const NAMES: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials.json",
    "service-account.json",
    "serviceaccount.json",
    "secrets.json",
    "secrets.yml",
    "secrets.yaml",
    "secrets.toml",
    "master.key",
    ".netrc",
    ".pgpass",
    ".htpasswd",
    ".git-credentials",
    "terraform.tfstate",
];
const ENDINGS: &[&str] = &["pem", "key", "p12", "pfx", "jks", "keystore", "kdbx", "ppk"];
/// What makes a file of variables one that shows how to write it.
const SAMPLES: &[&str] = &["example", "sample", "template", "dist", "defaults", "test"];

/// Paths that are named; more are not read either.
const FEW: usize = 10;
/// Files at the top whose texts are read.
const TEXTS: usize = 50;
const PIECE: usize = 64 << 10;
/// What git calls a tree without files, which every repository knows.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_secret() {
        for path in
            [".env", "a/.env.production", "id_rsa", "certs/server.KEY", "x/credentials.json"]
        {
            assert!(looks_secret(path), "{path}");
        }
        for path in
            [".env.example", "env", "id_rsa.pub", "keys.md", "src/key.rs", "", "environment"]
        {
            assert!(!looks_secret(path), "{path}");
        }
    }
}

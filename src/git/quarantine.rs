//! Where what a push brings lies until everything about it is settled: a folder of objects beside the
//! repository's own, which it may refer to. Dropping it removes it all.

use std::{ffi::OsStr, fs, io, path::PathBuf, process::Stdio, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, pin_mut};
use tokio::io::AsyncWriteExt;

use super::{
    GitError,
    contents::Contents,
    repository::{self, Repository},
    tool::{self, Tool},
};
use crate::model::{Branch, Commit, CommitId};

/// What a client sends behind its pack, and when it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// The end; it listens only after that (HTTP).
    End,
    /// Nothing yet: it listens now, and the pack itself says where it ends (SSH).
    Nothing,
}

/// Objects that are looked at and do not count yet.
#[derive(Debug)]
pub struct Quarantine {
    folder: PathBuf,
    kept: PathBuf,
    tool: Tool,
}

impl Quarantine {
    pub(super) fn new(repository: &Repository) -> io::Result<Self> {
        let name = format!("{INCOMING}{:016x}", rand::random::<u64>());
        let (folder, kept) = (repository.folder().join(name), repository.folder().join("objects"));
        fs::create_dir(&folder)?;
        let quarantine = Self { tool: repository.tool().with(&folder), folder, kept };
        let info = quarantine.folder.join("info");
        fs::create_dir(&info)?;
        // By a file and not by a variable, in which a colon would separate folders.
        let mut alternates = quarantine.kept.as_os_str().as_encoded_bytes().to_vec();
        alternates.push(b'\n');
        fs::write(info.join("alternates"), alternates)?;
        Ok(quarantine)
    }

    /// Reads a pack to its end and checks every object in it, as a hostile one is meant to be checked:
    /// its form, the names in it, and that all it refers to is here.
    pub async fn take(
        &self,
        pack: impl Stream<Item = io::Result<Bytes>> + Send,
        behind: Behind,
    ) -> Result<(), GitError> {
        let size = format!("--max-input-size={MAX_PACK}");
        let arguments = ["index-pack", "--stdin", "--fix-thin", STRICT, &size];
        let mut child = self.tool.start(&arguments, Stdio::piped())?;
        let mut stdin = child.stdin.take();
        let feed = async move {
            pin_mut!(pack);
            while let Some(piece) = pack.next().await {
                let Ok(piece) = piece else { break };
                let Some(pipe) = stdin.as_mut() else { continue };
                // Once it has seen enough, the rest is read for the client's sake, who reads our
                // answer only then; how much that may be is bounded by whoever made the stream.
                if pipe.write_all(&piece).await.is_err() {
                    stdin = None;
                }
            }
            drop(stdin);
        };
        let ended = tool::end(child, &arguments, LONGEST);
        match behind {
            Behind::End => tokio::join!(ended, feed).0.map(drop),
            Behind::Nothing => {
                pin_mut!(ended, feed);
                let ended = tokio::select! {
                    biased;
                    ended = &mut ended => ended,
                    () = feed => ended.await,
                };
                ended.map(drop)
            }
        }
    }

    /// Whether from these commits everything can be reached that belongs to them.
    pub async fn connected(&self, commits: &[&CommitId]) -> Result<(), GitError> {
        // As git itself asks. Among the ids it would be read by git 2.42 and later alone.
        let arguments = ["rev-list", "--objects", "--quiet", "--stdin", "--not", "--all"];
        self.tool.run_with(&arguments, lines(commits).as_bytes()).await.map(drop)
    }

    /// What kind of object each of these is: `commit`, `tag`, `tree`, `blob`, or `missing`.
    pub async fn kinds(&self, objects: &[&CommitId]) -> Result<Vec<String>, GitError> {
        let input = lines(objects);
        let answer = self.tool.run_with(&["cat-file", "--batch-check"], input.as_bytes()).await?;
        let text = String::from_utf8_lossy(&answer);
        let kind = |line: &str| line.split(' ').nth(1).unwrap_or_default().to_owned();
        Ok(text.lines().map(kind).collect())
    }

    /// A commit among what came in or was there.
    pub async fn commit(&self, id: &CommitId, by: Option<Branch>) -> Result<Commit, GitError> {
        repository::commit(&self.tool, id, by).await
    }

    /// What is in it.
    pub fn contents(&self, commit: &CommitId) -> Contents {
        Contents::new(self.tool.clone(), commit.clone())
    }

    /// Makes the objects the repository's own. One by one, the index of a pack last, so that whatever
    /// can be seen is whole; nothing refers to them yet.
    pub fn admit(self) -> io::Result<()> {
        let packs = self.kept.join("pack");
        fs::create_dir_all(&packs)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(self.folder.join("pack")).into_iter().flatten() {
            let path = entry?.path();
            let kind = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_owned();
            files.extend(Some((kind == "idx", path)).filter(|_| KINDS.contains(&&*kind)));
        }
        files.sort();
        for (_, path) in &files {
            let Some(name) = path.file_name() else { continue };
            fs::rename(path, packs.join(name))?;
        }
        fs::File::open(&packs)?.sync_all()
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.folder.display(), %error, "cannot remove a folder");
        }
    }
}

fn lines(ids: &[&CommitId]) -> String {
    ids.iter().flat_map(|id| [id.as_str(), "\n"]).collect()
}

/// What a pack consists of.
const KINDS: &[&str] = &["pack", "rev", "idx"];

/// All of git's checks, but for three faults of old programs' commits that harm nobody, and without
/// which well-known repositories could not be pushed.
const STRICT: &str =
    "--strict=badTimezone=ignore,missingSpaceBeforeDate=ignore,zeroPaddedFilemode=ignore";

/// The largest pack, in bytes, as with uploads.
pub const MAX_PACK: u64 = 1 << 30;

/// From a pack's first byte until all its objects are checked.
const LONGEST: Duration = Duration::from_mins(30);

pub(super) const INCOMING: &str = "incoming-";

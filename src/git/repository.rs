//! The bare repositories: `<data>/apps/<app>/git`, made at the first push and gone with the app.
//!
//! Whatever is named `incoming-…` in one is a push under way; at the start of the daemon it is what a
//! daemon that died has left, and is removed.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{OwnedMutexGuard, Semaphore};

use super::{
    GitError,
    contents::Contents,
    quarantine::{INCOMING, Quarantine},
    refs::Refs,
    tool::Tool,
    turns::{Arrival, Holder, Turns},
};
use crate::model::{AppName, Branch, Commit, CommitId, RefName, commit::MAX_SUBJECT};

/// All repositories. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Repositories {
    apps: PathBuf,
    turns: Turns,
    /// Packs that are being read at the same time; more wait.
    pub reading: Arc<Semaphore>,
}

/// One app's.
#[derive(Debug, Clone)]
pub struct Repository {
    folder: PathBuf,
    tool: Tool,
}

impl Repositories {
    /// Of the data folder at `data`. What a daemon that died has left is removed.
    pub fn open(data: &Path) -> Self {
        let apps = data.join("apps");
        for app in fs::read_dir(&apps).into_iter().flatten().flatten() {
            sweep(&app.path().join(FOLDER));
        }
        Self { apps, turns: Turns::default(), reading: Arc::new(Semaphore::new(READING)) }
    }

    /// An app's; it need not be there yet.
    pub fn of(&self, app: &AppName) -> Repository {
        let folder = self.apps.join(app.as_str()).join(FOLDER);
        let tool = Tool::at(&folder);
        Repository { folder, tool }
    }

    /// A push to an app whose pack is here takes its place among those that are under way.
    pub fn arrive(&self, app: &AppName) -> Arrival {
        self.turns.arrive(app)
    }

    /// Who has it.
    pub fn holder(&self, app: &AppName) -> Option<Holder> {
        self.turns.holder(app)
    }

    /// The right to change refs of an app's repository, which is nothing to keep for long.
    pub async fn change(&self, app: &AppName) -> OwnedMutexGuard<()> {
        self.turns.change(app).await
    }
}

/// Removes what is left of pushes that a dead daemon, or a power cut, ended.
fn sweep(repository: &Path) {
    unlock(repository, DEEP);
    for entry in fs::read_dir(repository).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(INCOMING)
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "cannot remove a folder");
        }
    }
}

/// Removes the locks that a git of ours held when it ended: it would wait for itself for ever. One that
/// still runs finds its lock gone and changes nothing.
fn unlock(folder: &Path, depth: usize) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        match entry.file_type() {
            // Objects have no locks, and are many.
            Ok(kind) if kind.is_dir() && depth > 0 && name != "objects" => unlock(&path, depth - 1),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|end| end == "lock") => {
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "cannot remove a lock");
                }
            }
            Ok(_) | Err(_) => {}
        }
    }
}

impl Repository {
    /// Whether it was made, as a whole.
    pub fn exists(&self) -> bool {
        self.folder.join(INFO).join(ATTRIBUTES).exists()
    }

    /// Makes it if it is not there. One that a daemon has half made when it died is made again, which
    /// keeps what there is.
    pub async fn make(&self) -> Result<(), GitError> {
        if self.exists() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(GitError::io("the repository cannot be made"))?;
        let arguments = [
            "init",
            "--quiet",
            "--bare",
            "--template=",
            "--object-format=sha1",
            "--initial-branch=main",
        ];
        self.tool.run(&arguments).await?;
        self.seal().map_err(GitError::io("the repository cannot be made"))
    }

    /// Says that what was committed is what is deployed: no file is left out or rewritten on its way. It
    /// is the last that is written, whole or not at all, and so says that all else is there.
    fn seal(&self) -> io::Result<()> {
        let info = self.folder.join(INFO);
        fs::create_dir_all(&info)?;
        let mut file = tempfile::NamedTempFile::new_in(&info)?;
        file.write_all(b"* -export-ignore -export-subst\n")?;
        file.as_file().sync_all()?;
        file.persist(info.join(ATTRIBUTES))?;
        fs::File::open(&info)?.sync_all()
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn tool(&self) -> &Tool {
        &self.tool
    }

    /// A place for what comes in.
    pub fn quarantine(&self) -> Result<Quarantine, GitError> {
        Quarantine::new(self).map_err(GitError::io("there is no place for what is pushed"))
    }

    /// All branches and tags.
    pub async fn refs(&self) -> Result<Refs, GitError> {
        if self.exists() { Refs::read(&self.tool).await } else { Ok(Refs::default()) }
    }

    /// Moves refs, all or none; each must still be what it was believed to be.
    pub async fn update(
        &self,
        updates: &[(RefName, Option<CommitId>, Option<CommitId>)],
    ) -> Result<(), GitError> {
        let id = |id: &Option<CommitId>| id.as_ref().map_or(ZERO, CommitId::as_str).to_owned();
        let mut input = String::from("start\0");
        for (name, old, new) in updates {
            match new {
                Some(_) => input.extend(["update ", name.as_str(), "\0", &id(new), "\0"]),
                None => input.extend(["delete ", name.as_str(), "\0"]),
            }
            input.extend([&*id(old), "\0"]);
        }
        input += "commit\0";
        self.tool
            .run_with(&["update-ref", "--no-deref", "-z", "--stdin"], input.as_bytes())
            .await?;
        Ok(())
    }

    /// What a clone of it begins with.
    pub async fn point_at(&self, branch: &Branch) -> Result<(), GitError> {
        let name = branch.to_ref();
        self.tool.run(&["symbolic-ref", "HEAD", name.as_str()]).await.map(drop)
    }

    /// Packs together what many pushes brought, now and then.
    pub async fn tidy(&self) -> Result<(), GitError> {
        let arguments =
            ["-c", "gc.auto=6000", "-c", "gc.autoPackLimit=30", "gc", "--auto", "--quiet"];
        self.tool.run(&arguments).await.map(drop)
    }

    /// The commit that a branch, a tag or the beginning of an id means.
    pub async fn find(&self, asked: &Branch) -> Result<Option<Commit>, GitError> {
        if !self.exists() {
            return Ok(None);
        }
        let heads = format!("refs/heads/{asked}^{{commit}}");
        let tags = format!("refs/tags/{asked}^{{commit}}");
        for name in [heads, tags] {
            if let Some(id) = self.resolve(&name).await? {
                return self.describe(&id, Some(asked.clone())).await.map(Some);
            }
        }
        let text = asked.as_str().to_ascii_lowercase();
        if text.len() < SHORTEST || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        match self.resolve(&format!("{text}^{{commit}}")).await? {
            Some(id) => self.describe(&id, None).await.map(Some),
            None => Ok(None),
        }
    }

    async fn resolve(&self, name: &str) -> Result<Option<CommitId>, GitError> {
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", name];
        match self.tool.run(&arguments).await {
            Ok(answer) => Ok(String::from_utf8_lossy(&answer).trim().parse().ok()),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn describe(&self, id: &CommitId, by: Option<Branch>) -> Result<Commit, GitError> {
        commit(&self.tool, id, by).await
    }

    /// What is in a commit that is kept.
    pub fn contents(&self, commit: &CommitId) -> Contents {
        Contents::new(self.tool.clone(), commit.clone())
    }
}

/// A commit with its subject.
pub(super) async fn commit(
    tool: &Tool,
    id: &CommitId,
    reference: Option<Branch>,
) -> Result<Commit, GitError> {
    let arguments =
        ["log", "-1", "--no-show-signature", "--format=%s", "--end-of-options", id.as_str()];
    let subject = tool.run(&arguments).await?;
    let subject = String::from_utf8_lossy(&subject);
    let subject = subject.trim().chars().filter(|c| !c.is_control()).take(MAX_SUBJECT).collect();
    Ok(Commit { id: id.clone(), reference, subject })
}

/// Below an app's folder.
const FOLDER: &str = "git";
/// Where a repository has what it is told of all its files.
const INFO: &str = "info";
const ATTRIBUTES: &str = "attributes";
/// Packs that are being read at the same time.
const READING: usize = 4;
/// The folders that the name of a ref can have.
const DEEP: usize = 100;
/// Fewer digits name too many commits.
const SHORTEST: usize = 4;
/// No object.
pub(super) const ZERO: &str = "0000000000000000000000000000000000000000";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_was_half_made_is_made_again() {
        let data = tempfile::tempdir().unwrap();
        let repository = Repositories::open(data.path()).of(&"hello".parse().unwrap());
        let head = repository.folder().join("HEAD");
        fs::create_dir_all(repository.folder()).unwrap();
        fs::write(&head, "ref: refs/heads/main\n").unwrap();
        assert_eq!(repository.refs().await.unwrap(), Refs::default(), "git does not know it yet");
        repository.make().await.unwrap();
        let attributes = repository.folder().join("info/attributes");
        let said = fs::read_to_string(&attributes).unwrap();
        assert_eq!(said, "* -export-ignore -export-subst\n");
        repository.point_at(&"other".parse().unwrap()).await.unwrap();
        fs::remove_file(&attributes).unwrap();
        repository.make().await.unwrap();
        assert!(attributes.exists(), "whatever else there was");
        assert_eq!(fs::read_to_string(head).unwrap(), "ref: refs/heads/other\n");
        assert_eq!(fs::read_dir(repository.folder().join("info")).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_a_dead_daemon_left_is_removed_and_the_refs_stay() {
        let data = tempfile::tempdir().unwrap();
        let app: AppName = "hello".parse().unwrap();
        let repositories = Repositories::open(data.path());
        let repository = repositories.of(&app);
        assert_eq!(repository.refs().await.unwrap(), Refs::default());
        repository.make().await.unwrap();
        let tree = repository.tool().run_with(&["mktree"], b"").await.unwrap();
        let tree: CommitId = String::from_utf8(tree).unwrap().trim().parse().unwrap();
        let name: RefName = "refs/tags/deep/one".parse().unwrap();
        repository.update(&[(name.clone(), None, Some(tree.clone()))]).await.unwrap();
        let folder = repository.folder().to_owned();
        let left = [folder.join("refs/tags/deep/one.lock"), folder.join("packed-refs.lock")];
        for path in &left {
            fs::write(path, "").unwrap();
        }
        let quarantine = repository.quarantine().unwrap();
        std::mem::forget(quarantine);
        let locked = repository.update(&[(name.clone(), Some(tree.clone()), None)]).await;
        assert!(matches!(locked, Err(GitError::Failed { .. })), "{locked:?}");

        let repository = Repositories::open(data.path()).of(&app);
        assert!(left.iter().all(|path| !path.exists()));
        let names = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.file_name());
        assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with(INCOMING)));
        assert_eq!(repository.refs().await.unwrap().at(&name), Some(&tree));
        let wrong = [(name.clone(), None, Some(tree.clone()))];
        assert!(repository.update(&wrong).await.is_err(), "it is not what it was believed to be");
        repository.update(&[(name.clone(), Some(tree), None)]).await.unwrap();
        assert_eq!(repository.refs().await.unwrap().count(), 0);
    }
}

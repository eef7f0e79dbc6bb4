//! Commits that stay although no branch leads to them any more: those of pinned releases. Each has a ref of
//! ours, which no client sees or moves, so that git's own tidying takes none of them.

use std::collections::BTreeMap;

use super::{GitError, repository::Repository};
use crate::model::{CommitId, ReleaseVersion};

impl Repository {
    /// Has exactly these stay. One that is not here any more is none of them.
    pub async fn keep(&self, wanted: &BTreeMap<ReleaseVersion, CommitId>) -> Result<(), GitError> {
        if !self.exists() {
            return Ok(());
        }
        let wanted: BTreeMap<String, &CommitId> =
            wanted.iter().map(|(version, id)| (format!("{PINNED}{version}"), id)).collect();
        let arguments = ["for-each-ref", "--format=%(objectname) %(refname)", PINNED];
        let answer = self.tool().run(&arguments).await?;
        let listed = String::from_utf8_lossy(&answer);
        let there: BTreeMap<&str, &str> = listed
            .lines()
            .filter_map(|line| line.split_once(' ').map(|(id, name)| (name, id)))
            .collect();
        for name in there.keys().filter(|name| !wanted.contains_key(**name)) {
            self.tool().run(&["update-ref", "--no-deref", "-d", name]).await?;
        }
        for (name, id) in wanted {
            if there.get(name.as_str()) == Some(&id.as_str()) {
                continue;
            }
            match self.tool().run(&["update-ref", "--no-deref", &name, id.as_str()]).await {
                Ok(_) => {}
                Err(error @ GitError::Failed { .. }) => {
                    tracing::debug!(reference = name, %error, "a pinned commit is not here");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Where their refs are.
const PINNED: &str = "refs/paas/pinned/";

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;
    use crate::git::{Repositories, upload_pack};

    #[tokio::test]
    async fn a_pinned_commit_outlives_its_branch_and_nobody_sees_how() {
        let data = tempfile::tempdir().unwrap();
        let repository = Repositories::open(data.path()).of(&"hello".parse().unwrap());
        repository.make().await.unwrap();
        let git = async |arguments: &[&str]| {
            let said = repository.tool().run_with(arguments, b"").await.unwrap();
            String::from_utf8(said).unwrap().trim().to_owned()
        };
        let tree = git(&["mktree"]).await;
        let who =
            ["-c", "user.name=me", "-c", "user.email=me@x", "commit-tree", "-m", "one", &tree];
        let id = git(&who).await;
        let commit: CommitId = id.parse().unwrap();
        let missing: CommitId = "1234567890123456789012345678901234567890".parse().unwrap();
        let of = |version| ReleaseVersion(version);
        let pinned = [(of(2), commit.clone()), (of(3), missing)].into();
        repository.keep(&pinned).await.unwrap();
        repository.keep(&pinned).await.unwrap();
        assert_eq!(git(&["for-each-ref", "--format=%(refname)"]).await, "refs/paas/pinned/v2");
        let prune = ["gc", "--quiet", "--prune=now"];
        git(&prune).await;
        let asked = id[..7].parse().unwrap();
        assert_eq!(repository.find(&asked).await.unwrap().map(|it| it.id), Some(commit));
        assert_eq!(repository.refs().await.unwrap().count(), 0);
        let told = upload_pack(&repository, None, None).unwrap();
        let told: Vec<_> = told.try_collect().await.unwrap();
        assert!(!String::from_utf8_lossy(&told.concat()).contains("refs/paas"), "clients see it");

        repository.keep(&BTreeMap::new()).await.unwrap();
        git(&prune).await;
        assert_eq!(repository.find(&asked).await.unwrap(), None);
    }
}

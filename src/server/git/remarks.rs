//! What should be said of pushed branches before anything becomes of them: files that look like secrets,
//! files that are elsewhere, and that a branch is only kept. None of it refuses anything.

use std::collections::BTreeSet;

use crate::{
    git::{Contents, GitError, Quarantine, Update, Verdict},
    model::{AppName, Branch, CommitId, RefName},
};

/// The branch of a push that is deployed, and whose.
pub(super) struct Deployed<'a> {
    pub(super) app: &'a AppName,
    pub(super) branch: &'a Branch,
}

/// Lines for whoever pushes. Each thing is said once, and of the first few branches only: a push of
/// hundreds is a mirror, not a day's work.
pub(super) async fn remarks<'a>(
    quarantine: &Quarantine,
    deployed: Deployed<'_>,
    judged: impl Iterator<Item = (&'a Update, &'a (Option<RefName>, Verdict))>,
) -> Result<Vec<String>, GitError> {
    let branches = judged.filter_map(|(update, (name, verdict))| {
        let branch = name.as_ref().filter(|_| *verdict == Verdict::Yes)?.branch()?;
        Some((branch, update.new.as_ref()?, update.old.as_ref()))
    });
    let (mut said, mut lines) = (BTreeSet::new(), Vec::new());
    for (branch, id, before) in branches.take(MOST) {
        let mut all = of_contents(&quarantine.contents(id), before).await?;
        if branch != *deployed.branch {
            let Deployed { app, branch: other } = deployed;
            all.push(format!("{branch} is kept; pushes to {other} are deployed"));
            all.push(format!("hint: `paas deploy --ref {branch} -a {app}` deploys it"));
        }
        lines.extend(all.into_iter().filter(|line| said.insert(line.clone())));
    }
    Ok(lines)
}

async fn of_contents(
    contents: &Contents,
    before: Option<&CommitId>,
) -> Result<Vec<String>, GitError> {
    let mut lines = Vec::new();
    for path in contents.secrets(before).await? {
        lines.push(format!(
            "warning: {path} looks like a secret, and everyone with this repository has it now"
        ));
        lines.push(format!(
            "hint: `git rm --cached {path}`, name it in .gitignore; `paas config set` is for what is in it"
        ));
    }
    if contents.has_lfs().await? {
        lines.push("warning: files kept in Git LFS arrive as notes of where they are".to_owned());
        lines.push("hint: `paas deploy` uploads the files themselves".to_owned());
    }
    Ok(lines)
}

/// Branches of one push that are looked at.
const MOST: usize = 20;

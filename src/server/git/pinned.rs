//! The commits of pinned releases stay in the app's repository.

use std::collections::BTreeMap;

use crate::{
    model::{App, AppName, Build, CommitId, Release, ReleaseVersion},
    server::{fault::Failure, state::Api},
    store::{StoreError, View},
    telemetry::chain,
};

/// Has them stay, as the records say it: after these have changed, and before anything is tidied.
pub(in crate::server) async fn keep(api: &Api, app: &AppName) -> Result<(), Failure> {
    let _alone = api.git.change(app).await;
    let pinned = commits(&api.store.snapshot(), app)?;
    Ok(api.git.of(app).keep(&pinned).await?)
}

/// The same where it need not be at once: nothing is tidied before it is so.
pub(in crate::server) async fn keep_soon(api: &Api, app: &AppName) {
    if let Err(failure) = keep(api, app).await {
        let (reason, _) = failure.into_words();
        tracing::warn!(%app, %reason, "the commit of a pinned release has no ref yet");
    }
}

/// Packs together what pushes brought.
pub(super) async fn tidy(api: &Api, app: &AppName) {
    if let Err(failure) = keep(api, app).await {
        let (reason, _) = failure.into_words();
        tracing::warn!(%app, %reason, "a repository is not tidied");
        return;
    }
    if let Err(error) = api.git.of(app).tidy().await {
        tracing::warn!(%app, error = %chain(&error), "a repository is not tidied");
    }
}

fn commits(
    view: &impl View,
    name: &AppName,
) -> Result<BTreeMap<ReleaseVersion, CommitId>, StoreError> {
    let key = |number: u32| (name.as_str().to_owned(), u64::from(number));
    let Some(app) = view.get::<App>(&name.as_str().to_owned())? else {
        return Ok(BTreeMap::new());
    };
    let mut commits = BTreeMap::new();
    for version in app.pins.keys() {
        let Some(release) = view.get::<Release>(&key(version.0))? else { continue };
        let build = view.get::<Build>(&key(release.build.0))?;
        if let Some(commit) = build.and_then(|build| build.commit) {
            commits.insert(*version, commit.id);
        }
    }
    Ok(commits)
}

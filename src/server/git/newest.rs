//! A push that overtakes: `[deploy] queue = "newest"` in what it brings, as `paas deploy` follows it.
//!
//! Those before it only give way. What they have begun to build is cancelled when this one's build is
//! queued, in one transaction: there is no moment in which the old is gone and the new is not there.

use crate::{
    git::{Arrival, Contents},
    model::{
        Actor, AppName, CommitId, Queueing,
        manifest::{Declaration, MAX_FILE},
    },
};

/// Has those before it give way, if the commit's own files want it so. What is wrong with them is said by
/// the build.
pub(super) async fn overtake(
    arrival: &Arrival,
    contents: &Contents,
    (app, by, id): (&AppName, &Actor, &CommitId),
) {
    let Ok(texts) = contents.texts(Declaration::reads, MAX_FILE).await else { return };
    let Ok(declared) = Declaration::read(&texts, app) else { return };
    match declared.manifest.deploy.queue.unwrap_or_default() {
        Queueing::All => {}
        Queueing::Newest => {
            let short = id.as_str().get(..7).unwrap_or_default();
            arrival.overtake(&format!("the newer push of {by} ({short})"));
        }
    }
}

/// What the one that gives way is told.
pub(super) fn gives_way(to: &str, app: &AppName) -> (String, String) {
    let what = format!("{to} takes the place of this one: its paas.toml says `queue = \"newest\"`");
    (what, format!("`paas deploys -a {app}` shows how that goes; to have both, push again"))
}

//! A release that is in its place and answers nobody: why, and what to do about it.

use crate::{
    model::{App, AppName, ProcessName, Release, ReleaseVersion},
    store::{Snapshot, StoreError, View},
};

/// What to say of a release that no visitor can reach; `None` if one can.
pub(in crate::server) fn idle(
    snapshot: &Snapshot,
    app: &AppName,
    version: ReleaseVersion,
) -> Result<Option<api::Remark>, StoreError> {
    let app = snapshot.get::<App>(&app.as_str().to_owned())?;
    let key = app.as_ref().map(|app| (app.name.as_str().to_owned(), u64::from(version.0)));
    let release = key.map(|key| snapshot.get::<Release>(&key)).transpose()?.flatten();
    Ok(app.zip(release).and_then(|(app, release)| remark(&app, &release)))
}

fn remark(app: &App, release: &Release) -> Option<api::Remark> {
    let scale = |name: &ProcessName| app.scale_of(name, release);
    let web: Option<&ProcessName> = release.processes.keys().find(|name| name.is_web());
    if web.is_some_and(|web| scale(web) > 0) {
        let private = &release.deploy.private;
        return private.only.then(|| api::Remark {
            text: format!("no host leads to it: {}", private.reached_by(&app.name)),
            hint: "`only = false` under [private] in paas.toml makes it public".to_owned(),
        });
    }
    let runs = release.processes.keys().any(|name| scale(name) > 0);
    let first = web.or_else(|| release.processes.keys().find(|name| !name.runs_once()))?;
    let (text, hint) = match (runs, web) {
        (false, _) => (
            "nothing runs: every process has the scale 0".to_owned(),
            format!("`paas scale {first}=1 -a {}`", app.name),
        ),
        (true, Some(web)) => (
            format!("it answers nowhere: `{web}` has the scale 0"),
            format!("`paas scale {web}=1 -a {}`", app.name),
        ),
        (true, None) => (
            "it has no address: no process is called `web`".to_owned(),
            "a process that is to be asked is `web: COMMAND` in the Procfile".to_owned(),
        ),
    };
    Some(api::Remark { text, hint })
}

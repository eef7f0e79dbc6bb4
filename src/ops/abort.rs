//! Give up the rollout under way: what served before serves again, code, config and secrets.

use crate::{
    model::{
        Actor, App, AppName, EventKind, Incarnation, Phase, Release, ReleaseVersion, Rollout,
        RolloutNumber, Timestamp,
    },
    ops::{Refusal, create::existing},
    store::{StoreError, Transaction, View, diary, releasing},
};

/// Gives it up and answers what serves again. One that is being undone already is fine.
pub fn abort(
    tx: &mut Transaction<'_>,
    name: &AppName,
    by: &Actor,
    now: Timestamp,
) -> Result<(ReleaseVersion, RolloutNumber), Refusal> {
    let app = existing(tx, name)?;
    let what = || format!("aborting the deploy of {name}");
    let rollout = releasing::under_way(tx, &app)?.ok_or_else(|| {
        Refusal::conflict(what(), "none is under way")
            .hint(format!("`paas rollback -a {name}` goes back to what served before"))
    })?;
    let number = rollout.number;
    match (way_back(&rollout), &rollout.phase, rollout.from) {
        (Some(from), _, _) => {
            go_back(tx, app, rollout, format!("aborted by {by}"), by, now)?;
            Ok((from.release, number))
        }
        (None, Phase::Reverting { .. }, Some(from)) => Ok((from.release, number)),
        (None, Phase::Draining, _) => {
            Err(Refusal::conflict(what(), format!("{} has taken over", rollout.to.release))
                .hint(format!("`paas rollback -a {name}` goes back to what served before")))
        }
        (None, _, Some(from)) if from.release == rollout.to.release => {
            let why = format!("it is a restart, before and after which {} serves", from.release);
            Err(Refusal::conflict(what(), why)
                .hint(format!("`paas rollback -a {name}` goes back to the release before it")))
        }
        (None, _, _) => {
            Err(Refusal::conflict(what(), "nothing served before that could serve again")
                .hint(format!("`paas scale web=0 -a {name}` stops it")))
        }
    }
}

/// What serves again if a rollout is given up now; `None` if there is no such way.
pub(super) fn way_back(rollout: &Rollout) -> Option<Incarnation> {
    let open = matches!(
        rollout.phase,
        Phase::Releasing | Phase::Starting | Phase::Trying | Phase::Shifting | Phase::Watching
    );
    // A restart leads from a release to itself.
    rollout.from.filter(|from| open && from.release != rollout.to.release)
}

/// Has what served before serve again. Control brings back what has ended already.
pub(super) fn go_back(
    tx: &mut Transaction<'_>,
    mut app: App,
    mut rollout: Rollout,
    reason: String,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(from) = rollout.from else { return Ok(()) };
    let key = (app.name.as_str().to_owned(), u64::from(from.release.0));
    if let Some(release) = tx.get::<Release>(&key)? {
        app.config = release.config;
        app.secrets = release.secrets;
    }
    let text =
        format!("{} failed: {reason}; {} takes over again", rollout.to.release, from.release);
    diary::write(tx, &app.name, EventKind::Rollout, text, by, now)?;
    rollout.revert(reason, None, Vec::new());
    rollout.phase_at = now;
    app.serve(from);
    app.generation += 1;
    tx.put(&rollout)?;
    tx.put(&app)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreOptions, records};

    #[tokio::test]
    async fn of_a_restart_it_says_what_serves() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let told = store.transact(|tx| {
            let (shop, now): (AppName, _) = ("shop".parse()?, Timestamp::default());
            let of = |restart| Incarnation { release: ReleaseVersion(3), restart };
            let mut app = App::new(shop.clone(), now);
            (app.current, app.rollout) = (Some(of(0)), Some(RolloutNumber(1)));
            tx.put(&app)?;
            let restart = Rollout {
                app: shop.clone(),
                number: RolloutNumber(1),
                from: Some(of(0)),
                to: of(1),
                phase: Phase::Starting,
                started_at: now,
                phase_at: now,
                waves: Vec::new(),
                wave: 0,
                command: None,
                post_deploy: None,
                trial: None,
                recreate: [].into(),
                stand_ins: Vec::new(),
            };
            tx.put(&restart)?;
            let restarted = abort(tx, &shop, &Actor::platform(), now).unwrap_err();
            tx.put(&Rollout { from: None, ..restart })?;
            let first = abort(tx, &shop, &Actor::platform(), now).unwrap_err();
            Ok::<_, Refusal>((restarted.why, first.why))
        });
        let (restarted, first) = told.await.unwrap();
        assert_eq!(restarted, "it is a restart, before and after which v3 serves");
        assert_eq!(first, "nothing served before that could serve again");
    }
}

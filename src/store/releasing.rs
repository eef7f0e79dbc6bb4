//! Making a release and beginning its rollout: the one change of records that users (config,
//! rollback) and builds lead to alike.

use crate::{
    model::{
        Actor, App, Build, Cause, Config, EventKind, ImageId, Incarnation, Phase, Process,
        ProcessName, Release, ReleaseVersion, Rollout, RolloutNumber, SourceDigest, Timestamp,
        build::DeploySettings,
    },
    store::{StoreError, Transaction, View, diary},
};
use std::collections::BTreeMap;

/// A release that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// See [`Release`].
    pub image: ImageId,
    /// See [`Release`].
    pub source: SourceDigest,
    /// See [`Release`].
    pub build: crate::model::BuildNumber,
    /// See [`Release`].
    pub config: Config,
    /// See [`Release`].
    pub processes: BTreeMap<ProcessName, Process>,
    /// See [`Release`].
    pub deploy: DeploySettings,
    /// See [`Release`].
    pub cause: Cause,
}

impl Draft {
    /// What a finished build leads to; `None` if it did not succeed.
    pub fn of(build: &Build, config: Config) -> Option<Self> {
        let crate::model::BuildStatus::Succeeded(artifact) = &build.status else { return None };
        Some(Self {
            image: artifact.image.clone(),
            source: build.source.clone(),
            build: build.number,
            config,
            processes: artifact.processes.clone(),
            deploy: artifact.deploy.clone(),
            cause: match build.rebases {
                Some(of) => Cause::Rebase { of },
                None => Cause::Deploy { build: build.number },
            },
        })
    }

    /// The code of an earlier release with that config.
    pub fn again(release: &Release, config: Config, cause: Cause) -> Self {
        Self {
            image: release.image.clone(),
            source: release.source.clone(),
            build: release.build,
            config,
            processes: release.processes.clone(),
            deploy: release.deploy.clone(),
            cause,
        }
    }
}

/// Makes the release, begins its rollout and stores `app` with both.
pub fn release(
    tx: &mut Transaction<'_>,
    mut app: App,
    draft: Draft,
    by: &Actor,
    now: Timestamp,
) -> Result<(ReleaseVersion, RolloutNumber), StoreError> {
    app.last_release = app.last_release.next();
    let version = app.last_release;
    let release = Release {
        app: app.name.clone(),
        version,
        image: draft.image,
        source: draft.source,
        build: draft.build,
        config: draft.config,
        processes: draft.processes,
        deploy: draft.deploy,
        cause: draft.cause,
        by: by.clone(),
        at: now,
    };
    tx.put(&release)?;
    let text = format!("{version} was made: {}", release.cause);
    diary::write(tx, &app.name, EventKind::Release, text, by, now)?;
    let to = Incarnation { release: version, restart: app.restarts };
    let rollout = begin(tx, app, to, now)?;
    Ok((version, rollout))
}

/// Begins a rollout, in place of the one that may be under way, and stores `app` with it.
pub fn begin(
    tx: &mut Transaction<'_>,
    mut app: App,
    to: Incarnation,
    now: Timestamp,
) -> Result<RolloutNumber, StoreError> {
    if let Some(mut earlier) = under_way(tx, &app)? {
        // A rollout whose release serves already has reached its goal; only its end is not awaited.
        let served = matches!(earlier.phase, Phase::Shifting | Phase::Draining);
        earlier.phase = if served { Phase::Done } else { Phase::Superseded };
        earlier.phase_at = now;
        tx.put(&earlier)?;
    }
    app.last_rollout = app.last_rollout.next();
    app.rollout = Some(app.last_rollout);
    app.generation += 1;
    tx.put(&Rollout {
        app: app.name.clone(),
        number: app.last_rollout,
        from: app.current,
        to,
        phase: Phase::Starting,
        started_at: now,
        phase_at: now,
    })?;
    tx.put(&app)?;
    Ok(app.last_rollout)
}

/// The rollout that an app is in the middle of.
pub fn under_way(view: &impl View, app: &App) -> Result<Option<Rollout>, StoreError> {
    let Some(number) = app.rollout else { return Ok(None) };
    let rollout = view.get::<Rollout>(&(app.name.as_str().to_owned(), number.0.into()))?;
    Ok(rollout.filter(|rollout| !rollout.phase.is_final()))
}

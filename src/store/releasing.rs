//! Making a release and beginning its rollout: the one change of records that users (config,
//! rollback) and builds lead to alike.

use crate::{
    model::{
        Actor, App, Build, Cause, Config, EventKind, ImageId, Incarnation, Phase, Process,
        ProcessName, Release, ReleaseVersion, Rollout, RolloutNumber, Secrets, SourceDigest,
        Strategy, Tally, Timestamp, Trial, VolumeName, Wave, build::DeploySettings,
    },
    store::{StoreError, Transaction, View, diary, volumes},
};
use std::collections::{BTreeMap, BTreeSet};

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
    pub secrets: Secrets,
    /// See [`Release`].
    pub processes: BTreeMap<ProcessName, Process>,
    /// See [`Release`].
    pub deploy: DeploySettings,
    /// See [`Release`].
    pub cause: Cause,
}

impl Draft {
    /// What a finished build leads to, with the app's config and secrets; `None` if it did not succeed.
    pub fn of(build: &Build, app: &App) -> Option<Self> {
        let crate::model::BuildStatus::Succeeded(artifact) = &build.status else { return None };
        Some(Self {
            image: artifact.image.clone(),
            source: build.source.clone(),
            build: build.number,
            config: app.config.clone(),
            secrets: app.secrets.clone(),
            processes: artifact.processes.clone(),
            deploy: artifact.deploy.clone(),
            cause: match build.rebases {
                Some(of) => Cause::Rebase { of },
                None => Cause::Deploy { build: build.number },
            },
        })
    }

    /// The code of an earlier release with the app's config and secrets.
    pub fn again(release: &Release, app: &App, cause: Cause) -> Self {
        Self {
            image: release.image.clone(),
            source: release.source.clone(),
            build: release.build,
            config: app.config.clone(),
            secrets: app.secrets.clone(),
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
        secrets: draft.secrets,
        processes: draft.processes,
        deploy: draft.deploy,
        cause: draft.cause,
        by: by.clone(),
        at: now,
    };
    tx.put(&release)?;
    let text = format!("{version} was made: {}", release.cause);
    diary::write(tx, &app.name, EventKind::Release, text, by, now)?;
    volumes::ensure(tx, &release, by, now)?;
    let to = Incarnation { release: version, restart: app.restarts };
    let rollout = begin(tx, app, to, now)?;
    Ok((version, rollout))
}

/// Begins a rollout from what serves to fresh instances of the same, and stores `app` with it. People are told
/// `why`.
pub fn restart(
    tx: &mut Transaction<'_>,
    mut app: App,
    serving: ReleaseVersion,
    why: String,
    (by, now): (&Actor, Timestamp),
) -> Result<RolloutNumber, StoreError> {
    app.restarts += 1;
    let to = Incarnation { release: serving, restart: app.restarts };
    diary::write(tx, &app.name, EventKind::Rollout, why, by, now)?;
    begin(tx, app, to, now)
}

/// Begins a rollout, in place of the one that may be under way, and stores `app` with it.
pub fn begin(
    tx: &mut Transaction<'_>,
    mut app: App,
    to: Incarnation,
    now: Timestamp,
) -> Result<RolloutNumber, StoreError> {
    let mut stand_ins = Vec::new();
    if let Some(mut earlier) = under_way(tx, &app)? {
        let served = app.current == Some(earlier.to);
        if !served {
            stand_ins = earlier.left_behind(earlier.waves_taken_over());
        }
        earlier.phase = match earlier.phase {
            Phase::Reverting { reason, hint, last_lines } => {
                Phase::Failed { reason, hint, last_lines }
            }
            // A rollout whose release serves already has reached its goal; only its end is not awaited.
            _ if served => Phase::Done,
            _ => Phase::Superseded,
        };
        earlier.phase_at = now;
        tx.put(&earlier)?;
    }
    app.last_rollout = app.last_rollout.next();
    app.rollout = Some(app.last_rollout);
    app.generation += 1;
    let manner = manner(tx, &app, to)?;
    if let Some(why) = manner.untried {
        let text = format!("{} is not tried by a canary: {why}", to.release);
        diary::write(tx, &app.name, EventKind::Rollout, text, &Actor::platform(), now)?;
    }
    let Manner { waves, recreate, trial, .. } = manner;
    let phase = if has_command(tx, &app, to)? { Phase::Releasing } else { Phase::Starting };
    tx.put(&Rollout {
        app: app.name.clone(),
        number: app.last_rollout,
        from: app.current,
        to,
        phase,
        started_at: now,
        phase_at: now,
        waves,
        wave: 0,
        command: None,
        post_deploy: None,
        trial,
        recreate,
        stand_ins,
    })?;
    tx.put(&app)?;
    Ok(app.last_rollout)
}

/// Whether the release command is to run: for new code and new config, which it may depend on, and not
/// for what has been released before.
fn has_command(view: &impl View, app: &App, to: Incarnation) -> Result<bool, StoreError> {
    let key = (app.name.as_str().to_owned(), u64::from(to.release.0));
    let Some(release) = view.get::<Release>(&key)? else { return Ok(false) };
    let restart = app.current.is_some_and(|current| current.release == to.release);
    let new = matches!(release.cause, Cause::Deploy { .. } | Cause::Config { .. });
    Ok(new && !restart && release.processes.keys().any(ProcessName::precedes_release))
}

/// How an app changes from what serves to something else.
#[derive(Debug, Default)]
struct Manner {
    waves: Vec<Wave>,
    /// Processes whose old instances end first.
    recreate: BTreeSet<ProcessName>,
    trial: Option<Trial>,
    /// Why there is none although one was asked for.
    untried: Option<&'static str>,
}

/// How what serves changes to that incarnation.
fn manner(view: &impl View, app: &App, to: Incarnation) -> Result<Manner, StoreError> {
    let read = |version: ReleaseVersion| {
        view.get::<Release>(&(app.name.as_str().to_owned(), u64::from(version.0)))
    };
    let Some(release) = read(to.release)? else { return Ok(Manner::default()) };
    let Some(current) = app.current else {
        // An earlier first deploy that has not come to its end may have them already.
        return Ok(Manner { recreate: who_has(&release, |_| true), ..Manner::default() });
    };
    let takeover = &release.deploy.takeover;
    let recreated = |name: &&ProcessName| takeover.strategy_of(name) == Strategy::Recreate;
    let mut recreate: BTreeSet<_> = release.processes.keys().filter(recreated).cloned().collect();
    let before = read(current.release)?;
    recreate.extend(who_has(&release, |_| true));
    let wanted: BTreeSet<_> =
        release.processes.values().flat_map(|process| process.volumes.keys()).collect();
    // Whoever has a volume that another process is to have ends first as well.
    recreate.extend(before.iter().flat_map(|it| who_has(it, |volume| wanted.contains(volume))));
    let mut takeover = takeover.clone();
    takeover.of.extend(recreate.iter().map(|name| (name.clone(), Strategy::Recreate)));
    // What has served before needs no cautious trying; whoever goes back to it is in a hurry.
    let proven = current.release == to.release || matches!(release.cause, Cause::Rollback { .. });
    let is_canary = |name: &ProcessName| takeover.strategy_of(name) == Strategy::Canary;
    let is_asked_for = release.processes.keys().any(is_canary);
    // The edge speaks one protocol with all instances of an app.
    let same_tongue = before
        .as_ref()
        .is_some_and(|before| before.deploy.http.protocol == release.deploy.http.protocol);
    if proven || !same_tongue {
        let why = "it speaks another protocol to the edge than what serves";
        let untried = Some(why).filter(|_| is_asked_for && !proven);
        return Ok(Manner { recreate, untried, ..Manner::default() });
    }
    let formation = release.processes.keys().map(|name| (name, app.scale_of(name, &release)));
    let waves = takeover.waves(formation.clone());
    let beside = |name: &ProcessName| !recreate.contains(name);
    let tried =
        formation.clone().find(|(name, count)| takeover.is_tried(name, *count) && beside(name));
    let control = tried.zip(before).map(|((name, _), before)| app.scale_of(name, &before));
    let untried = match control {
        _ if !is_asked_for => None,
        None => Some("nothing of it takes requests, so it rolls"),
        Some(0) => Some("nothing that takes requests serves, so it rolls"),
        Some(_) => None,
    };
    let trial = control.filter(|control| *control > 0).map(|_| Trial {
        share: takeover.canary,
        lasts: takeover.canary_for,
        promoted_by: None,
        tally: Tally::default(),
    });
    Ok(Manner { waves, recreate, trial, untried })
}

/// The processes that have such a volume.
fn who_has(release: &Release, such: impl Fn(&VolumeName) -> bool) -> BTreeSet<ProcessName> {
    let has = |(_, process): &(&ProcessName, &Process)| process.volumes.keys().any(&such);
    release.processes.iter().filter(has).map(|(name, _)| name.clone()).collect()
}

/// The rollout that an app is in the middle of.
pub fn under_way(view: &impl View, app: &App) -> Result<Option<Rollout>, StoreError> {
    let Some(number) = app.rollout else { return Ok(None) };
    let rollout = view.get::<Rollout>(&(app.name.as_str().to_owned(), number.0.into()))?;
    Ok(rollout.filter(|rollout| !rollout.phase.is_final()))
}

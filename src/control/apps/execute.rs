//! Doing what a plan says, step by step. Nothing is decided here.
//!
//! What is not done, because a step failed or the daemon died between two of them, is not made up
//! for here: the next pass sees what was done and plans anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use crate::{
    build::BuildFolders,
    control::apps::{
        post_deploy,
        step::{Advance, Step},
        vault::{Vault, VaultError},
    },
    engine::{Engine, EngineError, InstanceSpec, Signal},
    faults,
    logs::{Collector, LogError, Logs},
    model::{
        Actor, App, AppName, Build, ContainerId, Domain, Event, EventKind, Incarnation, Instance,
        NodeName, Phase, PostDeploy, Release, Rollout, RolloutNumber, Run, Tally, Timestamp,
    },
    node::Past,
    store::{Record, Store, StoreError, Transaction, View, cron, diary, secrets, volumes},
    volumes::{FolderError, VolumeFolders},
};

/// What executing needs.
#[derive(Debug)]
pub struct Executor<E: Engine> {
    /// The records.
    pub store: Store,
    /// The containers.
    pub engine: E,
    /// The instances' output.
    pub collector: Arc<Collector<E>>,
    /// Where it is kept.
    pub logs: Logs,
    /// Who opens secrets.
    pub vault: Vault,
    /// Where builds keep what they know of an app.
    pub folders: BuildFolders,
    /// Where volumes lie.
    pub volumes: VolumeFolders,
    /// What this machine is called, whose they are.
    pub here: NodeName,
    /// Since when which instance has been told to end. Lost with the process: then it is told again.
    pub stopping: BTreeMap<ContainerId, Timestamp>,
    /// The same for this machine as a node, should another lead next or nobody.
    pub past: Past,
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The engine did not do it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An instance does not get its secrets.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An instance does not get its volumes, or they cannot be taken away.
    #[error(transparent)]
    Volume(#[from] FolderError),
    /// An app's logs could not be removed.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl<E: Engine> Executor<E> {
    /// Does the steps of one app in order, and at last starts instances side by side. `now` is what
    /// is recorded of them.
    ///
    /// A record that cannot be written, or must not be any more, ends the plan. A container that
    /// defies the engine does not: it must not keep the others from what they need.
    pub async fn execute(
        &mut self,
        app: &AppName,
        steps: Vec<Step>,
        now: Timestamp,
    ) -> Result<(), ExecuteError> {
        let mut starts = Vec::new();
        let mut first_fault = None;
        for step in steps {
            tracing::debug!(%app, %step, "step");
            match step {
                Step::Start(spec) => starts.push(*spec),
                Step::Terminate(id, _) => {
                    first_fault = first_fault.or(self.terminate(id, now).await.err());
                }
                Step::Kill(id, _) => {
                    self.past.ends(&id);
                    let killed = self.engine.signal(&id, Signal::Kill).await;
                    first_fault = first_fault.or(killed.err());
                }
                Step::Remove(id, _) => {
                    faults::point("apps.remove");
                    self.past.ends(&id);
                    first_fault = first_fault.or(self.engine.remove(&id).await.err());
                }
                Step::PostDeploy(rollout, how_far, story) => {
                    match self.post_deploy(app, rollout, how_far, story, now).await? {
                        Recorded::Written => {}
                        Recorded::Outdated => return Ok(()),
                    }
                }
                Step::Count(rollout, tally) => self.count(app, rollout, tally).await?,
                Step::Advance(advance) => match self.advance(app, advance, now).await? {
                    Recorded::Written => {}
                    Recorded::Outdated => return Ok(()),
                },
                Step::Erase => self.erase(app).await?,
                Step::Tell(kind, text) => self.tell(app, kind, text, now).await?,
                Step::Report(text, id) => self.report(app, text, &id, now).await?,
            }
        }
        if let Some(fault) = first_fault {
            self.start(starts).await.ok();
            return Err(fault.into());
        }
        self.start(starts).await
    }

    /// Removes the containers of an app that is not on record, and then its network: traces of a
    /// restored or lost store, or of a start that the engine finished after the app was erased.
    pub async fn remove_orphans(
        &self,
        app: &AppName,
        containers: Vec<Instance>,
    ) -> Result<(), EngineError> {
        for instance in containers {
            tracing::warn!(%app, container = %instance.id, "removing an orphan");
            self.engine.remove(&instance.id).await?;
        }
        self.engine.forget(app).await
    }

    /// Forgets what it remembers of containers that are not there any more.
    pub fn forget_all_but(&mut self, there: &BTreeSet<&ContainerId>) {
        self.stopping.retain(|id, _| there.contains(id));
    }

    async fn start(&self, specs: Vec<InstanceSpec>) -> Result<(), ExecuteError> {
        let mut starting = stream::iter(specs)
            .map(|spec| async move {
                // What is in a volume is not exchanged while somebody is started who has it.
                let _turn = if spec.process.volumes.is_empty() {
                    None
                } else {
                    Some(self.volumes.turn().read().await)
                };
                if !self.takes_volumes(&spec).await? {
                    return Ok(());
                }
                let mut spec = self.vault.equip(spec)?;
                if spec.node.is_none() {
                    spec.disks = self.volumes.ready(&spec.app, &spec.process)?;
                }
                faults::point("apps.start");
                self.engine.start(&spec).await?;
                Ok::<_, ExecuteError>(())
            })
            .buffer_unordered(STARTS_AT_ONCE);
        let mut first_fault = None;
        while let Some(started) = starting.next().await {
            faults::point("apps.started");
            first_fault = first_fault.or(started.err());
        }
        first_fault.map_or(Ok(()), Err)
    }

    /// Whether an instance that is to be started may have its volumes. Before there is a folder it is on record
    /// whose it is.
    async fn takes_volumes(&self, spec: &InstanceSpec) -> Result<bool, StoreError> {
        let names: BTreeSet<_> = spec.process.volumes.keys().cloned().collect();
        if names.is_empty() {
            return Ok(true);
        }
        let (app, here, node) = (spec.app.clone(), self.here.clone(), spec.node.clone());
        let taken = move |tx: &mut Transaction<'_>| {
            volumes::take(tx, (&app, &names), (node.as_ref(), &here))
        };
        self.store.transact(taken).await
    }

    async fn terminate(&mut self, id: ContainerId, now: Timestamp) -> Result<(), EngineError> {
        faults::point("apps.terminate");
        self.past.ends(&id);
        self.engine.signal(&id, Signal::Terminate).await?;
        self.stopping.insert(id, now);
        Ok(())
    }

    /// Writes an event.
    pub(super) async fn tell(
        &self,
        app: &AppName,
        kind: EventKind,
        text: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let app = app.clone();
        self.store
            .transact(move |tx| diary::write(tx, &app, kind, text, &Actor::platform(), now))
            .await
    }

    async fn report(
        &self,
        app: &AppName,
        mut text: String,
        id: &ContainerId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let lines = self.last_words(app, id, LAST_LINES_HASTE).await;
        let last = lines.get(lines.len().saturating_sub(LINES_OF_EVENT)..).unwrap_or_default();
        if !last.is_empty() {
            text = format!("{text}. It wrote last: {}", last.join(" | "));
        }
        self.tell(app, EventKind::Instance, text, now).await
    }

    async fn advance(
        &self,
        app: &AppName,
        mut advance: Advance,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let unheard = match (&mut advance.to, &advance.blame) {
            (Phase::Failed { last_lines, .. }, Some(blame)) => {
                Some((last_lines, blame, LAST_LINES_PATIENCE))
            }
            // Until it is recorded visitors are sent to whom it is about.
            (Phase::Reverting { last_lines, .. }, Some(blame)) => {
                Some((last_lines, blame, LAST_LINES_HASTE))
            }
            _ => None,
        };
        if let Some((last_lines, blame, patience)) = unheard {
            *last_lines = self.last_words(app, blame, patience).await;
        }
        faults::point("apps.advance");
        let app = app.clone();
        let recorded = self.store.transact(move |tx| record(tx, &app, advance, now)).await?;
        faults::point("apps.advanced");
        Ok(recorded)
    }

    async fn post_deploy(
        &self,
        app: &AppName,
        number: RolloutNumber,
        how_far: PostDeploy,
        story: String,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let app = app.clone();
        let key = (app.as_str().to_owned(), u64::from(number.0));
        let recorded = self.store.transact(move |tx| {
            let Some(mut rollout) = tx.get::<Rollout>(&key)? else { return Ok(Recorded::Outdated) };
            // Somebody may have aborted it since it was planned: then it does not serve.
            let ended = rollout.post_deploy.is_some_and(|it| it.ended.is_some());
            if ended || !post_deploy::serves(&rollout.phase) {
                return Ok(Recorded::Outdated);
            }
            rollout.post_deploy = Some(how_far);
            tx.put(&rollout)?;
            diary::write(tx, &app, EventKind::Rollout, story, &Actor::platform(), now)?;
            Ok(Recorded::Written)
        });
        recorded.await
    }

    async fn count(
        &self,
        app: &AppName,
        number: RolloutNumber,
        tally: Box<Tally>,
    ) -> Result<(), StoreError> {
        let key = (app.as_str().to_owned(), u64::from(number.0));
        self.store
            .transact(move |tx| {
                let Some(mut rollout) = tx.get::<Rollout>(&key)? else { return Ok(()) };
                if let (Phase::Trying, Some(trial)) = (&rollout.phase, &mut rollout.trial) {
                    trial.tally = *tally;
                    tx.put(&rollout)?;
                }
                Ok(())
            })
            .await
    }

    /// What an instance wrote last; what cannot be had in time is left out.
    async fn last_words(&self, app: &AppName, id: &ContainerId, patience: Duration) -> Vec<String> {
        // An instance that still runs writes on; one that ended is read to its end.
        timeout(patience, self.collector.drained(id)).await.ok();
        self.collector.last_lines(app, id, LAST_LINES).await.unwrap_or_default()
    }

    async fn erase(&mut self, app: &AppName) -> Result<(), ExecuteError> {
        self.engine.forget(app).await?;
        self.logs.forget(app).await?;
        self.volumes.discard_all(app)?;
        let (folders, name) = (self.folders.clone(), app.clone());
        // Removing a large tree blocks; what stays of it is removed when the name is used again.
        tokio::task::spawn_blocking(move || folders.forget(&name)).await.ok();
        let app = app.clone();
        self.store.transact(move |tx| erase_records(tx, &app)).await?;
        Ok(())
    }
}

/// Whether a status record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recorded {
    Written,
    /// The intent has moved; what else was planned with it is out of date as well.
    Outdated,
}

/// Writes a phase and its story, unless the intent has moved since it was planned.
fn record(
    tx: &mut Transaction<'_>,
    name: &AppName,
    advance: Advance,
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    let Some(mut app) = tx.get::<App>(&name.as_str().to_owned())? else {
        return Ok(Recorded::Outdated);
    };
    let key = (name.as_str().to_owned(), u64::from(advance.rollout.0));
    let Some(mut rollout) = tx.get::<Rollout>(&key)? else { return Ok(Recorded::Outdated) };
    if app.generation != advance.generation || rollout.phase.is_final() {
        return Ok(Recorded::Outdated);
    }
    if advance.to.is_final() {
        app.rollout = None;
    }
    serve(tx, &mut app, &rollout, advance.current, now)?;
    rollout.wave = advance.wave;
    match advance.to {
        Phase::Reverting { reason, hint, last_lines } => rollout.revert(reason, hint, last_lines),
        to => {
            if to == Phase::Releasing {
                rollout.command = Some(now);
            }
            if let (Phase::Trying, Some(trial)) = (&to, &mut rollout.trial) {
                trial.tally = Tally { at: now, ..Tally::default() };
            }
            rollout.phase = to;
        }
    }
    rollout.phase_at = now;
    tx.put(&rollout)?;
    tx.put(&app)?;
    if let Some(text) = advance.story {
        diary::write(tx, name, EventKind::Rollout, text, &Actor::platform(), now)?;
    }
    Ok(Recorded::Written)
}

/// Has an incarnation serve, if that changes. What it takes the place of is remembered for its files, unless
/// those are the same or it is only gone back to.
fn serve(
    tx: &Transaction<'_>,
    app: &mut App,
    rollout: &Rollout,
    current: Option<Incarnation>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(current) = current else { return Ok(()) };
    let image = |one: Incarnation| {
        let key = (app.name.as_str().to_owned(), u64::from(one.release.0));
        Ok::<_, StoreError>(tx.get::<Release>(&key)?.map(|release| release.image))
    };
    let before = app.current.map(image).transpose()?.flatten();
    if current == rollout.to && before != image(current)? {
        app.succeed(current, now);
    } else {
        app.serve(current);
    }
    Ok(())
}

fn erase_records(tx: &mut Transaction<'_>, name: &AppName) -> Result<(), StoreError> {
    let key = name.as_str().to_owned();
    for build in tx.scan::<Build>(name.as_str())? {
        tx.delete::<Build>(&(key.clone(), build.number.0.into()))?;
    }
    for release in tx.scan::<Release>(name.as_str())? {
        tx.delete::<Release>(&(key.clone(), release.version.0.into()))?;
    }
    for rollout in tx.scan::<Rollout>(name.as_str())? {
        tx.delete::<Rollout>(&(key.clone(), rollout.number.0.into()))?;
    }
    for domain in tx.scan::<Domain>(&())?.iter().filter(|domain| domain.app == *name) {
        tx.delete::<Domain>(&domain.key())?;
    }
    secrets::forget_all(tx, name)?;
    volumes::forget_all(tx, name)?;
    for run in tx.scan::<Run>(name.as_str())? {
        tx.delete::<Run>(&(key.clone(), run.number.0.into()))?;
    }
    cron::forget_all(tx, name)?;
    for event in tx.scan::<Event>(name.as_str())? {
        tx.delete::<Event>(&(key.clone(), event.number))?;
    }
    tx.delete::<App>(&key)
}

/// Docker starts a container in 0.2 s of mostly its own locks; more at once only queue there.
const STARTS_AT_ONCE: usize = 4;

/// Lines of a failed instance that go into the reason.
const LAST_LINES: usize = 20;

/// Lines of an instance that go into an event.
const LINES_OF_EVENT: usize = 3;

/// How long the rest of a failed instance's output is waited for.
const LAST_LINES_PATIENCE: Duration = Duration::from_secs(2);

/// The same while something waits for it.
const LAST_LINES_HASTE: Duration = Duration::from_millis(200);

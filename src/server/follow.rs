//! A build and the rollout after it, as they happen. Who joins late gets what has been so far.
//!
//! The story is told from the records, the build's log and the published observation; closing the
//! connection changes nothing of it.

use std::{sync::Arc, time::Duration};

use api::Frame;
use axum::{
    body::Body,
    extract::{Path, Query, State},
    response::Response,
};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    clock, logs,
    model::{
        App, AppName, Build, BuildNumber, BuildStatus, Observation, Phase, PostDeploy, ProcessName,
        Release, Rollout, RolloutNumber, Timestamp,
    },
    server::{
        apps,
        caller::Caller,
        fault::Failure,
        state::Api,
        stream::{self, Gone},
        view,
    },
    store::{Snapshot, StoreError, View},
};

#[derive(Debug, Deserialize)]
pub(super) struct Subject {
    build: Option<u32>,
    rollout: Option<u32>,
}

pub(super) async fn follow(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(subject): Query<Subject>,
) -> Result<Response<Body>, Failure> {
    let app: AppName = name.parse()?;
    let snapshot = api.store.snapshot();
    let record = apps::on_record(&snapshot, &app)?;
    let missing = |what: String| {
        Failure::new(api::FaultCode::NotFound, format!("{app} has no {what}"))
            .hint(format!("`paas releases -a {app}` shows what happened"))
    };
    let key = |number: u32| (app.as_str().to_owned(), u64::from(number));
    let subject = match subject {
        Subject { build: Some(number), .. } => snapshot
            .get::<Build>(&key(number))?
            .map(|build| Followed::Build(build.number))
            .ok_or_else(|| missing(format!("build {number}")))?,
        Subject { build: None, rollout } => {
            let number = rollout.unwrap_or(record.last_rollout.0);
            snapshot
                .get::<Rollout>(&key(number))?
                .map(|rollout| Followed::Rollout(rollout.number))
                .ok_or_else(|| missing(format!("rollout {number}")))?
        }
    };
    let (frames, body) = stream::ndjson::<Frame>();
    let teller = Teller { api, app, frames };
    tokio::spawn(teller.tell(subject));
    Ok(body)
}

/// The story of a build and the rollout after it, for who tells it in another way.
pub(super) fn story(api: &Api, app: &AppName, build: BuildNumber) -> mpsc::Receiver<Frame> {
    let (frames, story) = mpsc::channel(PENDING);
    let teller = Teller { api: api.clone(), app: app.clone(), frames };
    tokio::spawn(teller.tell(Followed::Build(build)));
    story
}

#[derive(Debug, Clone, Copy)]
enum Followed {
    Build(BuildNumber),
    Rollout(RolloutNumber),
}

#[derive(Debug)]
struct Teller {
    api: Api,
    app: AppName,
    frames: mpsc::Sender<Frame>,
}

/// Why a story ends before its end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the listener has gone")]
    Gone(#[from] Gone),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the record vanished")]
    Vanished,
}

impl Teller {
    async fn tell(self, subject: Followed) {
        let told = match subject {
            Followed::Build(number) => self.tell_build(number).await,
            Followed::Rollout(number) => {
                let began = self.rollout(number).map(|(_, rollout)| rollout.started_at);
                match began {
                    Ok(began) => self.tell_rollout(number, began).await,
                    Err(error) => Err(error),
                }
            }
        };
        // A server that ends breaks off: who follows asks its successor.
        if let Err(Broken::Store(StoreError::Closed)) = told {
            return;
        }
        if let Err(Broken::Store(_) | Broken::Vanished) = told {
            let gone = Frame::Failed {
                stage: "rollout".to_owned(),
                reason: format!("{} is no longer there", self.app),
                hint: None,
                last_lines: Vec::new(),
                still_serving: None,
            };
            // Whoever has gone does not need to be told.
            self.say(gone).await.ok();
        }
    }

    async fn tell_build(&self, number: BuildNumber) -> Result<(), Broken> {
        let began = self.wait_for_turn(number).await?;
        self.phase("build", began).await?;
        if let Ok(mut lines) = self.api.logs.follow_build(&self.app, number).await {
            while let Some(text) = lines.next().await {
                self.say(Frame::Log { text }).await?;
            }
        }
        let build = self.wait_for_build(number).await?;
        match (&build.status, build.release) {
            (BuildStatus::Succeeded(artifact), Some(release)) => {
                let image = artifact.image.to_string();
                self.say(Frame::Image { image, bytes: artifact.size.0 }).await?;
                self.say(Frame::Release { release: release.to_string() }).await?;
                let rollouts = self.api.store.snapshot().scan::<Rollout>(self.app.as_str())?;
                let rollout = rollouts.iter().find(|rollout| rollout.to.release == release);
                let rollout = rollout.ok_or(Broken::Vanished)?;
                self.tell_rollout(rollout.number, build.queued_at).await
            }
            (BuildStatus::Failed { reason, hint, .. }, _) => {
                let stage = if build.rebases.is_some() { "rebase" } else { "build" };
                self.failed(stage, reason.clone(), hint.clone(), Vec::new()).await
            }
            _ => {
                let (reason, hint) = match view::replaced(&build) {
                    Some((why, hint)) => (format!("the build was cancelled: {why}"), hint),
                    None => {
                        let hint = "deploy again: `paas deploy`".to_owned();
                        ("the build was cancelled".to_owned(), hint)
                    }
                };
                self.failed("build", reason, Some(hint), Vec::new()).await
            }
        }
    }

    /// Ends when the build has begun, and says when that was.
    async fn wait_for_turn(&self, number: BuildNumber) -> Result<Timestamp, Broken> {
        let mut commits = self.api.store.changes();
        let mut said = None;
        loop {
            commits.mark_unchanged();
            let snapshot = self.api.store.snapshot();
            let build = self.build(&snapshot, number)?;
            if !matches!(build.status, BuildStatus::Queued) {
                return Ok(build.started_at.unwrap_or(build.queued_at));
            }
            let all = snapshot.scan::<Build>(&())?;
            let (ahead, behind) = view::queue(&build, &all);
            let awaits = view::awaited(&build, &all, clock::now());
            let which = awaits.clone().map(|it| (ahead, it.app, it.build, it.status));
            if ahead > 0 && said != which {
                said = which;
                self.say(Frame::Queued { ahead, behind, awaits }).await?;
            }
            commits.changed().await.map_err(|_| StoreError::Closed)?;
        }
    }

    async fn wait_for_build(&self, number: BuildNumber) -> Result<Build, Broken> {
        let mut commits = self.api.store.changes();
        loop {
            commits.mark_unchanged();
            let build = self.build(&self.api.store.snapshot(), number)?;
            if build.status.is_final() {
                return Ok(build);
            }
            commits.changed().await.map_err(|_| StoreError::Closed)?;
        }
    }

    async fn tell_rollout(&self, number: RolloutNumber, began: Timestamp) -> Result<(), Broken> {
        let mut commits = self.api.store.changes();
        let mut observations = self.api.observation.clone();
        let (mut said, mut shown) = (None, Vec::new());
        // Whoever joins later has not heard of it either.
        let mut releasing = self.rollout(number)?.1.command.is_some();
        loop {
            commits.mark_unchanged();
            let observation: Arc<Observation> = observations.borrow_and_update().clone();
            let (app, rollout) = self.rollout(number)?;
            if releasing && rollout.phase != Phase::Releasing {
                self.tell_command(ProcessName::RELEASE, &rollout).await?;
            }
            releasing = rollout.phase == Phase::Releasing;
            let phase = phase_name(&rollout);
            if phase.is_some() && said != phase {
                self.phase(phase.as_deref().unwrap_or_default(), rollout.phase_at).await?;
                said = phase;
            }
            let progress = self.progress(&rollout, &observation)?;
            if !rollout.phase.is_final() && progress != shown {
                shown.clone_from(&progress);
                self.say(Frame::Instances { instances: progress }).await?;
            }
            match &rollout.phase {
                Phase::Watching if rollout.is_last_wave() => {
                    return self.done(&rollout, began).await;
                }
                Phase::Releasing
                | Phase::Starting
                | Phase::Trying
                | Phase::Shifting
                | Phase::Watching => {}
                Phase::Draining | Phase::Done => return self.done(&rollout, began).await,
                Phase::Reverting { reason, hint, last_lines }
                | Phase::Failed { reason, hint, last_lines } => {
                    let (reason, hint) = (reason.clone(), hint.clone());
                    return self.failed("rollout", reason, hint, last_lines.clone()).await;
                }
                Phase::Superseded => {
                    let reason = if app.last_rollout > number {
                        "a newer release took its place".to_owned()
                    } else {
                        "it was given up".to_owned()
                    };
                    return self.failed("rollout", reason, None, Vec::new()).await;
                }
            }
            tokio::select! {
                changed = commits.changed() => changed.map_err(|_| StoreError::Closed)?,
                changed = observations.changed() => changed.map_err(|_| StoreError::Closed)?,
            }
        }
    }

    /// What the command wrote that runs when the release serves, if that is quick.
    async fn tell_post_deploy(&self, number: RolloutNumber) -> Result<(), Broken> {
        let (app, rollout) = self.rollout(number)?;
        let key = (app.name.as_str().to_owned(), u64::from(rollout.to.release.0));
        let release = self.api.store.snapshot().get::<Release>(&key)?;
        // Where nobody will begin it, nobody waits for it.
        if !release.is_some_and(|release| rollout.is_followed(&release)) {
            return Ok(());
        }
        let over = async {
            let mut commits = self.api.store.changes();
            let mut said = false;
            loop {
                commits.mark_unchanged();
                let (_, rollout) = self.rollout(number)?;
                if let Some(PostDeploy { begun, ended }) = rollout.post_deploy {
                    if !said {
                        self.phase(ProcessName::POST_DEPLOY, begun).await?;
                        said = true;
                    }
                    if ended.is_some() {
                        return self.tell_command(ProcessName::POST_DEPLOY, &rollout).await;
                    }
                }
                if rollout.phase.is_final() {
                    return Ok(());
                }
                commits.changed().await.map_err(|_| StoreError::Closed)?;
            }
        };
        match timeout(POST_DEPLOY_PATIENCE, over).await {
            Ok(told) => told,
            Err(_) => {
                let text = "it goes on: `paas logs -p post_deploy -f`".to_owned();
                self.say(Frame::Log { text }).await
            }
        }
    }

    /// What a command of the release wrote, once all of it is kept.
    async fn tell_command(&self, name: &str, rollout: &Rollout) -> Result<(), Broken> {
        let Ok(release) = name.parse::<ProcessName>() else { return Ok(()) };
        let mut observations = self.api.observation.clone();
        let kept = observations.wait_for(|seen| {
            let here = seen.apps.get(&self.app).map_or(&[][..], Vec::as_slice);
            let mut own = here.iter().filter(|o| {
                o.instance.slot.process == release && o.instance.incarnation == rollout.to
            });
            own.all(|o| o.output_kept)
        });
        timeout(COMMAND_PATIENCE, kept).await.ok();
        let query = logs::Query {
            process: Some(release.clone()),
            release: Some(rollout.to.release),
            ..logs::Query::last(COMMAND_LINES)
        };
        let lines = self.api.logs.query(&self.app, query).await.unwrap_or_default();
        for line in lines {
            self.say(Frame::Log { text: line.text }).await?;
        }
        Ok(())
    }

    async fn done(&self, rollout: &Rollout, began: Timestamp) -> Result<(), Broken> {
        self.tell_post_deploy(rollout.number).await?;
        let took = clock::now().since(began).as_millis();
        let snapshot = self.api.store.snapshot();
        let mut urls = apps::urls(&self.api, &snapshot, &self.app)?;
        let remark = view::idle(&snapshot, &self.app, rollout.to.release)?;
        if remark.is_some() {
            urls.clear();
        }
        self.say(Frame::Done {
            release: rollout.to.release.to_string(),
            urls,
            remark,
            watched: self.watched(rollout)?,
            took_ms: u64::try_from(took).unwrap_or(u64::MAX),
        })
        .await
    }

    /// What is done if the new release dies soon.
    fn watched(&self, rollout: &Rollout) -> Result<Option<api::Watched>, Broken> {
        let from = rollout.from.filter(|_| rollout.phase == Phase::Watching);
        let key = (self.app.as_str().to_owned(), u64::from(rollout.to.release.0));
        let release = self.api.store.snapshot().get::<Release>(&key)?;
        Ok(from.zip(release).map(|(from, release)| {
            let over = rollout.phase_at.plus(release.deploy.takeover.watch);
            let left = over.since(clock::now()).as_millis();
            api::Watched {
                fallback: from.release.to_string(),
                left_ms: u64::try_from(left).unwrap_or(u64::MAX),
            }
        }))
    }

    async fn failed(
        &self,
        stage: &str,
        reason: String,
        hint: Option<String>,
        last_lines: Vec<String>,
    ) -> Result<(), Broken> {
        let app = self.api.store.snapshot().get::<App>(&self.app.as_str().to_owned())?;
        let serving = app.and_then(|app| app.current).map(|current| current.release.to_string());
        let stage = stage.to_owned();
        self.say(Frame::Failed { stage, reason, hint, last_lines, still_serving: serving }).await
    }

    fn progress(
        &self,
        rollout: &Rollout,
        observation: &Observation,
    ) -> Result<Vec<api::InstanceProgress>, Broken> {
        let key = (self.app.as_str().to_owned(), u64::from(rollout.to.release.0));
        let release = self.api.store.snapshot().get::<Release>(&key)?;
        let seen = observation.apps.get(&self.app).map_or(&[][..], Vec::as_slice);
        let new = seen.iter().filter(|observed| observed.instance.incarnation == rollout.to);
        Ok(new.map(|observed| view::progress(observed, release.as_ref())).collect())
    }

    fn build(&self, snapshot: &Snapshot, number: BuildNumber) -> Result<Build, Broken> {
        let key = (self.app.as_str().to_owned(), u64::from(number.0));
        snapshot.get::<Build>(&key)?.ok_or(Broken::Vanished)
    }

    fn rollout(&self, number: RolloutNumber) -> Result<(App, Rollout), Broken> {
        let snapshot = self.api.store.snapshot();
        let key = self.app.as_str().to_owned();
        let app = snapshot.get::<App>(&key)?.ok_or(Broken::Vanished)?;
        let rollout = snapshot.get::<Rollout>(&(key, number.0.into()))?;
        Ok((app, rollout.ok_or(Broken::Vanished)?))
    }

    async fn phase(&self, name: &str, at: Timestamp) -> Result<(), Broken> {
        self.say(Frame::Phase { name: name.to_owned(), at: at.to_string() }).await
    }

    async fn say(&self, frame: Frame) -> Result<(), Broken> {
        self.frames.send(frame).await.map_err(|_| Broken::Gone(Gone))
    }
}

/// Lines of the release command that are told; all of them are in the app's log.
const COMMAND_LINES: usize = 500;

/// How long the end of the command is waited for that runs when the release serves.
const POST_DEPLOY_PATIENCE: Duration = Duration::from_secs(10);

/// How long the rest of what it wrote is waited for.
const COMMAND_PATIENCE: Duration = Duration::from_secs(1);

fn phase_name(rollout: &Rollout) -> Option<String> {
    let (wave, waves) = (rollout.present_wave() + 1, rollout.waves.len() + 1);
    match rollout.phase {
        Phase::Releasing => Some("release".to_owned()),
        Phase::Starting | Phase::Shifting if wave > 1 => Some(format!("wave {wave} of {waves}")),
        Phase::Starting => Some("start".to_owned()),
        Phase::Trying => rollout.trial.as_ref().map(|trial| format!("canary {}", trial.share)),
        Phase::Shifting => Some("shift".to_owned()),
        Phase::Watching if !rollout.is_last_wave() && wave == 1 => Some("watch".to_owned()),
        Phase::Draining => Some("drain".to_owned()),
        Phase::Watching
        | Phase::Done
        | Phase::Reverting { .. }
        | Phase::Failed { .. }
        | Phase::Superseded => None,
    }
}

/// Frames that wait for whoever tells them.
const PENDING: usize = 64;

//! What a machine that led before was at when another one came to lead: runs and builds.
//!
//! Whoever leads now has them on record as over, and does not see them: both are the leader's own machine's. So
//! whoever has them ends them, for as long as somebody else leads it: they are told to, killed if they do not heed it,
//! and removed. Invariant: on a machine that leads nothing is done here; its records say what is to go on.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use tokio::time::sleep;

use crate::{
    clock,
    engine::{BuildEngine, Engine, EngineError, Signal, docker::Docker},
    model::{ContainerId, InstanceState, Timestamp},
    telemetry::chain,
};

/// Ends and removes them, again and again: one may have been about to begin.
pub(super) async fn clear(docker: &Docker) -> Infallible {
    let mut told = BTreeMap::new();
    loop {
        let left = async {
            let builders = docker.builders().await?;
            for builder in &builders {
                tracing::warn!(container = %builder.id, "removing a build that nobody leads any more");
                docker.remove_builder(&builder.id).await?;
            }
            end_runs(docker, &mut told, clock::now()).await
        };
        let pause = match left.await {
            Ok(0) => NOTHING_LEFT,
            Ok(_) => SOON,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "runs that nobody leads any more stay");
                SOON
            }
        };
        sleep(pause).await;
    }
}

/// Does what it is time for about each run, and says how many there were. Of those that are `told` to end it is known
/// since when.
async fn end_runs(
    engine: &impl Engine,
    told: &mut BTreeMap<ContainerId, Timestamp>,
    now: Timestamp,
) -> Result<usize, EngineError> {
    let runs = engine.runs().await?;
    told.retain(|id, _| runs.iter().any(|run| run.id == *id));
    for run in &runs {
        let (app, number, id) = (&run.app, &run.slot, &run.id);
        let runs = matches!(run.state, InstanceState::Running { .. });
        match told.get(id) {
            None if runs => {
                tracing::warn!(%app, run = %number, container = %id, "ending a run that nobody leads any more");
                engine.signal(id, Signal::Terminate).await?;
                told.insert(id.clone(), now);
            }
            Some(since) if runs && now.since(*since) < GRACE => {}
            None | Some(_) => engine.remove(id).await?,
        }
    }
    Ok(runs.len())
}

/// From SIGTERM to the end, as of every run.
const GRACE: Duration = Duration::from_secs(10);
/// Between two looks while something is left.
const SOON: Duration = Duration::from_secs(1);
/// The same while nothing is.
const NOTHING_LEFT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{
            InstanceSpec, RunSpec,
            fake::{Behaviour, Fake, OnTerminate},
        },
        model::{
            AppName, Incarnation, Process, ProcessName, ReleaseVersion, RunConsole, RunNumber,
        },
    };

    /// A run of an app that does this when it is told to end.
    async fn begun(engine: &Fake, on_terminate: OnTerminate) {
        let app: AppName = "shop".parse().unwrap();
        engine.behave(&app, Behaviour { on_terminate, ..Behaviour::default() });
        let web: ProcessName = "web".parse().unwrap();
        let spec = RunSpec {
            instance: InstanceSpec {
                app,
                slot: RunNumber(1).slot(),
                incarnation: Incarnation { release: ReleaseVersion(1), restart: 0 },
                attempt: 0,
                node: None,
                image: format!("sha256:{:064x}", 1).parse().unwrap(),
                process: Process::plain(web, Vec::new(), String::new()),
                environment: [].into(),
                secrets: [].into(),
                files: [].into(),
                handed: None,
                sent: [].into(),
                disks: Vec::new(),
            },
            console: RunConsole::Detached,
        };
        engine.start_run(&spec).await.unwrap();
    }

    /// How many containers there are after each look at one that does this when it is told to end.
    async fn looks(on_terminate: OnTerminate, pauses: &[u64]) -> Vec<usize> {
        let engine = Fake::new(Timestamp::default());
        begun(&engine, on_terminate).await;
        let (mut told, mut now, mut left) = (BTreeMap::new(), Timestamp::default(), Vec::new());
        for pause in pauses {
            let pause = Duration::from_secs(*pause);
            now = now.plus(pause);
            engine.at(now);
            end_runs(&engine, &mut told, now).await.unwrap();
            left.push(engine.containers().len());
        }
        left
    }

    #[tokio::test]
    async fn a_run_that_was_left_is_told_to_end_and_removed_when_it_has() {
        assert_eq!(looks(OnTerminate::End, &[1, 1]).await, [1, 0]);
        let later = OnTerminate::EndAfter(Duration::from_secs(3));
        assert_eq!(looks(later, &[1, 1, 1, 2]).await, [1, 1, 1, 0]);
    }

    #[tokio::test]
    async fn one_that_does_not_heed_it_is_removed_after_its_grace() {
        assert_eq!(looks(OnTerminate::Ignore, &[1, 9, 1]).await, [1, 1, 0]);
    }
}

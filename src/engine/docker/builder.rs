//! Build containers: made, waited for, listed after a crash. What runs in one is `build/`'s affair.

use bollard::{
    container::LogOutput,
    query_parameters::{InspectContainerOptions, LogsOptions, WaitContainerOptions},
};
use futures_util::{StreamExt, TryStreamExt};

use super::{
    Docker, fault,
    label::{self, Role},
    network::{self, Network},
    observe::{life, list},
    policy, remove_container,
    start::{Plan, create, run},
};
use crate::{
    engine::{Builder, BuilderSpec, EngineError},
    model::{ContainerId, Exit, InstanceState, Timestamp},
};

/// Makes and starts it. One of that name is what a crash left, and its work is lost with the daemon
/// that knew of it; it goes.
pub(super) async fn start(docker: &Docker, spec: &BuilderSpec) -> Result<ContainerId, EngineError> {
    let installation = docker.installation();
    let plan = Plan {
        name: label::builder_name(installation, spec),
        network: Network::of_builds(installation),
        body: policy::builder(docker.settings(), spec),
    };
    network::ensure(docker, &plan.network).await?;
    let id = match create(docker, &plan).await {
        Err(error) if fault::status(&error) == Some(409) => {
            remove_container(docker, &plan.name).await?;
            create(docker, &plan).await?
        }
        other => other?,
    };
    run(docker, &plan, &id).await?;
    Ok(id)
}

/// Waits for its end, then looks how it ended: the answer to waiting says neither whether memory ran
/// out nor why it could not start. A connection lost while waiting is not the build's end; the
/// inspection, which has a deadline, tells whether Docker is there.
pub(super) async fn wait(docker: &Docker, id: &ContainerId) -> Result<Exit, EngineError> {
    loop {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut waiting = docker.api().wait_container(&id.0, Some(options)).boxed();
        // An error is how bollard reports a code other than 0.
        let _ = waiting.next().await;
        if let Some(exit) = exit(docker, id).await? {
            return Ok(exit);
        }
        tokio::time::sleep(LOST_CONNECTION_PAUSE).await;
    }
}

/// How a container ended, if it has.
pub(super) async fn exit(docker: &Docker, id: &ContainerId) -> Result<Option<Exit>, EngineError> {
    let inspect = docker.api().inspect_container(&id.0, None::<InspectContainerOptions>);
    let inspected = docker.ask("container inspect", &id.0, inspect).await?;
    let created = inspected.created.as_deref().and_then(Timestamp::parse).unwrap_or_default();
    Ok(match inspected.state.and_then(|state| life(&state, created)) {
        Some(InstanceState::Exited(exit)) => Some(exit),
        Some(InstanceState::Created | InstanceState::Running { .. }) | None => None,
    })
}

/// The end of what it wrote.
pub(super) async fn output(docker: &Docker, id: &ContainerId) -> Result<String, EngineError> {
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        tail: TAIL_LINES.to_string(),
        ..Default::default()
    };
    let frames = docker.api().logs(&id.0, Some(options));
    let frames: Vec<LogOutput> = docker.ask("logs", &id.0, frames.try_collect()).await?;
    Ok(frames.iter().map(ToString::to_string).collect())
}

pub(super) async fn all(docker: &Docker) -> Result<Vec<Builder>, EngineError> {
    let builders = list(docker, Role::Builder).await?.into_iter().filter_map(|summary| {
        let (app, build) = label::build(&summary.labels?)?;
        Some(Builder { id: ContainerId(summary.id?), app, build })
    });
    Ok(builders.collect())
}

/// At most 16 KiB each, so that the answer is bounded too.
const TAIL_LINES: u32 = 200;

/// Between two waits, when the first one ended before the build did.
const LOST_CONNECTION_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

//! Finding this machine's Docker: it is tried until it answers, and until then people are told how to get it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{
        EngineError,
        docker::{Docker, DockerSettings},
    },
    model::Observation,
    node::{Fleet, Nodes},
    server::EngineStatus,
    telemetry::chain,
};

/// Tries until Docker answers; `None` if the daemon is stopped before. Beside it is Docker with those of
/// the nodes.
pub(super) async fn connect(
    settings: &DockerSettings,
    nodes: Nodes,
    (observation, status): (&watch::Sender<Arc<Observation>>, &watch::Sender<EngineStatus>),
    stop: &CancellationToken,
) -> Option<(Docker, Fleet)> {
    let mut said = None;
    loop {
        let connected = async {
            let docker = Docker::connect(settings.clone()).await?;
            let fleet = Fleet::new(docker.clone(), nodes.clone()).await?;
            Ok::<_, EngineError>((docker, fleet))
        };
        let fault = match timeout(CONNECT, connected).await {
            Ok(Ok((docker, fleet))) => {
                let version = docker.version().await.ok();
                tracing::info!(version, "Docker answers");
                status.send_modify(|status| status.version = version);
                return Some((docker, fleet));
            }
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("Docker does not answer at {}", settings.socket),
        };
        if said.as_ref() != Some(&fault) {
            tracing::error!(%fault, hint = NO_DOCKER, "apps cannot run yet; trying again");
            let shown = Observation {
                engine_fault: Some(format!("{fault}; {NO_DOCKER}")),
                ..Observation::clone(&observation.borrow())
            };
            observation.send_replace(Arc::new(shown));
            said = Some(fault);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            () = sleep(TRY_AGAIN) => {}
        }
    }
}

/// The longest wait for Docker's first answer.
const CONNECT: Duration = Duration::from_secs(10);
/// Between two attempts to reach Docker.
const TRY_AGAIN: Duration = Duration::from_secs(2);
const NO_DOCKER: &str = "hint: install it with `apt-get install docker.io`, or start it with \
                         `systemctl start docker`";

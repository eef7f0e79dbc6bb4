//! Private names, once Docker answers: the task that keeps them and the server that containers ask.
//!
//! They live and end together. Nothing waits for them: an instance that starts before the server
//! listens asks the machine's resolvers meanwhile.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    control::{names::PrivateNames, task},
    dns::{Internal, Names, own_resolvers},
    engine::docker::Docker,
    model::Observation,
    store::Store,
    telemetry::chain,
};

/// What they are made of.
#[derive(Debug)]
pub(super) struct Private {
    pub(super) docker: Docker,
    pub(super) store: Store,
    pub(super) observation: watch::Receiver<Arc<Observation>>,
    /// The network that containers are in: an address of it, and the bits that count.
    pub(super) clients: (Ipv4Addr, u8),
}

impl Private {
    /// Keeps and answers them until it is told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        let Some(address) = self.address(&stop).await else { return };
        let (names, answered) = watch::channel(Arc::<Names>::default());
        let server =
            Internal { names: answered, resolvers: own_resolvers().into(), clients: self.clients };
        let keeper = PrivateNames {
            commits: self.store.changes(),
            store: self.store,
            observation: self.observation,
            names,
            published: Vec::new(),
        };
        tokio::select! {
            biased;
            () = task::run(keeper, stop) => {}
            () = server.run((address, PORT).into()) => {}
        }
    }

    /// Where containers ask; `None` if the daemon is stopped before Docker says so.
    async fn address(&self, stop: &CancellationToken) -> Option<Ipv4Addr> {
        let mut said = false;
        loop {
            match self.docker.names_address().await {
                Ok(address) => return Some(address),
                Err(error) if !said => {
                    tracing::warn!(error = %chain(&error), "private names have no address yet");
                    said = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                () = sleep(AGAIN) => {}
            }
        }
    }
}

/// Where resolvers are asked.
const PORT: u16 = 53;
/// Between two attempts to make the network that the server listens on.
const AGAIN: Duration = Duration::from_secs(2);

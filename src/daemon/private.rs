//! Private names, once Docker answers: the task that keeps them, the server that containers ask, and whoever
//! carries what they then send to other machines.
//!
//! They live and end together, on the machine that controls and on any other alike. Nothing waits for them: an
//! instance that starts before the server listens asks the machine's resolvers meanwhile.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    control::{
        names::Desk,
        task::{self, Task},
    },
    dns::{Internal, Names, own_resolvers},
    engine::docker::Docker,
    node::{Carrier, Passage, Ways},
    telemetry::chain,
};

/// What they are made of.
#[derive(Debug)]
pub(super) struct Private {
    pub(super) docker: Docker,
    /// The network that containers are in: an address of it, and the bits that count.
    pub(super) clients: (Ipv4Addr, u8),
    /// Where it is said who goes where.
    pub(super) ways: watch::Sender<Arc<Ways>>,
    /// The way to all other machines, on those that do not control.
    pub(super) passage: Option<Passage>,
}

impl Private {
    /// Keeps them by the task that is made with where it is to publish, and answers them, until it is told to
    /// stop.
    pub(super) async fn run<T: Task>(
        self,
        keeper: impl FnOnce(Desk) -> T,
        stop: CancellationToken,
    ) {
        let Some(address) = self.address(&stop).await else { return };
        let (names, answered) = watch::channel(Arc::<Names>::default());
        let carrier = Carrier { ways: self.ways.subscribe(), passage: self.passage };
        let server =
            Internal { names: answered, resolvers: own_resolvers().into(), clients: self.clients };
        let keeper = keeper(Desk::new(self.docker, self.ways, names));
        tokio::select! {
            biased;
            () = task::run(keeper, stop) => {}
            () = server.run((address, PORT).into()) => {}
            () = carrier.run(address) => {}
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

//! The machines that have joined, as the daemon that controls has them: who may come in, how they are,
//! and what they are told. Put together from the settings and the records.

mod offer;
mod roll;
mod sign;

use std::{collections::BTreeSet, sync::Arc};

use proxy::{Certificates, Table, UpstreamId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub(super) use self::offer::offer;
use self::roll::Roll;
use super::{error::RunError, tasks::Tasks};
use crate::{
    config::Config,
    control::routes::upstream_id,
    model::{NodeName, NodeStates, Observation},
    node::{Edges, Hub, Known, link::Listener},
    pki::NodeAuthority,
    server::Cluster,
    store::Store,
};

/// Lets nodes in where they come in, if there is a link.
pub(super) fn tend(link: Option<Bound>, told: Told, tasks: &mut Tasks) -> Result<(), RunError> {
    link.map_or(Ok(()), |link| link.tend(told, tasks))
}

/// Where nodes come in; nobody is let in yet.
#[derive(Debug)]
pub(super) struct Bound {
    name: NodeName,
    authority: Arc<NodeAuthority>,
    listener: Listener,
}

/// What they are told, and what is told of them.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) store: Store,
    pub(super) edges: Edges,
    pub(super) table: watch::Receiver<Arc<Table>>,
    pub(super) certificates: watch::Receiver<Arc<Certificates>>,
    pub(super) observation: watch::Receiver<Arc<Observation>>,
    pub(super) states: watch::Sender<Arc<NodeStates>>,
}

impl Bound {
    /// Takes the link's address; `None` if there is to be no link.
    pub(super) async fn of(
        config: &Config,
        offer: Option<&Cluster>,
    ) -> Result<Option<Self>, RunError> {
        let Some((settings, offer)) = config.cluster.as_ref().zip(offer) else { return Ok(None) };
        let at = settings.listen;
        let listener = Listener::bind(at).await;
        let listener = listener.map_err(|source| RunError::Link { at, source })?;
        tracing::info!(at = %listener.address(), node = %offer.control, "link");
        Ok(Some(Self {
            name: offer.control.clone(),
            authority: offer.authority.clone(),
            listener,
        }))
    }

    /// Lets nodes in, and keeps to them.
    fn tend(self, told: Told, tasks: &mut Tasks) -> Result<(), RunError> {
        let Self { name, authority, listener } = self;
        let stop = tasks.stop();
        let (show, credentials) = watch::channel(Arc::new(sign::own(&name, &authority)?));
        let (admit, admitted) = watch::channel(Arc::default());
        let (renewals, asked) = mpsc::channel(1);
        let known = Known::default();
        let hub = Hub {
            edges: told.edges.clone(),
            table: told.table.clone(),
            certificates: told.certificates,
            known: known.clone(),
            renewals,
        };
        let serve = listener.serve(credentials.clone(), admitted, Arc::new(hub), stop.clone());
        tasks.spawn("link", serve);
        tasks.spawn("addresses", learn(known, told.table, told.observation, stop.clone()));
        tasks.spawn("own certificate", sign::keep_own(name, authority.clone(), show, stop.clone()));
        tasks.spawn("renewals", sign::renew(told.store.clone(), authority, asked, stop.clone()));
        let roll = Roll::new((told.store, told.edges), credentials, admit, told.states);
        tasks.spawn("nodes", roll.call(stop));
        Ok(())
    }
}

/// Remembers where instances are for as long as they exist, since an edge may be a table behind.
async fn learn(
    known: Known,
    mut table: watch::Receiver<Arc<Table>>,
    observation: watch::Receiver<Arc<Observation>>,
    stop: CancellationToken,
) {
    loop {
        let there: BTreeSet<UpstreamId> = {
            let seen = observation.borrow();
            let all = seen.apps.values().flatten();
            all.map(|observed| upstream_id(&observed.instance.id)).collect()
        };
        known.learn(&table.borrow_and_update(), |id| there.contains(id));
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = table.changed() => if changed.is_err() { return },
        }
    }
}

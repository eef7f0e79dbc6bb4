//! The machines that have joined, as the daemon that controls has them: who may come in, how they are,
//! and what they are told. Put together from the settings and the records.

mod offer;
mod roll;
pub(super) mod sign;

use std::{collections::BTreeSet, sync::Arc};

use proxy::{Feeds, Table, UpstreamId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub(super) use self::offer::each;
use self::{offer::offer, roll::Roll};
use super::{
    council::ToldNodes, doors::Doors, error::RunError, folders::Folders, memory, plane::Seen,
    tasks::Tasks,
};
use crate::{
    config::Config,
    control::routes::upstream_id,
    model::{Directory, NodeName, NodeStates, Observation, PublicNames},
    node::{Edges, Entrances, Hub, Known, Nodes, Ways, Within, link::Listener},
    pki::NodeAuthority,
    server::Cluster,
    store::Store,
};

/// What machines that want to join are told, and where nodes come in, if there is to be a link.
pub(super) async fn bind(
    config: &Config,
    folders: &Folders,
    (doors, edges): (&Doors, &Edges),
) -> Result<(Option<Cluster>, Option<Bound>), RunError> {
    let Some((settings, offer)) =
        config.cluster.as_ref().zip(offer(config, folders, (doors, edges))?)
    else {
        return Ok((None, None));
    };
    let at = settings.listen;
    let listener = Listener::bind(at).await.map_err(|source| RunError::Link { at, source })?;
    tracing::info!(at = %listener.address(), node = %offer.control, "link");
    let (name, authority) = (offer.control.clone(), offer.authority.clone());
    let (folders, within) = (folders.clone(), doors.within());
    Ok((Some(offer), Some(Bound { name, authority, listener, within, folders })))
}

/// Lets nodes in where they come in, if there is a link, and returns their engines. Whoever is on a way to
/// one of their instances is cut when `cut` says so, and not before: the edge has visitors there when all else has ended.
pub(super) fn tend(
    link: Option<Bound>,
    told: Told,
    tasks: &mut Tasks,
    cut: CancellationToken,
) -> Result<Nodes, RunError> {
    let engines = Nodes::new(cut.clone(), told.keepers.clone());
    match link {
        Some(link) => link.tend(told, engines.clone(), tasks, cut)?,
        None => engines.called(),
    }
    Ok(engines)
}

/// Where nodes come in; nobody is let in yet.
#[derive(Debug)]
pub(super) struct Bound {
    name: NodeName,
    authority: Arc<NodeAuthority>,
    listener: Listener,
    /// Where users come in here.
    within: Within,
    folders: Folders,
}

/// What they are told, and what is told of them.
#[derive(Debug)]
pub(super) struct Told {
    store: Store,
    edges: Edges,
    feeds: Feeds,
    observation: watch::Receiver<Arc<Observation>>,
    directory: watch::Receiver<Arc<Directory>>,
    ways: watch::Receiver<Arc<Ways>>,
    names: watch::Receiver<Arc<PublicNames>>,
    states: watch::Sender<Arc<NodeStates>>,
    term: watch::Receiver<Option<u64>>,
    keepers: Keepers,
}

/// Who keeps the records, if it is not this machine alone.
pub(super) type Keepers = watch::Receiver<Arc<BTreeSet<NodeName>>>;

impl Told {
    /// From what this daemon remembers and has its own edge do, while it leads in this term; beside it, where it
    /// will be seen how nodes are.
    pub(super) fn of(
        store: &Store,
        (edges, feeds): (&Edges, &Feeds),
        (seen, names): (&Seen, &watch::Receiver<Arc<PublicNames>>),
        (term, keepers): ToldNodes,
    ) -> (Self, watch::Receiver<Arc<NodeStates>>) {
        let (states, known) = watch::channel(Arc::default());
        let told = Self {
            store: store.clone(),
            edges: edges.clone(),
            feeds: feeds.clone(),
            observation: seen.observation.clone(),
            directory: seen.directory.clone(),
            ways: seen.ways.clone(),
            names: names.clone(),
            states,
            term,
            keepers,
        };
        (told, known)
    }
}

impl Bound {
    /// Lets nodes in, and keeps to them.
    fn tend(
        self,
        told: Told,
        engines: Nodes,
        tasks: &mut Tasks,
        cut: CancellationToken,
    ) -> Result<(), RunError> {
        let Self { name, authority, listener, within, folders } = self;
        let stop = tasks.stop();
        let shown = sign::own(&name, &authority)?.leading(*told.term.borrow());
        let (show, credentials) = watch::channel(Arc::new(shown));
        let (admit, admitted) = watch::channel(Arc::default());
        let (enrol, roster) = watch::channel(Arc::default());
        let (renewals, asked) = mpsc::channel(1);
        let known = Known::default();
        let hub = Hub {
            edges: told.edges.clone(),
            table: told.feeds.table.clone(),
            certificates: told.feeds.certificates,
            directory: told.directory,
            roster,
            names: told.names,
            known: known.clone(),
            ways: told.ways,
            entrances: Entrances { within, keepers: told.keepers.clone() },
            renewals,
        };
        let own = (name.clone(), (told.term.clone(), told.keepers.clone()));
        tasks.spawn("memory", memory::of_leader(folders, hub.clone(), own, stop.clone()));
        let serve = listener.serve(credentials.clone(), admitted, Arc::new(hub), stop.clone());
        tasks.spawn("link", serve);
        tasks.spawn("addresses", learn(known, told.feeds.table, told.observation, stop.clone()));
        let own = sign::keep_own(name.clone(), authority.clone(), told.term, show, stop.clone());
        tasks.spawn("own certificate", own);
        tasks.spawn("renewals", sign::renew(told.store.clone(), authority, asked, stop.clone()));
        let outlets = roll::Outlets { admit, enrol, states: told.states };
        let kept = (told.store, told.edges, engines);
        let roll = Roll::new(kept, (name, told.keepers), credentials, outlets);
        tasks.spawn("nodes", roll.call(stop, cut));
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

//! What a daemon has in its hands through several lives: the data folder, and the records if this machine keeps them, alone
//! or with others. Whatever it is elected to be, these stay open; an upgrade closes them.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    authority,
    council::{self, Council},
    error::RunError,
    folders::Folders,
    joined::Joined,
    upgrade::Start,
};
use crate::{
    clock,
    config::{self, ClusterSettings, Config, Given},
    logs::{LogSettings, Logs},
    model::{NodeName, Roster},
    ops,
    store::{
        self, DataDirLock, Store, StoreError, StoreOptions,
        quorum::{Member, Standing},
    },
};

/// All of it.
#[derive(Debug)]
pub(super) struct Holdings {
    /// The settings, as they are of this machine.
    pub(super) config: Config,
    /// What they are made of.
    pub(super) given: Given,
    pub(super) folders: Folders,
    /// `None` on a machine that keeps none.
    pub(super) records: Option<Records>,
    _lock: DataDirLock,
}

/// What is remembered. Clones are of the same.
#[derive(Debug, Clone)]
pub(super) struct Records {
    pub(super) store: Store,
    pub(super) logs: Logs,
    pub(super) bench: Bench,
}

/// Where this machine sits, if it keeps the records together with others. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Bench(Arc<watch::Sender<Option<Arc<Council>>>>);

/// What this machine is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A control, in this term; 0 while it keeps the records alone.
    Leads(u64),
    /// A node.
    Follows,
}

impl Holdings {
    /// Opens them.
    pub(super) async fn open(config: &Config, start: &Start) -> Result<Self, RunError> {
        let folders = Folders::of(&config.data);
        let failed = |source| RunError::Folder { path: config.data.clone(), source };
        std::fs::create_dir_all(folders.root()).map_err(failed)?;
        let lock = DataDirLock::take(&config.data)?;
        council::resign(&folders)?;
        let joined = Joined::read(&folders)?;
        let member = council::is_member(&folders)?;
        let given = Given { installation: given_by_another(&folders), ..start.given.clone() };
        let config = own(config, &given, joined.as_ref());
        let records = if joined.is_none() || member || folders.store().exists() {
            folders.make().map_err(failed)?;
            Some(Records::open(&folders, config.certificate_lasts).await?)
        } else {
            None
        };
        Ok(Self { config, given, folders, records, _lock: lock })
    }

    /// What this machine is to be now.
    pub(super) fn part(&self) -> Part {
        let Some(records) = &self.records else { return Part::Follows };
        let Some(council) = records.bench.council() else { return Part::Leads(0) };
        match *council.standing().borrow() {
            Standing::Leads { term } => Part::Leads(term),
            Standing::Follows { .. } | Standing::Lost { .. } => Part::Follows,
        }
    }

    /// Waits until this machine leads no more in this term.
    pub(super) async fn deposed(&self, term: u64) {
        match &self.records {
            Some(records) => records.bench.deposed(term).await,
            None => std::future::pending().await,
        }
    }

    /// Whether the quorum goes on without this machine until it sits down anew.
    pub(super) fn is_lost(&self) -> bool {
        let council = self.records.as_ref().and_then(|records| records.bench.council());
        council.is_some_and(|council| matches!(*council.standing().borrow(), Standing::Lost { .. }))
    }

    /// Closes the records and lets the folder go.
    pub(super) async fn close(self) {
        if let Some(Records { store, bench, .. }) = self.records {
            if let Some(council) = bench.council() {
                council.get_up().await;
            }
            store.close().await;
        }
    }
}

/// The installation's settings, which this machine may have been given since the process began.
fn given_by_another(folders: &Folders) -> Option<(PathBuf, String)> {
    let path = folders.installation();
    std::fs::read_to_string(&path).ok().map(|text| (path, text))
}

/// The settings as they are of a machine that may have joined.
fn own(config: &Config, given: &Given, joined: Option<&Joined>) -> Config {
    let mut config = match config::resolve(given) {
        Ok(resolved) if given.installation.is_some() => resolved,
        Ok(_) => config.clone(),
        Err(faults) => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            tracing::error!(
                ?faults,
                "the installation's settings cannot be used; this machine's own are"
            );
            config.clone()
        }
    };
    if let Some(Joined { identity, .. }) = joined {
        config.node = identity.name.to_string();
        let address = (!identity.seen).then_some(identity.address);
        let link = ClusterSettings { listen: identity.listen, address };
        config.cluster = config.cluster.or(Some(link));
    }
    config
}

impl Records {
    async fn open(folders: &Folders, lasts: Duration) -> Result<Self, RunError> {
        let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
        let store = Store::open(&folders.store(), options)?;
        let logs = Logs::open(&folders.logs(), LogSettings::default())?;
        let bench = Bench(Arc::new(watch::Sender::new(None)));
        if council::is_member(folders)? {
            let authority = Arc::new(authority::of_nodes(&folders.keys(), lasts, clock::now())?);
            if let Some(council) = Council::sit_down(folders, &store, &authority).await? {
                council.settled().await;
                bench.seat(Arc::new(council));
            }
        }
        tracing::debug!(data = %folders.root().display(), "the records are open");
        Ok(Self { store, logs, bench })
    }

    /// The nodes that are on record, and which of them keep the records.
    pub(super) fn roster(&self) -> Result<Arc<Roster>, StoreError> {
        let circle = self.bench.council().map(|council| council.circle().borrow().clone());
        let members = circle.unwrap_or_default().members;
        let keepers = members.into_values().filter_map(|member| member.name.parse().ok()).collect();
        let nodes = ops::node::all(&self.store.snapshot())?;
        Ok(Arc::new(Roster::of(&nodes, &keepers)))
    }
}

impl Bench {
    /// Where it sits.
    pub(super) fn council(&self) -> Option<Arc<Council>> {
        self.0.borrow().clone()
    }

    /// Who leads, as far as this machine knows, and where the API of that is, if it is another.
    pub(super) fn leader(&self) -> Option<(NodeName, Vec<SocketAddr>)> {
        match self.council()?.standing().borrow().clone() {
            Standing::Follows { leader } => {
                let Member { name, api, .. } = leader?;
                Some((name.parse().ok()?, api))
            }
            Standing::Leads { .. } | Standing::Lost { .. } => None,
        }
    }

    /// It has sat down.
    pub(super) fn seat(&self, council: Arc<Council>) {
        self.0.send_replace(Some(council));
    }

    /// Where it sits, once it does.
    pub(super) async fn seated(&self) -> Arc<Council> {
        let mut seats = self.0.subscribe();
        loop {
            if let Some(council) = seats.borrow_and_update().clone() {
                return council;
            }
            if seats.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until this machine leads no more in this term.
    async fn deposed(&self, term: u64) {
        let council = self.seated().await;
        let mut standing = council.standing();
        // Who led alone leads the council that it founds.
        let led = |standing: &Standing| match standing {
            Standing::Leads { term: now } => *now == term || term == 0,
            Standing::Follows { .. } | Standing::Lost { .. } => false,
        };
        if standing.wait_for(|standing| !led(standing)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until this machine leads, or cannot take part any more.
    pub(super) async fn called_up(&self) {
        let council = self.seated().await;
        let mut standing = council.standing();
        let turns = |standing: &Standing| !matches!(standing, Standing::Follows { .. });
        if standing.wait_for(turns).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

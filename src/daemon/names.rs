//! The tasks that care for names: certificates for them, where they lead, the zones they are in.

use proxy::Edge;
use tokio::sync::{mpsc, oneshot};

use crate::{
    config::Config,
    control::{certificates::Outlets, domains::Domains, task},
    daemon::{certificates, dns::Zoning, tasks::Tasks},
    dns::LookupError,
    model::DomainName,
    node::Edges,
    server::Reach,
    store::{SealingKey, Store},
};

/// What the tasks are made of.
#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    pub(super) edge: &'a Edge,
    pub(super) edges: Edges,
    pub(super) reach: Reach,
    pub(super) sealing: SealingKey,
    /// Where certificates and proofs are published.
    pub(super) outlets: Outlets,
    /// Names that somebody wants looked up.
    pub(super) requests: mpsc::Receiver<(DomainName, oneshot::Sender<()>)>,
    /// The zones.
    pub(super) zoning: Zoning,
}

impl Names<'_> {
    /// Starts the tasks.
    pub(super) fn tend(self, tasks: &mut Tasks) -> Result<(), LookupError> {
        let (config, store, stop) = (self.config, self.store, tasks.stop());
        let (edges, reach) = (self.edges, &self.reach);
        let Zoning { naming, answering, names } = self.zoning;
        let edge = (self.edge, edges.clone(), names);
        let certificates =
            certificates::begin(config, store, self.sealing, edge, reach, self.outlets)?;
        tasks.spawn("certificates", task::run(certificates, stop.clone()));
        let lookup = certificates::lookup(config)?;
        let domains = Domains::new(store.clone(), lookup, edges, self.requests);
        tasks.spawn("domains", task::run(domains, stop.clone()));
        if let Some(naming) = naming {
            tasks.spawn("zones", task::run(naming, stop.clone()));
        }
        if let Some(answering) = answering {
            tasks.spawn("public names", task::run(answering, stop));
        }
        Ok(())
    }
}

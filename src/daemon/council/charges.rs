//! What whoever leads charges this node's daemon with: to keep the records from now on, or no more.
//!
//! Either is written down, answered, and done by the next life.

use std::{net::SocketAddr, path::Path};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    MembershipError, beside,
    estate::{Charge, Estate},
    membership::{Membership, note_resignation},
};
use crate::{
    config::{self, ApiAddress, Config, Given},
    daemon::{cluster::each, folders::Folders, joined::Identity},
    faults,
    model::NodeName,
    node::Charged,
    store::quorum::Member,
    telemetry::chain,
};

/// A node that answers.
#[derive(Debug)]
pub(in crate::daemon) struct Charges {
    /// Where it keeps what it is given.
    pub(in crate::daemon) folders: Folders,
    /// Who it is.
    pub(in crate::daemon) identity: Identity,
    /// What its settings are made of.
    pub(in crate::daemon) given: Given,
}

/// What it answers when it is to keep the records.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Accepted {
    pub(super) id: u64,
    pub(super) member: Member,
}

/// Why it does not.
#[derive(Debug, thiserror::Error)]
enum Declined {
    #[error("this version of paas does not know what it is charged with")]
    Strange(#[from] serde_json::Error),
    #[error("what it is given cannot be written")]
    File(#[from] std::io::Error),
    #[error("its settings do not go with the installation's: {0}")]
    Settings(String),
    #[error(transparent)]
    Membership(#[from] MembershipError),
}

impl Charges {
    /// Answers until it is told to stop, or until another life has to begin, which `anew` is told.
    pub(in crate::daemon) async fn heed(
        self,
        mut charges: mpsc::Receiver<Charged>,
        anew: CancellationToken,
        stop: CancellationToken,
    ) {
        loop {
            let Charged { by, text, answer } = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(next) = charges.recv() => next,
            };
            let heeded = self.obey(by, &text);
            if let Err(error) = &heeded {
                tracing::warn!(error = %chain(error), "this machine is as it was");
            }
            let changed = heeded.as_ref().is_ok_and(|(_, changed)| *changed);
            let told = heeded.map(|(told, _)| told).map_err(|error| chain(&error));
            // Whoever has gone asks again.
            answer.send(told).ok();
            if changed {
                anew.cancel();
                return;
            }
        }
    }

    /// What to answer, and whether anything is another now.
    fn obey(&self, by: NodeName, text: &[u8]) -> Result<(Vec<u8>, bool), Declined> {
        match serde_json::from_slice(text)? {
            Charge::Keep(estate) => {
                let (membership, changed) = self.keep(by, &estate)?;
                let Membership { id, member, .. } = membership;
                Ok((serde_json::to_vec(&Accepted { id, member })?, changed))
            }
            Charge::Resign => {
                let member = Membership::read(&self.folders)?.is_some();
                if member {
                    note_resignation(&self.folders)?;
                    faults::point("council.resigned");
                }
                Ok((Vec::new(), member))
            }
        }
    }

    fn keep(&self, by: NodeName, estate: &Estate) -> Result<(Membership, bool), Declined> {
        estate.settle(&self.folders)?;
        if let Some(membership) = Membership::read(&self.folders)? {
            return Ok((membership, false));
        }
        let config = settings(&self.given, &self.folders.installation())?;
        self.folders.make_quorum()?;
        let Identity { name, listen, address, .. } = &self.identity;
        let (at, api) = (Some(beside(*address)), api(&config, *address));
        let member = Member { name: name.to_string(), at, api };
        let (id, listen) = (rand::random(), beside(*listen));
        let membership = Membership { id, member, listen, by: Some(by) };
        membership.keep(&self.folders)?;
        faults::point("council.accepted");
        Ok((membership, true))
    }
}

/// Its settings with those of the installation below them.
fn settings(given: &Given, installation: &Path) -> Result<Config, Declined> {
    let text = std::fs::read_to_string(installation)?;
    let given = Given { installation: Some((installation.to_owned(), text)), ..given.clone() };
    config::resolve(&given).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Declined::Settings(faults.join("; "))
    })
}

/// Where others reach the API of a machine that is found at this address.
fn api(config: &Config, address: SocketAddr) -> Vec<SocketAddr> {
    let listening = config.api.iter().filter_map(|api| match api {
        ApiAddress::Https(at) => Some(*at),
        ApiAddress::Http(_) => None,
    });
    each(&listening.collect::<Vec<_>>(), &[address.ip()])
}

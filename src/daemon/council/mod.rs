//! The council: the machines that keep the records together, of which one leads.
//!
//! A machine takes its seat before its first life and keeps it through all of them, whether it leads (`run`) or follows
//! (`follow`). Who sits there is decided by whoever leads (`chair`), obeyed by nodes (`charges`), and written down by each (`membership`).

mod chair;
mod charges;
mod corridors;
mod estate;
mod membership;

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{
    corridors::{Chamber, Corridors, admit},
    membership::Membership,
};
use super::{cluster::sign, error::RunError, folders::Folders};
use crate::{
    model::NodeName,
    node::link::Listener,
    pki::NodeAuthority,
    store::{
        Store,
        quorum::{Circle, Seat, Standing},
    },
};

pub(super) use self::{
    chair::{Chair, ToldNodes, hear, open},
    charges::Charges,
    membership::{MembershipError, resign},
};

/// This machine's seat, with the door and the links to the others.
#[derive(Debug)]
pub(super) struct Council {
    seat: Arc<Seat>,
    _stop: DropGuard,
}

/// Whether this machine keeps the records together with others.
pub(super) fn is_member(folders: &Folders) -> Result<bool, MembershipError> {
    Membership::read(folders).map(|membership| membership.is_some())
}

impl Council {
    /// Takes the seat that this machine has, if it has one.
    pub(super) async fn sit_down(
        folders: &Folders,
        store: &Store,
        authority: &Arc<NodeAuthority>,
    ) -> Result<Option<Self>, RunError> {
        match Membership::read(folders)? {
            Some(membership) => Self::sit(folders, store, authority, membership).await.map(Some),
            None => Ok(None),
        }
    }

    async fn sit(
        folders: &Folders,
        store: &Store,
        authority: &Arc<NodeAuthority>,
        membership: Membership,
    ) -> Result<Self, RunError> {
        let Membership { id, member, listen: at, by } = membership;
        let name: NodeName = member.name.parse().map_err(RunError::Member)?;
        let stop = CancellationToken::new();
        let listener = Listener::bind(at).await.map_err(|source| RunError::Link { at, source })?;
        let (show, credentials) = watch::channel(Arc::new(sign::own(&name, authority)?));
        let corridors = Arc::new(Corridors::new(credentials.clone(), stop.clone()));
        let (log, founder) = (folders.quorum().join("log"), by.is_none());
        let seat = Arc::new(Seat::take(store, &log, (id, member), corridors, founder).await?);
        let (letting, admitted) = watch::channel(Arc::default());
        let chamber = Arc::new(Chamber(seat.clone()));
        let (_, never) = watch::channel(None);
        let own = sign::keep_own(name, authority.clone(), never, show, stop.clone());
        tokio::spawn(own);
        tokio::spawn(admit(seat.clone(), by, letting, stop.clone()));
        tokio::spawn(listener.serve(credentials, admitted, chamber, stop.clone()));
        tracing::info!(%at, "this machine keeps the records together with others");
        Ok(Self { seat, _stop: stop.drop_guard() })
    }

    /// What this machine is among them.
    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.seat.standing()
    }

    /// Who takes part.
    pub(super) fn circle(&self) -> watch::Receiver<Circle> {
        self.seat.circle()
    }

    /// Waits until it is known who leads, for as long as that may take while nothing is wrong.
    pub(super) async fn settled(&self) {
        let known = |standing: &Standing| *standing != Standing::Follows { leader: None };
        let mut standing = self.seat.standing();
        let _ = tokio::time::timeout(SETTLES, standing.wait_for(known)).await;
    }

    /// Gets up. The others go on.
    pub(super) async fn get_up(&self) {
        self.seat.leave().await;
    }
}

/// The place beside the link's where members listen for each other.
fn beside(link: SocketAddr) -> SocketAddr {
    SocketAddr::new(link.ip(), link.port().wrapping_add(1))
}

/// A leader that is there is heard of within this.
const SETTLES: std::time::Duration = std::time::Duration::from_secs(2);

//! Whoever leads: it has other machines keep the records, and dismisses them.
//!
//! Every step can be taken again, and a wish that was cut short is gone on with by wishing it again: the first member
//! founds the council before anybody is asked, who is asked answers the same twice, and the number of those who count changes in one step.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::replace,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Council, beside,
    charges::Accepted,
    estate::{Charge, Estate},
    membership::Membership,
};
use crate::{
    clock,
    daemon::{
        cluster::Keepers,
        error::RunError,
        folders::Folders,
        holdings::Bench,
        joined::{self, Control, Identity, Joined, JoinedError},
    },
    faults,
    model::{Actor, Node, NodeName, TokenId},
    node::{CHARGE, Nodes},
    ops::{self, Refusal},
    pki::{self, InvalidRequest, MadeError, NodeRequest},
    server::{self, Change, Cluster, Members, Wish},
    store::{
        Store,
        quorum::{Circle, Member, SeatError, Standing},
    },
    telemetry::chain,
};

/// What it works with.
#[derive(Debug)]
pub(in crate::daemon) struct Chair {
    /// This machine, as others know it.
    pub(in crate::daemon) cluster: Cluster,
    /// Where its link listens.
    pub(in crate::daemon) listen: SocketAddr,
    pub(in crate::daemon) folders: Folders,
    pub(in crate::daemon) store: Store,
    /// By whom nodes are reached.
    pub(in crate::daemon) nodes: Nodes,
    /// The installation's settings, for those who may lead one day.
    pub(in crate::daemon) settings: String,
    /// A credential of systemd's with the key that secrets are sealed with.
    pub(in crate::daemon) sealing: Option<PathBuf>,
    pub(in crate::daemon) bench: Bench,
}

/// Whom it tells what the quorum decides.
#[derive(Debug)]
struct Told {
    /// Users: who keeps the records, and where the API of each is.
    members: watch::Sender<Arc<Members>>,
    /// Nodes: the same, without.
    keepers: watch::Sender<Arc<BTreeSet<NodeName>>>,
    /// Nodes: the term in which this machine leads.
    term: watch::Sender<Option<u64>>,
}

/// Where wishes come in, until somebody sits down to hear them.
#[derive(Debug)]
pub(in crate::daemon) struct Hearing {
    wishes: mpsc::Receiver<Wish>,
    told: Told,
}

/// What nodes are told: the term in which this machine leads, and who keeps the records.
pub(in crate::daemon) type ToldNodes = (watch::Receiver<Option<u64>>, Keepers);

/// Where wishes about who keeps the records are said, what nodes are told, and where the wishes are heard, on a machine that
/// leads in this term.
pub(in crate::daemon) fn open(term: u64) -> (server::Council, ToldNodes, Hearing) {
    let (council, wishes, members) = server::Council::new();
    let (keepers, kept_by) = watch::channel(Arc::default());
    let (term, terms) = watch::channel(Some(term));
    (council, (terms, kept_by), Hearing { wishes, told: Told { members, keepers, term } })
}

/// Why the council cannot be founded.
#[derive(Debug, thiserror::Error)]
enum NotFounded {
    #[error("it is not known where others reach this machine")]
    Nowhere,
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Joined(#[from] JoinedError),
    #[error(transparent)]
    Membership(#[from] super::MembershipError),
    #[error(transparent)]
    Made(#[from] MadeError),
    #[error(transparent)]
    Request(#[from] InvalidRequest),
    #[error(transparent)]
    Recorded(#[from] Refusal),
    #[error(transparent)]
    Sat(#[from] RunError),
    #[error("it does not come to lead")]
    Leaderless,
}

/// Does what is wished for, and tells what the quorum decides, until it is told to stop. Without a link to other machines
/// there is nobody about whom anything could be wished.
pub(in crate::daemon) async fn hear(
    chair: Option<Chair>,
    Hearing { mut wishes, told }: Hearing,
    stop: CancellationToken,
) {
    let Some(chair) = chair else { return };
    let telling = told.tell(&chair.bench);
    let heeding = async {
        while let Some(Wish { change, answer }) = wishes.recv().await {
            let done = match change {
                Change::Promote(names) => chair.promote(&names).await,
                Change::Demote(names) => chair.demote(&names).await,
                Change::Dismiss(name) => chair.dismiss(&[name].into()).await,
            };
            if let Some(council) = chair.bench.council() {
                told.say(&council.seat.members());
            }
            // Whoever has gone sees it in the list of nodes.
            answer.send(done).ok();
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        ((), ()) = async { tokio::join!(telling, heeding) } => {}
    }
}

impl Chair {
    async fn promote(&self, names: &BTreeSet<NodeName>) -> Result<(), Refusal> {
        let what = || format!("{} were not promoted", listed(names));
        let council = self.found().await.map_err(|error| {
            Refusal::unavailable(what(), format!("this machine: {}", chain(&error)))
        })?;
        let mut newcomers = BTreeMap::new();
        let circle = council.circle().borrow().clone();
        let seated: BTreeSet<&str> = circle.members.values().map(|one| one.name.as_str()).collect();
        for name in names.iter().filter(|name| !seated.contains(name.as_str())) {
            let estate = self.estate().map_err(|error| {
                Refusal::unavailable(what(), format!("the keys cannot be read: {error}"))
            })?;
            let answer = self
                .charge(name, &Charge::Keep(estate))
                .await
                .map_err(|why| Refusal::conflict(what(), format!("{name}: {why}")).hint(AGAIN))?;
            let Accepted { id, member } = serde_json::from_slice(&answer).map_err(|_| {
                Refusal::conflict(what(), format!("{name} answers something else"))
                    .hint("install the same version of paas on all machines")
            })?;
            newcomers.insert(id, member);
            faults::point("council.charged");
        }
        let old = stale(&circle, names, &newcomers);
        let seat = &council.seat;
        if !old.is_empty() {
            seat.dismiss(old).await.map_err(|error| unchanged(what(), &error))?;
        }
        if !newcomers.is_empty() {
            seat.admit(newcomers).await.map_err(|error| unchanged(what(), &error))?;
        }
        Ok(())
    }

    async fn demote(&self, names: &BTreeSet<NodeName>) -> Result<(), Refusal> {
        self.dismiss(names).await?;
        for name in names {
            self.charge(name, &Charge::Resign).await.map_err(|why| {
                let what = format!("{name} counts no more, and still has the records");
                Refusal::conflict(what, why).hint(format!("`paas nodes demote {name}` once more"))
            })?;
        }
        Ok(())
    }

    async fn dismiss(&self, names: &BTreeSet<NodeName>) -> Result<(), Refusal> {
        let Some(council) = self.bench.council() else { return Ok(()) };
        let Circle { members, newcomers } = council.circle().borrow().clone();
        let is_one = |member: &Member| names.iter().any(|name| name.as_str() == member.name);
        let all = members.into_iter().chain(newcomers);
        let gone: BTreeSet<u64> =
            all.filter(|(_, member)| is_one(member)).map(|(id, _)| id).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let dismissed = council.seat.dismiss(gone).await;
        dismissed.map_err(|error| unchanged(format!("{} keep the records", listed(names)), &error))
    }

    /// The council, which this machine founds if there is none.
    async fn found(&self) -> Result<Arc<Council>, NotFounded> {
        if let Some(council) = self.bench.council() {
            return Ok(council);
        }
        let address = *self.cluster.link.first().ok_or(NotFounded::Nowhere)?;
        self.folders.make_node()?;
        self.folders.make_quorum()?;
        let key = joined::key(&self.folders, || Ok::<_, NotFounded>(pki::private_key()?))?;
        let request = NodeRequest::read(&NodeRequest::write(&key)?)?;
        let now = clock::now();
        let shown = self.cluster.authority.sign(&self.cluster.control, &request, now)?;
        let identity = Identity {
            name: self.cluster.control.clone(),
            control: Control {
                name: self.cluster.control.clone(),
                addresses: self.cluster.link.clone(),
            },
            listen: self.listen,
            address,
            token: TokenId(String::new()),
            seen: false,
        };
        Joined::keep(&self.folders, &identity, self.cluster.authority.pem(), &shown)?;
        let (name, key) = (self.cluster.control.clone(), request.key().clone());
        let node = Node {
            name,
            address,
            key,
            labels: BTreeMap::new(),
            drained: false,
            joined_at: now,
            by: Actor::platform(),
        };
        self.store.transact(move |tx| ops::node::enrol(tx, node)).await?;
        let membership = match Membership::read(&self.folders)? {
            Some(membership) => membership,
            None => {
                let (name, at) = (self.cluster.control.to_string(), Some(beside(address)));
                let member = Member { name, at, api: self.cluster.api.clone() };
                Membership { id: rand::random(), member, listen: beside(self.listen), by: None }
            }
        };
        membership.keep(&self.folders)?;
        faults::point("council.founded");
        let council =
            Council::sit(&self.folders, &self.store, &self.cluster.authority, membership).await?;
        let council = Arc::new(council);
        let mut standing = council.standing();
        let leads = standing.wait_for(|standing| matches!(standing, Standing::Leads { .. }));
        match timeout(BEGINS, leads).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return Err(NotFounded::Leaderless),
        }
        self.bench.seat(council.clone());
        Ok(council)
    }

    fn estate(&self) -> std::io::Result<Estate> {
        let (leader, settings) = (self.cluster.control.clone(), self.settings.clone());
        Estate::of(&self.folders, leader, settings, self.sealing.as_deref())
    }

    /// What a node answers that is charged with something.
    async fn charge(&self, name: &NodeName, charge: &Charge) -> Result<Bytes, String> {
        let link = self.nodes.link(name).map_err(|error| chain(&error))?;
        let text = serde_json::to_vec(charge).map_err(|error| error.to_string())?;
        match timeout(PATIENCE, link.post(CHARGE, text, LARGEST)).await {
            Ok(answered) => answered.map_err(|error| chain(&error)),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// Those who were asked before, and have begun anew since.
fn stale(
    circle: &Circle,
    names: &BTreeSet<NodeName>,
    newcomers: &BTreeMap<u64, Member>,
) -> BTreeSet<u64> {
    let is_one = |member: &Member| names.iter().any(|name| name.as_str() == member.name);
    let old =
        circle.newcomers.iter().filter(|(id, one)| is_one(one) && !newcomers.contains_key(id));
    old.map(|(id, _)| *id).collect()
}

fn listed(names: &BTreeSet<NodeName>) -> String {
    names.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}

fn unchanged(what: String, error: &SeatError) -> Refusal {
    Refusal::unavailable(what, chain(error)).hint(AGAIN)
}

impl Told {
    /// Tells it from when there is a quorum.
    async fn tell(&self, bench: &Bench) {
        let council = bench.seated().await;
        let (mut circle, mut standing) = (council.circle(), council.standing());
        loop {
            self.say(&circle.borrow_and_update().members);
            if let Standing::Leads { term } = *standing.borrow_and_update() {
                self.term.send_if_modified(|before| before.replace(term) != Some(term));
            }
            let gone = tokio::select! {
                changed = circle.changed() => changed.is_err(),
                changed = standing.changed() => changed.is_err(),
            };
            if gone {
                return;
            }
        }
    }

    fn say(&self, members: &BTreeMap<u64, Member>) {
        let named = members.values();
        let named = named.filter_map(|one| Some((one.name.parse().ok()?, one.api.clone())));
        let members: Arc<Members> = Arc::new(named.collect());
        let keepers: Arc<BTreeSet<NodeName>> = Arc::new(members.keys().cloned().collect());
        // Nodes first: who is told to the world may lead.
        self.keepers.send_if_modified(|before| replace(before, keepers.clone()) != keepers);
        self.members.send_if_modified(|before| replace(before, members.clone()) != members);
    }
}

const AGAIN: &str =
    "the same command once more goes on where this one ended; `paas nodes` shows who is up";
/// For a node to write what it is given, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// For one machine to elect itself.
const BEGINS: Duration = Duration::from_secs(20);
/// What is answered has less, in bytes.
const LARGEST: usize = 64 << 10;

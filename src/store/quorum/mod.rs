//! Records that several machines keep: each commit is on the disks of most of them before anybody is told
//! "saved", and whichever machines are lost, while most are left nothing that was saved is.
//!
//! It is Raft (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014) by the crate
//! `openraft`. One machine *leads*: its commits are proposed and, once most members have them in their `log`, applied
//! everywhere (`machine`), in the same order. An entry says on which commit it was made, and on top of another it
//! changes nothing: so a former leader cannot undo what it has not seen.
//!
//! Invariant: **two machines never both lead.** Who leads knows it by a lease: most members have answered within
//! [`LEASE`], and none of those votes for another before [`ELECTION`] has passed since.

mod canvass;
#[allow(clippy::result_large_err, reason = "openraft's errors are as large as they are")]
mod log;
#[allow(clippy::result_large_err, reason = "openraft's errors are as large as they are")]
mod machine;
mod proposals;
mod wire;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem::replace;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{ClientWriteError, Fatal, InitializeError, RaftError};
use openraft::raft::AppendEntriesResponse;
use openraft::{ChangeMembers, Config, Raft, RaftMetrics, ServerState, SnapshotPolicy};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::canvass::{Canvass, Led};
use self::log::Log;
use self::machine::Machine;
pub(super) use self::machine::is_shared;
pub(super) use self::proposals::Proposals;
pub use self::wire::{Carrier, Unheard};
use self::wire::{Heard, Question, Told, Wires};
pub use self::words::Member;
use self::words::Types;
use super::error::StoreError;
use super::handle::Store;
use super::journal::Fault;
use super::writer::Message;

/// This machine's seat among those that keep the records.
pub struct Seat {
    id: u64,
    raft: Raft<Types>,
    led: Led,
    standing: watch::Receiver<Standing>,
    circle: watch::Receiver<Circle>,
    _watching: DropGuard,
}

/// Who takes part, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circle {
    /// Who keeps the records.
    pub members: BTreeMap<u64, Member>,
    /// Who is being admitted, and does not count yet.
    pub newcomers: BTreeMap<u64, Member>,
}

/// What a member is at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It leads, and may do what only one may.
    Leads {
        /// Grows with every leader.
        term: u64,
    },
    /// Somebody else does, or nobody.
    Follows {
        /// Who has led it within [`LEASE`].
        leader: Option<Member>,
    },
    /// It cannot take part any more before it sits down anew: its disk has failed.
    Lost {
        /// Why.
        why: String,
    },
}

/// Why a seat cannot be taken, or others not be admitted or dismissed.
#[derive(Debug, thiserror::Error)]
pub enum SeatError {
    /// The log cannot be opened.
    #[error("the log of the quorum cannot be opened")]
    Log(#[source] Fault),
    /// The protocol's own settings or state.
    #[error("the quorum cannot begin")]
    Begin(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store is closed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else leads.
    #[error("this machine does not lead")]
    Elsewhere,
    /// Who is to be admitted does not answer.
    #[error("{} cannot be reached", .0.name)]
    Unheard(Member),
    /// Most members do not answer, or change their number already.
    #[error("the members cannot be changed")]
    Unchanged(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Seat {
    /// Sits down: from now on what the store saves is agreed on. Its log is in `folder`. The first member of all
    /// begins as `founder`; whoever is to be admitted by another does not.
    pub async fn take(
        store: &Store,
        folder: &Path,
        (id, member): (u64, Member),
        carrier: Arc<dyn Carrier>,
        founder: bool,
    ) -> Result<Self, SeatError> {
        let folder = folder.to_owned();
        let opened = tokio::task::spawn_blocking(move || Log::open(&folder)).await;
        let log = opened.map_err(|error| SeatError::Begin(error.into()))?;
        let log = log.map_err(SeatError::Log)?;
        let heard = Heard::default();
        let wires = Wires { carrier: Arc::clone(&carrier), heard: heard.clone() };
        let machine = Machine::of(Arc::clone(&store.ledger));
        let config = config().map_err(|error| SeatError::Begin(error.into()))?;
        let raft = Raft::new(id, Arc::new(config), wires, log, machine).await;
        let raft = raft.map_err(|error| SeatError::Begin(error.into()))?;
        if founder {
            found(&raft, (id, member)).await.map_err(SeatError::Begin)?;
        }
        let dir = store.shared.dir.clone();
        let proposals = Proposals { raft: raft.clone(), runtime: Handle::current(), dir };
        let sent = store.jobs.send(Message::Propose(proposals)).await;
        sent.map_err(|_| StoreError::Closed)?;
        let (told, standing) = watch::channel(Standing::Follows { leader: None });
        let (joins, circle) = watch::channel(Circle::default());
        let stop = CancellationToken::new();
        let led = Led::default();
        let watched =
            watch_standing(raft.clone(), (heard, led.clone()), (told, joins), stop.clone());
        tokio::spawn(watched);
        let canvass = Canvass { id, raft: raft.clone(), carrier, led: led.clone() };
        tokio::spawn(canvass.go_on(stop.clone()));
        Ok(Self { id, raft, led, standing, circle, _watching: stop.drop_guard() })
    }

    /// What this machine is among them.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Who keeps the records, as far as this member knows; those who are still being admitted are not among them.
    pub fn members(&self) -> BTreeMap<u64, Member> {
        voters(&self.raft.metrics().borrow())
    }

    /// The same, and who is being admitted; a level that can be waited on.
    pub fn circle(&self) -> watch::Receiver<Circle> {
        self.circle.clone()
    }

    /// What another member asks, answered.
    pub async fn answer(&self, question: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        match serde_json::from_slice(question)? {
            Question::Append(request) => {
                let answer = self.raft.append_entries(request).await;
                if answer
                    .as_ref()
                    .is_ok_and(|it| !matches!(it, AppendEntriesResponse::HigherVote(_)))
                {
                    self.led.now();
                }
                told(&answer)
            }
            Question::Vote(request) => told(&self.raft.vote(request).await),
            Question::Install(request) => {
                let vote = request.vote;
                let answer = self.raft.install_snapshot(request).await;
                if answer.as_ref().is_ok_and(|answer| answer.vote == vote) {
                    self.led.now();
                }
                told(&answer)
            }
            Question::Canvass => serde_json::to_vec(&self.would_vote()),
        }
    }

    /// Whether it would vote for another: it neither leads nor is led.
    fn would_vote(&self) -> bool {
        !matches!(*self.standing.borrow(), Standing::Leads { .. }) && !self.led.lately()
    }

    /// Admits machines that have sat down and been heard of nobody yet. They count when they have all records and
    /// answer; until then nothing has changed.
    pub async fn admit(&self, newcomers: BTreeMap<u64, Member>) -> Result<(), SeatError> {
        for (id, member) in &newcomers {
            let added = self.raft.add_learner(*id, member.clone(), false).await;
            added.map_err(changed)?;
        }
        for (id, member) in &newcomers {
            let caught_up = |metrics: &RaftMetrics<u64, Member>| {
                let last = metrics.last_log_index;
                let theirs = metrics.replication.as_ref().and_then(|all| all.get(id).copied());
                theirs.flatten().map(|theirs| theirs.index) >= last
            };
            let wait = self.raft.wait(Some(CATCH_UP));
            if wait.metrics(caught_up, "a newcomer has all").await.is_err() {
                return Err(SeatError::Unheard(member.clone()));
            }
        }
        self.change(ChangeMembers::AddVoterIds(newcomers.into_keys().collect())).await
    }

    /// Dismisses members, lost ones among them.
    pub async fn dismiss(&self, gone: BTreeSet<u64>) -> Result<(), SeatError> {
        let counted = self.members();
        let voters: BTreeSet<u64> =
            gone.iter().copied().filter(|id| counted.contains_key(id)).collect();
        if !voters.is_empty() {
            self.change(ChangeMembers::RemoveVoters(voters)).await?;
        }
        self.change(ChangeMembers::RemoveNodes(gone)).await
    }

    async fn change(&self, change: ChangeMembers<u64, Member>) -> Result<(), SeatError> {
        match timeout(CHANGE, self.raft.change_membership(change, false)).await {
            Ok(done) => done.map(drop).map_err(changed),
            Err(late) => Err(SeatError::Unchanged(late.into())),
        }
    }

    /// Gets up: the others go on without it, as long as they are enough.
    pub async fn leave(&self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::debug!(%error, "the quorum's task had ended");
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Seat").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes it the first member of all. What was saved before is in no entry of the log, so that whoever comes must be given
/// all records: the beginning of the log is cut off before anybody can.
async fn found(
    raft: &Raft<Types>,
    (id, member): (u64, Member),
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match raft.initialize(BTreeMap::from([(id, member)])).await {
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
        Err(error) => return Err(error.into()),
    }
    let begun = raft.metrics().borrow().purged.is_some();
    if !begun {
        let wait = raft.wait(Some(CHANGE));
        wait.applied_index_at_least(Some(0), "the first entry").await?;
        raft.trigger().snapshot().await?;
        let whole = |now: &RaftMetrics<u64, Member>| now.snapshot.is_some();
        let whole = raft.wait(Some(CHANGE)).metrics(whole, "all records").await?;
        let all = whole.snapshot.map_or(0, |id| id.index);
        raft.trigger().purge_log(all).await?;
        let cut = |now: &RaftMetrics<u64, Member>| now.purged.is_some();
        raft.wait(Some(CHANGE)).metrics(cut, "the log's beginning is cut off").await?;
    }
    Ok(())
}

fn config() -> Result<Config, Box<openraft::ConfigError>> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let config = Config {
        heartbeat_interval: millis(HEARTBEAT),
        election_timeout_min: millis(HESITATION),
        election_timeout_max: millis(ELECTION),
        install_snapshot_timeout: millis(CATCH_UP),
        snapshot_max_chunk_size: CHUNK,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(LOG),
        max_in_snapshot_log_to_keep: LOG,
        // Not before others were asked.
        enable_elect: false,
        ..Config::default()
    };
    config.validate().map_err(Box::new)
}

/// Tells what this member is and who takes part, whenever that may have become something else.
async fn watch_standing(
    raft: Raft<Types>,
    (heard, led): (Heard, Led),
    (told, joins): (watch::Sender<Standing>, watch::Sender<Circle>),
    stop: CancellationToken,
) {
    let mut metrics = raft.metrics();
    let mut ready = None;
    loop {
        let now = metrics.borrow_and_update().clone();
        let circle = circle(&now);
        joins.send_if_modified(|before| replace(before, circle.clone()) != circle);
        let standing = stand(&now, &heard, &led);
        let standing = match standing {
            // Its records are those of all before it once its own first entry is among them.
            Standing::Leads { term } if ready != Some(term) => {
                match timeout(LEASE, raft.ensure_linearizable()).await {
                    Ok(Ok(_)) => {
                        ready = Some(term);
                        standing
                    }
                    Ok(Err(_)) | Err(_) => Standing::Follows { leader: None },
                }
            }
            other => other,
        };
        told.send_if_modified(|before| replace(before, standing.clone()) != standing);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = metrics.changed() => if changed.is_err() { return },
            () = sleep(LOOK) => {}
        }
    }
}

fn stand(metrics: &RaftMetrics<u64, Member>, heard: &Heard, led: &Led) -> Standing {
    if let Err(fatal) = &metrics.running_state {
        let why = match fatal {
            Fatal::StorageError(error) => error.to_string(),
            other => other.to_string(),
        };
        return Standing::Lost { why };
    }
    let leads = metrics.state == ServerState::Leader && metrics.current_leader == Some(metrics.id);
    let leader = metrics.current_leader.filter(|id| *id != metrics.id && led.lately());
    if leads && is_heard(&voters(metrics), metrics.id, heard) {
        return Standing::Leads { term: metrics.current_term };
    }
    let membership = metrics.membership_config.membership();
    Standing::Follows { leader: leader.and_then(|id| membership.get_node(&id).cloned()) }
}

/// Whether most of those who count have answered lately, this one included.
fn is_heard(voters: &BTreeMap<u64, Member>, own: u64, heard: &Heard) -> bool {
    let heard = heard.all();
    let lately = |id: &&u64| **id == own || heard.get(id).is_some_and(|at| at.elapsed() < LEASE);
    voters.keys().filter(lately).count() * 2 > voters.len()
}

fn circle(metrics: &RaftMetrics<u64, Member>) -> Circle {
    let members = voters(metrics);
    let all = metrics.membership_config.membership().nodes();
    let newcomers = all.filter(|(id, _)| !members.contains_key(id));
    let newcomers = newcomers.map(|(id, member)| (*id, member.clone())).collect();
    Circle { members, newcomers }
}

fn voters(metrics: &RaftMetrics<u64, Member>) -> BTreeMap<u64, Member> {
    let membership = metrics.membership_config.membership();
    let member = |id| Some((id, membership.get_node(&id)?.clone()));
    membership.voter_ids().filter_map(member).collect()
}

fn told<T, E>(told: &Told<T, E>) -> Result<Vec<u8>, serde_json::Error>
where
    T: serde::Serialize,
    E: std::error::Error + serde::Serialize,
{
    serde_json::to_vec(told)
}

fn changed(error: RaftError<u64, ClientWriteError<u64, Member>>) -> SeatError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => SeatError::Elsewhere,
        other => SeatError::Unchanged(other.into()),
    }
}

/// Between two words of a leader that has nothing to say.
const HEARTBEAT: Duration = Duration::from_millis(300);
/// A leader that most have not answered for so long does nothing any more.
pub const LEASE: Duration = Duration::from_secs(3);
/// A member that has heard of no leader for so long may vote for another; it stands itself so much later at most.
pub const ELECTION: Duration = Duration::from_secs(4);
/// And at least so much later. Which it is, is random: not all are to stand at once.
const HESITATION: Duration = Duration::from_millis(500);
/// How long a newcomer may take to have all records.
const CATCH_UP: Duration = Duration::from_secs(30);
/// How long the others may take to agree on who counts.
const CHANGE: Duration = Duration::from_secs(10);
/// How often it is looked whether the lease holds.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes of the whole records in one piece.
const CHUNK: u64 = 1 << 20;
/// So many entries are kept for members that were away.
const LOG: u64 = 1000;

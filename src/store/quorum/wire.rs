//! What members of a quorum ask each other, carried by whoever has a way between them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::words::{Member, Types};

/// The way to other members.
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// Brings a question to a member, and its answer back, within that time. What a member is asked it answers by
    /// [`Seat::answer`](super::Seat::answer).
    fn ask(
        &self,
        member: Member,
        question: Vec<u8>,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Vec<u8>, Unheard>>;
}

/// Why a member was not heard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unheard(pub String);

/// What one asks another.
#[derive(Serialize, Deserialize)]
pub(super) enum Question {
    Append(AppendEntriesRequest<Types>),
    Vote(VoteRequest<u64>),
    Install(InstallSnapshotRequest<Types>),
    /// Whether it would vote for whoever asks.
    Canvass,
}

pub(super) type Told<T, E = openraft::error::Infallible> = Result<T, RaftError<u64, E>>;

/// Makes ways to members.
#[derive(Debug, Clone)]
pub(super) struct Wires {
    pub(super) carrier: Arc<dyn Carrier>,
    pub(super) heard: Heard,
}

/// The way to one.
#[derive(Debug)]
pub(super) struct Wire {
    member: Member,
    id: u64,
    wires: Wires,
}

/// When each member was last asked something that it then answered as a follower of ours, whether it counts or
/// does not yet. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<BTreeMap<u64, Instant>>>);

impl Heard {
    pub(super) fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftNetworkFactory<Types> for Wires {
    type Network = Wire;

    async fn new_client(&mut self, id: u64, member: &Member) -> Wire {
        Wire { member: member.clone(), id, wires: self.clone() }
    }
}

impl Wire {
    async fn ask<T, E>(
        &self,
        question: &Question,
        option: &RPCOption,
    ) -> Result<T, RPCError<u64, Member, RaftError<u64, E>>>
    where
        T: DeserializeOwned,
        E: std::error::Error + DeserializeOwned,
    {
        let lost = |error: &(dyn std::error::Error + 'static)| {
            RPCError::Unreachable(Unreachable::new(&Unheard(error.to_string())))
        };
        let question = serde_json::to_vec(question).map_err(|error| lost(&error))?;
        let asked = self.wires.carrier.ask(self.member.clone(), question, option.hard_ttl()).await;
        let told = asked.map_err(|error| lost(&error))?;
        let told: Told<T, E> = serde_json::from_slice(&told).map_err(|error| lost(&error))?;
        told.map_err(|error| RemoteError::new_with_node(self.id, self.member.clone(), error).into())
    }
}

type Asked<T, E = openraft::error::Infallible> =
    Result<T, RPCError<u64, Member, RaftError<u64, E>>>;

impl RaftNetwork<Types> for Wire {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Asked<AppendEntriesResponse<u64>> {
        let began = Instant::now();
        let told = self.ask(&Question::Append(request), &option).await?;
        if !matches!(told, AppendEntriesResponse::HigherVote(_)) {
            self.wires.heard.all().insert(self.id, began);
        }
        Ok(told)
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<Types>,
        option: RPCOption,
    ) -> Asked<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        self.ask(&Question::Install(request), &option).await
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Asked<VoteResponse<u64>> {
        self.ask(&Question::Vote(request), &option).await
    }
}

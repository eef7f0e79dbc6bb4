//! Asking before standing: no member stands for election unless most would vote for it, itself included.
//!
//! Who was cut off hears of no leader. Stood it then, it would come back with a higher term than anybody's, and whoever
//! leads would have to give up for nothing. This is the pre-vote of Ongaro's "Consensus: Bridging Theory and Practice"
//! (2014), section 9.6, without the look at the logs, which the vote itself takes. It only keeps members from
//! standing: that two never both lead does not rest on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use openraft::{Raft, ServerState};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::wire::{Carrier, Question};
use super::words::{Member, Types};
use super::{LEASE, voters};

/// When this member last heard of whoever leads. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Led(Arc<Mutex<Option<Instant>>>);

impl Led {
    /// It is led now.
    pub(super) fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether it was lately: then it votes for nobody.
    pub(super) fn lately(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|at| at.elapsed() < LEASE)
    }
}

/// One member's asking.
pub(super) struct Canvass {
    pub(super) id: u64,
    pub(super) raft: Raft<Types>,
    pub(super) carrier: Arc<dyn Carrier>,
    pub(super) led: Led,
}

impl Canvass {
    /// Lets the member stand as long as most would vote for it, until told to stop.
    pub(super) async fn go_on(self, stop: CancellationToken) {
        loop {
            let may_stand = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                may_stand = self.may_stand() => may_stand,
            };
            self.raft.runtime_config().elect(may_stand);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(PAUSE) => {}
            }
        }
    }

    async fn may_stand(&self) -> bool {
        let (voters, leads) = {
            let metrics = self.raft.metrics();
            let now = metrics.borrow();
            (voters(&now), now.state == ServerState::Leader)
        };
        if leads || self.led.lately() || !voters.contains_key(&self.id) {
            return false;
        }
        let in_favour = 1 + self.others_in_favour(&voters).await;
        in_favour * 2 > voters.len()
    }

    /// How many others would vote for it.
    async fn others_in_favour(&self, voters: &BTreeMap<u64, Member>) -> usize {
        let Ok(question) = serde_json::to_vec(&Question::Canvass) else { return 0 };
        let others = voters.iter().filter(|(id, _)| **id != self.id);
        let asked =
            others.map(|(_, member)| self.carrier.ask(member.clone(), question.clone(), PATIENCE));
        let answers = join_all(asked).await.into_iter().flatten();
        answers.filter(|answer| serde_json::from_slice(answer).unwrap_or(false)).count()
    }
}

/// For an answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two times of asking.
const PAUSE: Duration = Duration::from_millis(100);

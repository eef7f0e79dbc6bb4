//! The phase of a rollout in which one new instance is compared with the one whose place it is to take.
//!
//! Nothing that serves changes here: the end is a step to the next phase, or back to before it all began.

use super::{Next, Scene};
use crate::{
    control::apps::{
        failure::while_tried,
        slots,
        step::Plan,
        trial::{self, Outcome as Tried},
    },
    model::{InstanceState, Observed, Process, Slot},
};

impl Scene<'_> {
    pub(super) fn trying(&self, plan: &mut Plan) -> Option<Next> {
        let (slot, trial) = self.rollout.tried_slot().zip(self.rollout.trial.as_ref())?;
        let Some((_, process)) = self.slots().find(|(known, _)| *known == slot) else {
            return Some(Next::Proved("nobody is wanted to be tried".to_owned()));
        };
        let Some(newest) = self.newest(&slot) else { return Some(Next::Again) };
        if let Some(failure) = while_tried(newest, process) {
            // One in the place of another has answered nothing yet.
            let another = self.is_replaced(newest) || self.is_younger_than_phase(newest);
            return Some(if another { Next::Again } else { Next::Failed(failure) });
        }
        match trial::outcome(self.rollout, trial, self.seen, self.now, plan) {
            Tried::Underway => None,
            Tried::Failed(failure) => Some(Next::Failed(failure)),
            Tried::Promoted(reason) => {
                let ready = |(slot, process): (Slot, &Process)| {
                    let newest = self.newest(&slot);
                    newest.is_some_and(|newest| slots::is_ready(newest, process, self.now))
                };
                // Others may have been asked for meanwhile; they get ready as in any start.
                let is_tried = slots::is_ready(newest, process, self.now);
                match (self.slots().all(ready), is_tried) {
                    (true, _) => Some(Next::Proved(reason)),
                    (false, true) => Some(Next::Again),
                    (false, false) => None,
                }
            }
        }
    }

    fn is_younger_than_phase(&self, observed: &Observed) -> bool {
        let began = self.rollout.phase_at;
        matches!(observed.instance.state, InstanceState::Running { since } if since > began)
    }
}

//! A plan and its steps. Each step is an idempotent "see to it that", a record of status, or an
//! event; whoever executes one decides nothing.

use std::fmt;

use crate::{
    engine::InstanceSpec,
    model::{
        ContainerId, EventKind, Incarnation, Phase, PostDeploy, RolloutNumber, Slot, Tally,
        Timestamp,
    },
};

/// What to do for one app now, and when to look again although nothing may have changed by then.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they are to be done.
    pub steps: Vec<Step>,
    /// The next moment at which time alone changes the plan.
    pub look_again: Option<Timestamp>,
}

impl Plan {
    /// Remembers the earliest of the moments at which time alone changes the plan.
    pub fn look_again_at(&mut self, at: Timestamp) {
        self.look_again = Some(self.look_again.map_or(at, |earlier| earlier.min(at)));
    }
}

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// See to it that this instance exists and has been started.
    Start(Box<InstanceSpec>),
    /// Ask an instance to end.
    Terminate(ContainerId, Slot),
    /// End an instance that was asked and did not.
    Kill(ContainerId, Slot),
    /// Remove what is left of an instance.
    Remove(ContainerId, Slot),
    /// Record how far the command is that runs when the release serves, and tell people.
    PostDeploy(RolloutNumber, PostDeploy, String),
    /// Record what the two sides of a trial have answered.
    Count(RolloutNumber, Box<Tally>),
    /// Record how far the rollout is.
    Advance(Advance),
    /// Remove what the destroyed app leaves outside the store, and at last its records.
    Erase,
    /// Tell people.
    Tell(EventKind, String),
    /// Tell people of an instance, and what it wrote last.
    Report(String, ContainerId),
}

/// A status record: it is written only if the app's generation is still the planned one.
#[derive(Debug, PartialEq, Eq)]
pub struct Advance {
    /// Which rollout.
    pub rollout: RolloutNumber,
    /// The generation that the plan was made for.
    pub generation: u64,
    /// Its new phase.
    pub to: Phase,
    /// The wave that is under way then.
    pub wave: u32,
    /// What serves from now on, if that changes.
    pub current: Option<Incarnation>,
    /// Whose last lines belong to the reason.
    pub blame: Option<ContainerId>,
    /// What people are told; it is written together with the phase, so that it is true.
    pub story: Option<String>,
}

/// One line a step, as the transcripts of the tests and the debug log show it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(spec) => {
                write!(f, "start {} of {} attempt {}", spec.slot, spec.incarnation, spec.attempt)?;
                match &spec.node {
                    Some(node) => write!(f, " on {node}"),
                    None => Ok(()),
                }
            }
            Self::Terminate(id, slot) => write!(f, "terminate {slot} {id}"),
            Self::Kill(id, slot) => write!(f, "kill {slot} {id}"),
            Self::Remove(id, slot) => write!(f, "remove {slot} {id}"),
            Self::PostDeploy(rollout, _, story) => write!(f, "rollout {rollout} tells: {story}"),
            Self::Count(rollout, tally) => {
                let Tally { canary, control, .. } = &**tally;
                write!(f, "rollout {rollout} counts {}/{}", canary.errors, canary.answers)?;
                write!(f, " and {}/{}", control.errors, control.answers)
            }
            Self::Advance(advance) => {
                write!(f, "rollout {} {}", advance.rollout, advance.to.word())?;
                if advance.wave > 0 {
                    write!(f, " wave {}", advance.wave + 1)?;
                }
                match &advance.story {
                    Some(story) => write!(f, ": {story}"),
                    None => Ok(()),
                }
            }
            Self::Erase => f.write_str("erase"),
            Self::Tell(kind, text) => write!(f, "tell {}: {text}", kind.word()),
            Self::Report(text, id) => write!(f, "report of {id}: {text}"),
        }
    }
}

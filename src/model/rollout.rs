//! A rollout: the way from what serves to what shall serve. One per app is under way at a time.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{
    App, AppName, Cause, ProcessName, Release, ReleaseVersion, Slot, Timestamp, Trial,
    takeover::Wave,
};

/// Counts an app's rollouts, from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RolloutNumber(pub u32);

impl RolloutNumber {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for RolloutNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What instances are instances of: a release, and how many restarts had been asked for. A restart
/// is a rollout to the same release with one restart more, and hence as gentle as a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    /// The release.
    pub release: ReleaseVersion,
    /// Restarts asked for so far.
    pub restart: u32,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.release, self.restart)
    }
}

/// One switch of an app from one incarnation to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Whose.
    pub app: AppName,
    /// Which.
    pub number: RolloutNumber,
    /// What served when it began.
    pub from: Option<Incarnation>,
    /// What shall serve.
    pub to: Incarnation,
    /// How far it is.
    pub phase: Phase,
    /// When it began.
    pub started_at: Timestamp,
    /// When the present phase began.
    pub phase_at: Timestamp,
    /// Its waves, without the last one, which has whatever is left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
    /// Which of them is under way, counted from 0.
    #[serde(default)]
    pub wave: u32,
    /// When the release command was begun: on record before it is started, so that it never is twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Timestamp>,
    /// How far the command is that runs when it serves: on record before it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_deploy: Option<PostDeploy>,
    /// How the first wave is tried before it takes over, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Processes whose old instances end before the new start.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub recreate: BTreeSet<ProcessName>,
    /// What else serves, where the old release does not any more or not yet; the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stand_ins: Vec<StandIn>,
}

/// How far the command is that runs when a release serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostDeploy {
    /// When it was begun.
    pub begun: Timestamp,
    /// When it was seen to have ended.
    pub ended: Option<Timestamp>,
}

/// An incarnation that had taken over some slots when it was given up. It serves there until the one
/// that should is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// Which.
    pub incarnation: Incarnation,
    /// Where.
    pub slots: Wave,
}

/// Whose turn it is in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What served before the rollout.
    Old,
    /// Nobody: the old ends before the new starts.
    Nobody,
    /// What it leads to.
    New,
}

impl Rollout {
    /// Which wave a slot belongs to, counted from 0.
    pub fn wave_of(&self, slot: &Slot) -> usize {
        self.waves.iter().position(|wave| wave.covers(slot)).unwrap_or(self.waves.len())
    }

    /// The number of the wave that is under way, from 0.
    pub fn present_wave(&self) -> usize {
        usize::try_from(self.wave).unwrap_or(usize::MAX)
    }

    /// Whether no wave comes after the present one.
    pub fn is_last_wave(&self) -> bool {
        self.present_wave() >= self.waves.len()
    }

    /// Whether the command is to run that follows `release`, which this leads to. What was released before
    /// has had it: a restart, a rollback.
    pub fn is_followed(&self, release: &Release) -> bool {
        let again = self.from.is_some_and(|from| from.release == self.to.release);
        let new = matches!(release.cause, Cause::Deploy { .. } | Cause::Config { .. });
        new && !again && release.processes.keys().any(ProcessName::follows_release)
    }

    /// Whose turn it is in a slot.
    pub fn side(&self, slot: &Slot) -> Side {
        let (wave, present) = (self.wave_of(slot), self.present_wave());
        match self.phase {
            Phase::Starting if wave < present => Side::New,
            Phase::Starting if wave == present && self.recreate.contains(&slot.process) => {
                Side::Nobody
            }
            Phase::Shifting | Phase::Watching | Phase::Draining if wave <= present => Side::New,
            Phase::Done => Side::New,
            Phase::Releasing
            | Phase::Starting
            | Phase::Trying
            | Phase::Shifting
            | Phase::Watching
            | Phase::Draining
            | Phase::Reverting { .. }
            | Phase::Failed { .. }
            | Phase::Superseded => Side::Old,
        }
    }

    /// The slot whose new instance gets a share of the requests, while it does.
    pub fn tried_slot(&self) -> Option<Slot> {
        let web = ProcessName::WEB.parse().ok().filter(|_| self.phase == Phase::Trying)?;
        self.trial.as_ref().map(|_| Slot { process: web, index: 1 })
    }

    /// What stands in for the old release in a slot, the newest first.
    pub fn stand_ins_of(&self, slot: &Slot) -> impl Iterator<Item = Incarnation> {
        // Only requests can be sent to somebody else; and where two must not be at the same time, nothing
        // could come back beside it.
        let comes_back = matches!(self.phase, Phase::Reverting { .. });
        let alone = comes_back && self.recreate.contains(&slot.process);
        let may = slot.process.is_web() && !alone;
        let here = self.stand_ins.iter().filter(move |one| may && one.slots.covers(slot));
        here.map(|one| one.incarnation)
    }

    /// All that stands in when this rollout is not gone on with: what it leads to, where that took over
    /// in its first so many waves, and what stood in before.
    pub fn left_behind(&self, waves: usize) -> Vec<StandIn> {
        let over = waves.checked_sub(1).and_then(|last| self.waves.get(last));
        let taken_over = over.map(|slots| StandIn { incarnation: self.to, slots: slots.clone() });
        let before = self.stand_ins.iter().filter(|one| one.incarnation != self.to);
        taken_over.into_iter().chain(before.cloned()).take(MOST_STAND_INS).collect()
    }

    /// Has what served before serve again, wherever it can. Where it stands by it is trusted more than
    /// what has just failed; where it has ended already, that stands in until it is back.
    pub fn revert(&mut self, reason: String, hint: Option<String>, last_lines: Vec<String>) {
        self.stand_ins = self.left_behind(self.present_wave());
        self.phase = Phase::Reverting { reason, hint, last_lines };
    }

    /// In how many waves what it leads to has taken over.
    pub fn waves_taken_over(&self) -> usize {
        let present = self.present_wave();
        if matches!(self.phase, Phase::Shifting | Phase::Watching) { present + 1 } else { present }
    }
}

/// Who may serve in a slot of an app, the best first; the next ones only while none before is ready.
/// `rollout` is the one under way.
pub fn servers(app: &App, rollout: Option<&Rollout>, slot: &Slot) -> Vec<Incarnation> {
    let under_way = rollout.filter(|rollout| !rollout.phase.is_final());
    let Some(rollout) = under_way else { return app.current.into_iter().collect() };
    match rollout.side(slot) {
        Side::New => vec![rollout.to],
        Side::Nobody => Vec::new(),
        Side::Old => rollout.from.into_iter().chain(rollout.stand_ins_of(slot)).collect(),
    }
}

/// Each is what one rollout left that another took the place of; older ones have hardly a slot left.
const MOST_STAND_INS: usize = 4;

/// How far a rollout is, in the order of its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase {
    /// The release command runs on the new image; nothing else of it does.
    Releasing,
    /// New instances start beside the old; the old serve.
    Starting,
    /// The new instance of the first wave gets a share of the requests and is compared with the old one,
    /// which serves as before.
    Trying,
    /// All new instances of the wave are ready and take over the traffic.
    Shifting,
    /// The new of the wave serve and are watched; the old stand by.
    Watching,
    /// The new serve; the old finish what they began.
    Draining,
    /// Only the new are left.
    Done,
    /// The new failed; the old serve again, or are being brought back.
    Reverting {
        /// See [`Phase::Failed`].
        reason: String,
        /// See [`Phase::Failed`].
        hint: Option<String>,
        /// See [`Phase::Failed`].
        last_lines: Vec<String>,
    },
    /// The new failed; the old serve.
    Failed {
        /// Why, for people.
        reason: String,
        /// What to do next.
        hint: Option<String>,
        /// The last lines of the instance that failed.
        last_lines: Vec<String>,
    },
    /// A newer rollout took its place before it was done.
    Superseded,
}

impl Phase {
    /// Whether nothing more will happen in this rollout.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Releasing
            | Self::Starting
            | Self::Trying
            | Self::Shifting
            | Self::Watching
            | Self::Draining
            | Self::Reverting { .. } => false,
            Self::Done | Self::Failed { .. } | Self::Superseded => true,
        }
    }

    /// The phase in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Releasing => "releasing",
            Self::Starting => "starting",
            Self::Trying => "canary",
            Self::Shifting => "shifting",
            Self::Watching => "watching",
            Self::Draining => "draining",
            Self::Done => "done",
            Self::Reverting { .. } => "reverting",
            Self::Failed { .. } => "failed",
            Self::Superseded => "superseded",
        }
    }
}

//! A rollout's way from phase to phase and from wave to wave, judged by what is seen of its instances.
//!
//! What serves in a slot changes in one place, in the step from Starting to Shifting, and only when
//! every new instance of the wave is ready. Before that a fault costs nothing but the new instances,
//! and until the watch is over it costs a step back: the old stand by.

mod trying;

use std::time::Duration;

use crate::{
    control::apps::{
        command::{self, Outcome},
        failure::{Failure, after_ready, await_settling, before_ready},
        lingering, post_deploy, slots,
        state::AppState,
        step::{Advance, Plan, Step},
    },
    model::{
        Health, Instance, InstanceState, Observed, Phase, Process, ProcessName, Rollout, Slot,
        Timestamp,
    },
};

/// Adds the rollout's next phase to the plan, or the moment to look again.
pub fn judge(state: &AppState, seen: &[Observed], now: Timestamp, plan: &mut Plan) {
    // Who is missing because of that says nothing of a release.
    let Some(rollout) = state.under_way().filter(|_| state.held.is_empty()) else { return };
    let scene = Scene { state, rollout, seen, now };
    let lacking = scene.lacks_file().map(Next::Failed);
    let next = match &rollout.phase {
        Phase::Releasing | Phase::Starting if lacking.is_some() => lacking,
        Phase::Releasing => scene.releasing(plan),
        Phase::Starting => scene.starting(plan),
        Phase::Trying => scene.trying(plan),
        Phase::Shifting => scene.shifting(plan),
        Phase::Watching => scene.watching(plan),
        Phase::Draining => scene.is_drained().then_some(Next::To(Phase::Done)),
        Phase::Reverting { reason, hint, last_lines } => scene.is_back(plan).then(|| {
            let (reason, hint) = (reason.clone(), hint.clone());
            Next::To(Phase::Failed { reason, hint, last_lines: last_lines.clone() })
        }),
        Phase::Done | Phase::Failed { .. } | Phase::Superseded => None,
    };
    plan.steps.extend(next.map(|next| Step::Advance(scene.advance(next))));
}

/// Whether this step ends a rollout without success.
pub fn gives_up(step: &Step) -> bool {
    let Step::Advance(Advance { to, .. }) = step else { return false };
    matches!(to, Phase::Failed { .. } | Phase::Reverting { .. })
}

/// Whether this step of a plan for `state` says that the edge sends to the wave.
pub fn has_shifted(state: &AppState, step: &Step) -> bool {
    let Some(rollout) = state.under_way() else { return false };
    let Step::Advance(Advance { to, wave, .. }) = step else { return false };
    let on = *wave > rollout.wave || matches!(to, Phase::Watching | Phase::Draining);
    rollout.phase == Phase::Shifting && on
}

/// What comes next.
enum Next {
    /// The next phase of this wave.
    To(Phase),
    /// This wave takes over, having been tried with this result.
    Proved(String),
    /// The next wave.
    Wave,
    /// This wave anew: one of its instances ended, and is being replaced.
    Again,
    /// The end.
    Failed(Failure),
}

/// A rollout and what is seen of it.
struct Scene<'a> {
    state: &'a AppState,
    rollout: &'a Rollout,
    seen: &'a [Observed],
    now: Timestamp,
}

impl Scene<'_> {
    fn releasing(&self, plan: &mut Plan) -> Option<Next> {
        let Some(release) = self.state.releases.get(&self.rollout.to.release) else {
            return Some(self.without_record());
        };
        let precedes = |o: &&Observed| o.instance.slot.process.precedes_release();
        let mut commands = self.seen.iter().filter(precedes);
        let Some(begun) = self.rollout.command else {
            // That of an earlier release may be in the middle of its work.
            let busy = commands.any(|o| !o.instance.is_gone());
            return (!busy).then_some(Next::To(Phase::Releasing));
        };
        let timeout = release.deploy.takeover.release_timeout;
        let own = commands.find(|o| self.is_new(o));
        match command::outcome(ProcessName::RELEASE, own, (begun, timeout), self.now, plan) {
            Outcome::Underway => None,
            Outcome::Done => Some(Next::To(Phase::Starting)),
            Outcome::Failed(failure) => Some(Next::Failed(failure)),
        }
    }

    /// What is the matter if a file is made of nothing.
    fn lacks_file(&self) -> Option<Failure> {
        let release = self.state.releases.get(&self.rollout.to.release)?;
        let (path, name) = release.unmade_file()?;
        let reason = format!("the file {path} is made of {name}, which is not set");
        let hint = format!(
            "`paas secrets set {name}=@FILE -a {}` takes what a file of yours holds",
            release.app
        );
        Some(Failure { reason, hint: Some(hint), blame: None })
    }

    fn without_record(&self) -> Next {
        let reason = format!("the record of {} is gone", self.rollout.to.release);
        Next::Failed(Failure { reason, hint: None, blame: None })
    }

    fn starting(&self, plan: &mut Plan) -> Option<Next> {
        let Some(release) = self.state.releases.get(&self.rollout.to.release) else {
            return Some(self.without_record());
        };
        let mut waiting_for = Vec::new();
        for (slot, process) in self.slots() {
            let Some(newest) = self.newest(&slot) else {
                waiting_for.push(slot);
                continue;
            };
            let is_new = self.rollout.wave_of(&slot) == self.rollout.present_wave();
            let failure = if is_new {
                before_ready(newest, process, self.now, plan)
            } else {
                after_ready(newest, process)
            };
            if let Some(failure) = failure.filter(|_| !self.is_replaced(newest)) {
                return Some(Next::Failed(failure));
            }
            if !slots::is_ready(newest, process, self.now) {
                await_settling(newest, process, self.now, plan);
                waiting_for.push(slot);
            }
        }
        if waiting_for.is_empty() {
            let tried = self.rollout.trial.is_some() && self.rollout.wave == 0;
            return Some(Next::To(if tried { Phase::Trying } else { Phase::Shifting }));
        }
        let timeout = release.deploy.timeout;
        let (patience, failure) = match self.homeless(&waiting_for) {
            Some(failure) => (HOMELESS.min(timeout), failure),
            None => (timeout, overdue(&waiting_for, timeout)),
        };
        let deadline = self.rollout.phase_at.plus(patience);
        if self.now < deadline {
            plan.look_again_at(deadline);
            return None;
        }
        Some(Next::Failed(failure))
    }

    /// What is the matter if there is no machine for one that is waited for.
    fn homeless(&self, waiting_for: &[Slot]) -> Option<Failure> {
        let nowhere = |slot: &Slot| {
            let why = self.state.nowhere(self.rollout.to, slot)?;
            Some(format!("there is no machine for {slot}: {why}"))
        };
        let reason = waiting_for.iter().find_map(nowhere)?;
        let hint = if self.state.away.is_empty() {
            "`paas nodes` shows the machines; `paas nodes label NODE KEY=VALUE` labels one"
        } else {
            "`paas nodes` shows the machines, and `paas volumes` on which its volumes are"
        };
        Some(Failure { reason, hint: Some(hint.to_owned()), blame: None })
    }

    fn shifting(&self, plan: &mut Plan) -> Option<Next> {
        if let Some(next) = self.relapse() {
            return Some(next);
        }
        if !self.is_shifted() {
            return None;
        }
        let watch = self.watch().filter(|watch| !watch.is_zero());
        if let Some(watch) = watch {
            plan.look_again_at(self.now.plus(watch));
            return Some(Next::To(Phase::Watching));
        }
        Some(self.after_watch())
    }

    fn watching(&self, plan: &mut Plan) -> Option<Next> {
        if let Some(next) = self.relapse() {
            return Some(next);
        }
        let over = self.rollout.phase_at.plus(self.watch().unwrap_or_default());
        if self.now < over {
            plan.look_again_at(over);
            return None;
        }
        Some(self.after_watch())
    }

    fn after_watch(&self) -> Next {
        if self.rollout.is_last_wave() { Next::To(Phase::Draining) } else { Next::Wave }
    }

    /// What follows from the failure of one that has taken over already, while there is a way back.
    fn relapse(&self) -> Option<Next> {
        self.rollout.from?;
        let failed = |(slot, process): (Slot, &Process)| {
            let newest = self.newest(&slot)?;
            Some((newest, after_ready(newest, process)?))
        };
        let (newest, failure) = self.slots().find_map(failed)?;
        match (self.is_replaced(newest), self.stand_by()) {
            (true, true) => Some(Next::Again),
            // It is replaced where it is; going back would take those away who can answer.
            (true, false) => None,
            (false, _) => Some(Next::Failed(failure)),
        }
    }

    /// Whether the old of this wave can answer wherever the new do.
    fn stand_by(&self) -> bool {
        let Rollout { from, to, recreate, .. } = self.rollout;
        let Some(from) = from else { return false };
        let here = |slot: &Slot| {
            let web = slot.process.is_web() && !recreate.contains(&slot.process);
            web && self.rollout.wave_of(slot) == self.rollout.present_wave()
        };
        let is_ready = |one, slot: &Slot| self.state.has_ready(one, slot, self.seen, self.now);
        let mut slots = self.slots().map(|(slot, _)| slot).filter(here);
        slots.all(|slot| !is_ready(*to, &slot) || is_ready(*from, &slot))
    }

    /// How long the new are watched; there is nothing to go back to in a first deploy.
    fn watch(&self) -> Option<Duration> {
        self.rollout.from?;
        let release = self.state.releases.get(&self.rollout.to.release)?;
        Some(release.deploy.takeover.watch)
    }

    /// The slots of the present wave and of those before it.
    fn slots(&self) -> impl Iterator<Item = (Slot, &Process)> {
        let begun = |slot: &Slot| self.rollout.wave_of(slot) <= self.rollout.present_wave();
        self.state.slots_of(self.rollout.to).into_iter().filter(move |(slot, _)| begun(slot))
    }

    /// The newest instance in a slot. One that was told to end, because there were more than wanted for
    /// a while, says nothing.
    fn newest(&self, slot: &Slot) -> Option<&Observed> {
        let here = |o: &&Observed| self.is_new(o) && o.instance.slot == *slot;
        let told = |o: &&Observed| o.stopping_since.is_some();
        self.seen.iter().filter(here).filter(|o| !told(o)).max_by_key(|o| o.instance.attempt)
    }

    /// Whether one that ended is replaced, because few enough have.
    fn is_replaced(&self, observed: &Observed) -> bool {
        let most = self
            .state
            .releases
            .get(&self.rollout.to.release)
            .map_or(0, |release| u32::from(release.deploy.takeover.max_fail));
        let ends = |(slot, _): (Slot, &Process)| {
            self.newest(&slot).map_or(0, |newest| {
                newest.instance.attempt.saturating_add(u32::from(newest.instance.is_gone()))
            })
        };
        observed.instance.is_gone() && self.slots().map(ends).sum::<u32>() <= most
    }

    /// The edge sends to the new of the wave, and has stopped sending anything to whom they replace.
    fn is_shifted(&self) -> bool {
        let rollout = self.rollout;
        let wave = |o: &&Observed| rollout.wave_of(&o.instance.slot);
        // A first deploy replaces nobody, and is not over either before somebody can visit it.
        let mut ready = self
            .seen
            .iter()
            .filter(|o| self.is_new(o) && wave(o) == rollout.present_wave())
            .filter(|o| o.instance.slot.process.is_web() && o.health == Health::Ready)
            .peekable();
        let arrived = ready.peek().is_none() || ready.any(is_chosen);
        let replaced = |o: &&Observed| !self.is_new(o) && wave(o) <= rollout.present_wave();
        arrived && !self.seen.iter().filter(replaced).any(is_chosen)
    }

    /// Nothing but the new incarnation is left, and who lingers.
    fn is_drained(&self) -> bool {
        let lingerers = lingering::lingerers(self.state, self.seen, self.now);
        let lingers =
            |o: &Observed| lingerers.iter().any(|one| one.observed.instance.id == o.instance.id);
        let is_left = |o: &Observed| !self.is_new(o) && !lingers(o);
        !self.seen.iter().any(is_left) && post_deploy::is_settled(self.state)
    }

    /// What served before serves again, and nobody is sent to what failed any more.
    fn is_back(&self, plan: &mut Plan) -> bool {
        let Some(from) = self.rollout.from else { return true };
        let mut back = !self.seen.iter().any(|o| self.is_new(o) && is_routed(o));
        for (slot, process) in self.state.slots_of(from) {
            let owner = slots::owner(from, &slot, self.seen);
            if let Some(owner) = owner {
                await_settling(owner, process, self.now, plan);
                self.try_again_if_stuck(owner, process, plan);
            }
            back &= owner.is_some_and(|owner| slots::is_ready(owner, process, self.now));
        }
        back
    }

    /// One that was started to come back and does not get ready is ended, so that another is tried.
    fn try_again_if_stuck(&self, owner: &Observed, process: &Process, plan: &mut Plan) {
        let InstanceState::Running { since } = owner.instance.state else { return };
        // A daemon that has just begun has not asked anybody yet.
        let asked = matches!(&owner.health, Health::Starting { seen: Some(_), .. });
        if !asked || !process.is_asked() {
            return;
        }
        let grace = since.plus(process.health.grace);
        if self.now < grace {
            plan.look_again_at(grace);
        } else if !is_routed(owner) {
            let Instance { id, slot, .. } = owner.instance.clone();
            plan.steps.push(Step::Terminate(id, slot));
        }
    }

    fn is_new(&self, observed: &Observed) -> bool {
        observed.instance.incarnation == self.rollout.to
    }

    /// Whether a failure has changed nothing that serves, so that there is nothing to bring back.
    fn is_untouched(&self) -> bool {
        let Rollout { from, phase, wave, stand_ins, recreate, trial, .. } = self.rollout;
        let beside = match phase {
            Phase::Releasing | Phase::Trying => true,
            // What is tried has the first wave to itself.
            Phase::Starting => *wave == 0 && (recreate.is_empty() || trial.is_some()),
            _ => false,
        };
        from.is_none() || (beside && stand_ins.is_empty())
    }

    fn advance(&self, next: Next) -> Advance {
        let rollout = self.rollout;
        let mut advance = Advance {
            rollout: rollout.number,
            generation: self.state.app.generation,
            to: Phase::Starting,
            wave: rollout.wave,
            current: None,
            blame: None,
            story: None,
        };
        match next {
            Next::To(to) => {
                let takes_over = to == Phase::Shifting && rollout.is_last_wave();
                advance.current = takes_over.then_some(rollout.to);
                advance.story = self.story(&to);
                advance.to = to;
            }
            Next::Proved(reason) => {
                advance.current = rollout.is_last_wave().then_some(rollout.to);
                let takes_over = self.story(&Phase::Shifting).unwrap_or_default();
                advance.story = Some(format!("{takes_over}: {reason}"));
                advance.to = Phase::Shifting;
            }
            Next::Wave => advance.wave += 1,
            Next::Again => advance.current = rollout.from,
            Next::Failed(Failure { reason, hint, blame }) => {
                let release = rollout.to.release;
                let from = rollout.from.map(|from| from.release);
                let last_lines = Vec::new();
                advance.blame = blame;
                if self.is_untouched() {
                    advance.story = Some(match from {
                        Some(from) => format!("{release} failed: {reason}; {from} serves on"),
                        None => format!("{release} failed: {reason}"),
                    });
                    advance.to = Phase::Failed { reason, hint, last_lines };
                } else {
                    advance.story = from
                        .map(|from| format!("{release} failed: {reason}; {from} takes over again"));
                    advance.current = rollout.from;
                    advance.to = Phase::Reverting { reason, hint, last_lines };
                }
            }
        }
        advance
    }

    fn story(&self, to: &Phase) -> Option<String> {
        let (rollout, release) = (self.rollout, self.rollout.to.release);
        match to {
            Phase::Shifting if rollout.waves.is_empty() => {
                Some(format!("{release} is ready and takes over"))
            }
            Phase::Shifting => Some(format!(
                "{release} is ready and takes over in wave {} of {}",
                rollout.present_wave() + 1,
                rollout.waves.len() + 1
            )),
            Phase::Trying => rollout.trial.as_ref().map(|trial| {
                let (share, lasts) = (trial.share, trial.lasts);
                format!(
                    "{release} is tried: web.1 of it gets {share} of the requests for {lasts:?}"
                )
            }),
            Phase::Failed { .. } => {
                rollout.from.map(|from| format!("{} serves again", from.release))
            }
            Phase::Releasing
            | Phase::Starting
            | Phase::Watching
            | Phase::Draining
            | Phase::Done
            | Phase::Reverting { .. }
            | Phase::Superseded => None,
        }
    }
}

/// Whether the edge may still send to it, for whatever reason.
fn is_routed(observed: &Observed) -> bool {
    takes_requests(observed) && observed.unrouted_since.is_none()
}

/// Whether the edge may choose it for a request of its own accord.
fn is_chosen(observed: &Observed) -> bool {
    takes_requests(observed) && observed.unchosen_since.is_none()
}

fn takes_requests(observed: &Observed) -> bool {
    let running = matches!(observed.instance.state, InstanceState::Running { .. });
    running && observed.instance.slot.process.is_web()
}

fn overdue(waiting_for: &[Slot], timeout: Duration) -> Failure {
    let names: Vec<String> = waiting_for.iter().map(ToString::to_string).collect();
    let reason = format!("{} not ready after {timeout:?}", names.join(", "));
    let hint =
        "see `paas logs`; a slower start needs a larger `timeout` under [deploy] in paas.toml";
    Failure { reason, hint: Some(hint.to_owned()), blame: None }
}

/// For a machine to appear that an instance can be on: one that was just lost may be back.
const HOMELESS: Duration = Duration::from_secs(10);

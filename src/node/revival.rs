//! Whom a machine starts again by itself while nobody tells it anything. Pure.
//!
//! Control alone decides what runs. While it is away a machine keeps running what it was told to run, and no more:
//! of the instances in a slot the newest, in the container that it has, if it ended by itself. The pauses between its
//! starts are control's own. Invariant: whoever was told to end, and whatever runs once, is never started again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::model::{AppName, Backoff, ContainerId, Exit, Instance, InstanceState, Slot, Timestamp};

/// What is known of it since nobody tells this machine anything.
#[derive(Debug)]
pub(super) struct Revival {
    alone_since: Timestamp,
    tries: BTreeMap<ContainerId, Try>,
    left: BTreeSet<ContainerId>,
}

/// The last time that one was started again.
#[derive(Debug)]
struct Try {
    at: Timestamp,
    /// How often in a row it had ended quickly before.
    ends: u32,
    /// Whether the engine did not do it.
    failed: bool,
}

/// Whom to start, and when to look again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due<'a> {
    pub(super) now: Vec<&'a Instance>,
    pub(super) next: Option<Timestamp>,
}

impl Revival {
    /// Nobody tells it anything from now on.
    pub(super) fn since(now: Timestamp) -> Self {
        Self { alone_since: now, tries: BTreeMap::new(), left: BTreeSet::new() }
    }

    /// Who of these is due. Those who were told to end are not.
    pub(super) fn due<'a>(
        &self,
        instances: &'a [Instance],
        told_to_end: impl Fn(&ContainerId) -> bool,
        now: Timestamp,
    ) -> Due<'a> {
        let mut due = Due::default();
        let mut newest: BTreeMap<(&AppName, &Slot), &Instance> = BTreeMap::new();
        let own = |one: &&Instance| !one.slot.process.runs_once() && !told_to_end(&one.id);
        for one in instances.iter().filter(own) {
            let place = newest.entry((&one.app, &one.slot)).or_insert(one);
            if (place.incarnation, place.attempt) < (one.incarnation, one.attempt) {
                *place = one;
            }
        }
        for one in newest.into_values().filter(|one| !self.left.contains(&one.id)) {
            let InstanceState::Exited(exit) = &one.state else { continue };
            // What never ran is no instance that ended.
            if exit.started_at.is_none() {
                continue;
            }
            let at = self.at(one, exit).max(self.alone_since.plus(PATIENCE));
            if at <= now {
                due.now.push(one);
            } else {
                due.next = Some(due.next.map_or(at, |next| next.min(at)));
            }
        }
        due
    }

    /// It was started, or the engine did not do it.
    pub(super) fn tried(&mut self, instance: &Instance, done: bool, now: Timestamp) {
        let InstanceState::Exited(exit) = &instance.state else { return };
        let before = self.ends(instance, exit);
        let (ends, failed) = (before.max(u32::from(exit.ran_for() < Exit::STABLE)), !done);
        self.tries.insert(instance.id.clone(), Try { at: now, ends, failed });
    }

    /// It cannot be started here, and is left as it is.
    pub(super) fn leave(&mut self, id: &ContainerId) {
        self.left.insert(id.clone());
    }

    fn at(&self, instance: &Instance, exit: &Exit) -> Timestamp {
        let tried = self.tries.get(&instance.id).map(|last| last.at);
        let since = tried.map_or(exit.at, |at| at.max(exit.at));
        since.plus(Backoff::RESTARTS.after(self.ends(instance, exit)))
    }

    /// How often in a row it ended quickly, this time included.
    fn ends(&self, instance: &Instance, exit: &Exit) -> u32 {
        let last = self.tries.get(&instance.id);
        let before = last.map_or(instance.attempt, |last| last.ends);
        let ran = exit.ran_for();
        let well = ran >= Exit::STABLE || (ran >= Exit::QUICK && before == 0);
        if well && last.is_none_or(|last| !last.failed) { 0 } else { before.saturating_add(1) }
    }
}

/// Until a machine that nobody tells anything goes by itself. Whoever leads next, or a successor, is there before.
const PATIENCE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Incarnation, ReleaseVersion};

    fn seconds(at: i64) -> Timestamp {
        Timestamp::from_millis(at * 1000)
    }

    /// `SLOT RELEASE.ATTEMPT STATE`, where a state is `runs`, `made`, `FROM-TO` or `never`.
    fn instance(text: &str) -> Instance {
        let words: Vec<_> = text.split_whitespace().collect();
        let (process, index) = words[0].split_once('.').unwrap();
        let (release, attempt) = words[1].split_once('.').unwrap();
        let exit = |started_at, at| {
            let (code, out_of_memory, error) = (137, false, None);
            InstanceState::Exited(Exit { code, out_of_memory, error, started_at, at })
        };
        let number = |word: &str| seconds(word.parse().unwrap());
        let state = match words[2] {
            "runs" => InstanceState::Running { since: seconds(0) },
            "made" => InstanceState::Created,
            "never" => exit(None, seconds(0)),
            span => {
                let (from, to) = span.split_once('-').unwrap();
                exit(Some(number(from)), number(to))
            }
        };
        Instance {
            id: ContainerId(format!("{} {}", words[0], words[1])),
            app: "shop".parse().unwrap(),
            slot: Slot { process: process.parse().unwrap(), index: index.parse().unwrap() },
            incarnation: Incarnation {
                release: ReleaseVersion(release.parse().unwrap()),
                restart: 0,
            },
            attempt: attempt.parse().unwrap(),
            image: format!("sha256:{:064x}", 1).parse().unwrap(),
            node: None,
            address: None,
            door: None,
            pid: None,
            state,
        }
    }

    /// Who is due at that second, on a machine that nobody has told anything since second 100.
    #[track_caller]
    fn check(there: &[&str], told: &str, now: i64, expected: &[&str]) {
        let instances: Vec<_> = there.iter().map(|one| instance(one)).collect();
        let revival = Revival::since(seconds(100));
        let due = revival.due(&instances, |id| id.0 == told, seconds(now));
        let due: Vec<_> = due.now.iter().map(|one| one.id.0.as_str()).collect();
        assert_eq!(due, expected, "{there:?} at {now}");
    }

    #[test]
    fn who_ended_by_itself_is_started_again_once_nobody_has_said_anything_for_a_while() {
        let crashed = ["web.1 1.0 0-101", "web.2 1.0 runs", "worker.1 1.0 made"];
        check(&crashed, "", 114, &[]);
        check(&crashed, "", 115, &["web.1 1.0"]);
        // Also one that control did not come to starting.
        check(&["web.1 1.0 0-99"], "", 115, &["web.1 1.0"]);
    }

    #[test]
    fn who_was_told_to_end_or_runs_once_or_never_ran_is_left_alone() {
        check(&["web.1 1.0 0-101"], "web.1 1.0", 200, &[]);
        check(&["release.1 1.0 0-101", "web.1 1.0 never"], "", 200, &[]);
    }

    #[test]
    fn of_those_in_a_slot_the_newest_is_started() {
        check(&["web.1 1.0 0-99", "web.1 1.1 0-101"], "", 200, &["web.1 1.1"]);
        check(&["web.1 1.0 0-99", "web.1 1.1 runs"], "", 200, &[]);
        check(&["web.1 1.0 0-101", "web.1 2.0 runs"], "", 200, &[]);
        // The newer was not to be.
        check(&["web.1 1.0 0-101", "web.1 2.0 0-102"], "web.1 2.0", 200, &["web.1 1.0"]);
    }

    /// The pauses before one is started who runs for so long each time, or whom the engine does not start at all.
    fn pauses(first: &str, runs: Option<i64>) -> Vec<i64> {
        let mut revival = Revival::since(seconds(0));
        let mut one = instance(first);
        let mut pauses = Vec::new();
        let InstanceState::Exited(exit) = &one.state else { panic!("{first} runs") };
        let mut ended = exit.at;
        for _ in 0..9 {
            let due = revival.due(std::slice::from_ref(&one), |_| false, ended);
            let at = due.next.unwrap_or(ended);
            let later = revival.due(std::slice::from_ref(&one), |_| false, at);
            assert_eq!(later.now.len(), 1);
            pauses.push(i64::try_from(at.since(ended).as_secs()).unwrap());
            revival.tried(&one, runs.is_some(), at);
            ended = at;
            if let (Some(runs), InstanceState::Exited(exit)) = (runs, &mut one.state) {
                exit.started_at = Some(at);
                exit.at = at.plus(Duration::from_secs(runs.unsigned_abs()));
                ended = exit.at;
            }
        }
        pauses
    }

    #[test]
    fn the_pauses_grow_as_controls_do_and_begin_anew_after_a_long_run() {
        assert_eq!(pauses("web.1 1.0 90-100", Some(1)), [0, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pauses("web.1 1.0 99-100", Some(1)), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pauses("web.1 1.5 99-100", Some(1)), [32, 60, 60, 60, 60, 60, 60, 60, 60]);
        assert_eq!(pauses("web.1 1.5 99-100", Some(400)), [32, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(pauses("web.1 1.0 0-1000", None), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn who_cannot_be_started_here_is_left() {
        let one = instance("web.1 1.0 0-100");
        let mut revival = Revival::since(seconds(0));
        revival.leave(&one.id);
        assert_eq!(revival.due(&[one], |_| false, seconds(900)), Due::default());
    }
}

//! What the two instances of each trial have answered since it began, from the edge's figures, which begin
//! anew with every daemon: what was on record when this one began is added.
//!
//! An instance that takes the place of another is counted from the moment it is seen.

use std::collections::BTreeMap;

use proxy::UpstreamTraffic;

use crate::{
    control::apps::state::AppState,
    model::{
        AppName, ContainerId, Incarnation, Instance, InstanceState, RolloutNumber, Sample, Slot,
        Timestamp,
    },
};

/// The trials under way.
#[derive(Debug, Default)]
pub struct Tallies(BTreeMap<AppName, Counting>);

#[derive(Debug)]
struct Counting {
    trial: (RolloutNumber, Timestamp),
    canary: Count,
    control: Count,
}

/// What one side answered.
#[derive(Debug)]
struct Count {
    sum: Sample,
    /// Who was seen last, with the figures of the edge then.
    last: Option<(ContainerId, Sample)>,
}

impl Tallies {
    /// Counts what was answered since the last time. `figures` are the edge's, of a container.
    pub fn count(
        &mut self,
        states: &BTreeMap<AppName, AppState>,
        by_app: &BTreeMap<AppName, Vec<Instance>>,
        figures: impl Fn(&ContainerId) -> Sample,
    ) {
        let mut next = BTreeMap::new();
        for (name, state) in states {
            let Some(rollout) = state.under_way() else { continue };
            let Some((slot, trial)) = rollout.tried_slot().zip(rollout.trial.as_ref()) else {
                continue;
            };
            let number = (rollout.number, rollout.phase_at);
            let known = self.0.remove(name).filter(|counting| counting.trial == number);
            let mut counting = known.unwrap_or(Counting {
                trial: number,
                canary: Count { sum: trial.tally.canary, last: None },
                control: Count { sum: trial.tally.control, last: None },
            });
            let instances = by_app.get(name).map_or(&[][..], Vec::as_slice);
            let count = |side: &mut Count, incarnation| {
                if let Some(id) = running(instances, incarnation, &slot) {
                    side.count(id, figures(id));
                }
            };
            count(&mut counting.canary, Some(rollout.to));
            count(&mut counting.control, rollout.from);
            next.insert(name.clone(), counting);
        }
        self.0 = next;
    }

    /// What its side answered, if that container is one of the two.
    pub fn of(&self, app: &AppName, id: &ContainerId) -> Option<Sample> {
        let counting = self.0.get(app)?;
        let is = |side: &&Count| side.last.as_ref().is_some_and(|(last, _)| last == id);
        [&counting.canary, &counting.control].into_iter().find(is).map(|side| side.sum)
    }
}

impl Count {
    fn count(&mut self, id: &ContainerId, figures: Sample) {
        if let Some((_, before)) = self.last.as_ref().filter(|(last, _)| last == id) {
            self.sum = self.sum.plus(&figures.since(before));
        }
        self.last = Some((id.clone(), figures));
    }
}

/// The newest that runs in a slot of an incarnation.
fn running<'a>(
    instances: &'a [Instance],
    incarnation: Option<Incarnation>,
    slot: &Slot,
) -> Option<&'a ContainerId> {
    let here = |one: &&Instance| {
        Some(one.incarnation) == incarnation
            && one.slot == *slot
            && matches!(one.state, InstanceState::Running { .. })
    };
    instances.iter().filter(here).max_by_key(|one| one.attempt).map(|one| &one.id)
}

/// What the edge says of an upstream, if it knows it.
pub fn sample(figures: Option<&UpstreamTraffic>) -> Sample {
    figures.map_or_else(Sample::default, |figures| Sample {
        answers: figures.answers,
        errors: figures.errors,
        times: figures.first_byte.counts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_in_the_same_classes_everywhere() {
        assert_eq!(crate::model::trial::BOUNDS, proxy::BOUNDS);
    }

    #[test]
    fn what_was_counted_before_a_restart_is_added_and_what_an_edge_says_first_is_not() {
        let sample = |answers| Sample { answers, ..Sample::default() };
        let id = |text: &str| ContainerId(text.to_owned());
        let mut side = Count { sum: sample(40), last: None };
        for (who, figures, expected) in
            [("a", 7, 40), ("a", 9, 42), ("b", 100, 42), ("b", 101, 43), ("b", 3, 43)]
        {
            side.count(&id(who), sample(figures));
            assert_eq!(side.sum.answers, expected, "{who} {figures}");
        }
    }
}

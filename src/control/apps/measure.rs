//! What instances use, measured every few seconds: for people, never for a decision.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    engine::{Engine, UsageSample},
    model::{AppName, ContainerId, Instance, InstanceState, Timestamp, observation::Usage},
};

/// The last measurement of each running instance, and what follows from it and the one before.
#[derive(Debug, Default)]
pub struct Measurements(BTreeMap<ContainerId, (Timestamp, UsageSample, Option<Usage>)>);

impl Measurements {
    /// Measures what running instances use, every few seconds.
    pub async fn measure(
        &mut self,
        engine: &impl Engine,
        by_app: &BTreeMap<AppName, Vec<Instance>>,
        now: Timestamp,
    ) {
        let running = by_app
            .values()
            .flatten()
            .filter(|instance| matches!(instance.state, InstanceState::Running { .. }));
        let ids: BTreeSet<ContainerId> = running.map(|instance| instance.id.clone()).collect();
        self.0.retain(|id, _| ids.contains(id));
        for id in ids {
            let last = self.0.get(&id).map(|(at, sample, _)| (*at, *sample));
            if last.is_some_and(|(at, _)| now.since(at) < MEASURE_EVERY) {
                continue;
            }
            let Ok(sample) = engine.usage(&id).await else { continue };
            let usage = last.map(|(at, earlier)| {
                let spent = sample.cpu.saturating_sub(earlier.cpu).as_micros();
                let over = now.since(at).as_micros().max(1);
                Usage {
                    memory: sample.memory,
                    cpu_millis: u32::try_from(spent * 1000 / over).unwrap_or(u32::MAX),
                }
            });
            let usage = usage.or(Some(Usage { memory: sample.memory, cpu_millis: 0 }));
            self.0.insert(id, (now, sample, usage));
        }
    }

    /// What that container uses; `None` before it was measured.
    pub fn of(&self, id: &ContainerId) -> Option<Usage> {
        self.0.get(id).and_then(|(_, _, usage)| *usage)
    }
}

/// Between two measurements of what an instance uses.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

//! Times by what was timed, and the table they become.

use std::time::{Duration, Instant};

/// In the order in which things were timed first.
#[derive(Default)]
pub(crate) struct Figures(Vec<(String, Vec<u128>)>);

impl Figures {
    pub(crate) fn add(&mut self, name: &str, took: Duration) {
        let millis = took.as_millis();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, times)) => times.push(millis),
            None => self.0.push((name.to_owned(), vec![millis])),
        }
    }

    pub(crate) fn time<T>(&mut self, name: &str, work: impl FnOnce() -> T) {
        let started = Instant::now();
        work();
        self.add(name, started.elapsed());
    }

    fn sorted(&self, name: &str) -> Option<Vec<u128>> {
        let mut times = self.0.iter().find(|(known, _)| known == name)?.1.clone();
        times.sort_unstable();
        Some(times)
    }
}

/// One row for everything that either has: the one time of `cold`, p50 and p95 of `warm`.
pub(crate) fn print(title: &str, cold: &Figures, warm: &Figures) {
    println!("{title:<29} {:>7} {:>7} {:>7}   ms", "cold", "p50", "p95");
    let more = warm.0.iter().filter(|(name, _)| cold.sorted(name).is_none());
    for (name, _) in cold.0.iter().chain(more) {
        let first = cold.sorted(name).map_or(String::new(), |times| times[0].to_string());
        let (half, most) = warm.sorted(name).map_or_else(Default::default, |times| {
            (percentile(&times, 50).to_string(), percentile(&times, 95).to_string())
        });
        println!("  {name:<27} {first:>7} {half:>7} {most:>7}");
    }
}

/// By nearest rank.
fn percentile(sorted: &[u128], percent: usize) -> u128 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

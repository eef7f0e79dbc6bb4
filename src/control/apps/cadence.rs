//! When an instance is asked next. Pure: what would be random is a hash, so that a thousand instances that
//! were started at once are not asked at once for ever.

use std::time::Duration;

use crate::model::HealthCheck;

/// How urgent the next look is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A deploy may be waiting for the first good answer; the instance has run for so long.
    First(Duration),
    /// All is known, and may change.
    Steady,
}

/// From the end of a look to the next one. `turn` tells one look of one instance from all others.
pub fn pause(check: &HealthCheck, pace: Pace, turn: u64) -> Duration {
    let spread = |pause: Duration| {
        // From nine to eleven tenths of it, so that on the whole it is what was asked for.
        let share = u32::try_from(mixed(turn) % 201).unwrap_or_default();
        pause.saturating_mul(900 + share) / 1000
    };
    // A program is started in the instance for each look, which costs a hundred times a request.
    let slower = if check.command.is_empty() { 1 } else { 10 };
    match pace {
        Pace::Steady => spread(check.interval),
        Pace::First(running) if running < Duration::from_secs(2) => EAGER * slower,
        Pace::First(running) if running < Duration::from_secs(15) => EAGER * 5 * slower,
        Pace::First(_) => spread(EAGER * 25 * slower).min(check.interval.max(EAGER)),
    }
}

/// The first look of what need not be known at once: somewhere within its interval.
pub fn first(check: &HealthCheck, turn: u64) -> Duration {
    let share = u32::try_from(mixed(turn) % 1000).unwrap_or_default();
    check.interval.saturating_mul(share) / 1000
}

/// All bits of a number from all others (`SplitMix64`).
fn mixed(turn: u64) -> u64 {
    let mut bits = turn.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

const EAGER: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_instances_are_asked_evenly() {
        let check = HealthCheck { interval: Duration::from_secs(5), ..HealthCheck::default() };
        let mut tenths = vec![0_u32; 601];
        let mut all = 0;
        for instance in 0..1000_u64 {
            let (mut at, mut turn) = (first(&check, instance), 0);
            while at < Duration::from_mins(1) {
                tenths[usize::try_from(at.as_millis() / 100).unwrap()] += 1;
                all += 1;
                turn += 1;
                at += pause(&check, Pace::Steady, instance << 32 | turn);
            }
        }
        // 200 a second are 20 in a tenth of one.
        assert!((11_900..=12_100).contains(&all), "{all} looks in a minute");
        assert!(tenths.iter().max() < Some(&45), "{tenths:?}");
    }

    #[test]
    fn the_first_answer_is_waited_for_and_programs_are_started_seldom() {
        let check = HealthCheck::default();
        let program = HealthCheck { command: vec!["bin/check".to_owned()], ..check.clone() };
        let millis = |check: &HealthCheck, seconds| {
            pause(check, Pace::First(Duration::from_secs(seconds)), 1).as_millis()
        };
        assert_eq!((millis(&check, 1), millis(&check, 3)), (10, 50));
        assert_eq!((millis(&program, 1), millis(&program, 3)), (100, 500));
        assert!((225..=275).contains(&millis(&check, 20)) && millis(&program, 20) <= 2_000);
        assert!((1_800..=2_200).contains(&pause(&check, Pace::Steady, 7).as_millis()));
    }
}

//! When to try again, and when to renew. Pure: chance comes from the name, so that a plan made twice
//! is the same plan, and a thousand names do not move together.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::{
    acme::Window,
    model::{DomainName, Timestamp},
};

/// The wait after so many failures in a row.
pub(super) fn after(attempts: u32) -> Duration {
    let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    Duration::from_secs(STEPS.get(step).copied().unwrap_or(LAST))
}

/// The wait after a name was found not to lead here for so many times: a person is about to set a
/// record and watches, and a zone of ours learns of a name at the same moment as we do, so it is
/// short at first.
pub(super) fn after_preflight(attempts: u32) -> Duration {
    Duration::from_secs(match attempts {
        0 | 1 => 2,
        2 => 10,
        3 => 30,
        4..=10 => 60,
        11..=30 => 300,
        31..=60 => 900,
        _ => 3600,
    })
}

/// When a certificate with this life is to be renewed if its authority has no opinion: at two thirds
/// of it, less up to a thirtieth by chance.
pub(super) fn renewal(name: &DomainName, from: Timestamp, to: Timestamp) -> Timestamp {
    let life = to.since(from);
    from.plus((life * 2 / 3).saturating_sub((life / 30).mul_f64(chance(name))))
}

/// A moment in the window that an authority asks for.
pub(super) fn within(name: &DomainName, window: Window) -> Timestamp {
    window.start.plus(window.end.since(window.start).mul_f64(chance(name)))
}

/// From 0 to 1, the same for a name at all times.
fn chance(name: &DomainName) -> f64 {
    let digest = Sha256::digest(name.as_str().as_bytes());
    let bytes = digest.first_chunk::<4>().copied().unwrap_or_default();
    f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
}

/// Seconds: 1 minute, 5 minutes, half an hour, 2 hours, 6 hours, and half a day ever after.
const STEPS: [u64; 5] = [60, 300, 1800, 7200, 21600];
const LAST: u64 = 43200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_longer_each_time_up_to_half_a_day() {
        let minutes: Vec<u64> = (1..=7).map(|attempts| after(attempts).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 5, 30, 120, 360, 720, 720]);
    }

    #[test]
    fn renewal_is_before_two_thirds_of_any_life() {
        let name: DomainName = "a.example".parse().unwrap();
        for days in [1, 6, 45, 90] {
            let (from, to) = (Timestamp::default(), Timestamp::from_millis(days * 86_400_000));
            let at = renewal(&name, from, to).as_millis();
            assert!(at <= days * 57_600_000 && at >= days * 54_000_000, "{days}: {at}");
        }
    }
}

//! The one way to wait longer after each failure.

use std::time::Duration;

/// A delay that doubles from `first` to `most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub most: Duration,
}

impl Backoff {
    /// Between an instance's end and its next start, by how often in a row it ended quickly.
    pub const RESTARTS: Self = Self { first: Duration::from_secs(1), most: Duration::from_mins(1) };

    /// The delay after so many failures in a row; none after none.
    pub fn after(self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => self.first.saturating_mul(1 << doublings.min(20)).min(self.most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_bound() {
        let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_mins(1) };
        let seconds = |failures| backoff.after(failures).as_secs();
        assert_eq!([0, 1, 2, 3, 7, 1000].map(seconds), [0, 1, 2, 4, 60, 60]);
    }
}

//! When a backup is due: state of a volume × now. Pure.
//!
//! However many times of its schedule went by, one backup is due: it has all that the missed ones would
//! have had.

use crate::model::{BackupState, TimeZone, Timestamp};

/// What the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// A time of the schedule has come.
    Now,
    /// One that failed is to be tried again.
    Again,
    /// Nothing before then.
    At(Timestamp),
    /// There is no schedule.
    Never,
}

/// Whether a backup is due. The schedule goes by UTC.
pub(super) fn due(state: &BackupState, now: Timestamp) -> Due {
    let Some(schedule) = &state.schedule else { return Due::Never };
    // A clock that was set back does not make anybody wait for what it showed before.
    let seen = state.seen.unwrap_or(now).min(now);
    let tick = schedule.next(seen, &TimeZone::default());
    match (tick, state.again_at) {
        (Some(tick), _) if tick <= now => Due::Now,
        (_, Some(again)) if again <= now => Due::Again,
        (tick, again) => tick.into_iter().chain(again).min().map_or(Due::Never, Due::At),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BackupsKept;

    fn at(clock: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-22T{clock}:00Z")).unwrap()
    }

    /// What is due by `now`, of a volume whose backups at 03:30 were dealt with until `seen`.
    fn check(seen: &str, again: Option<&str>, now: &str, expected: Due) {
        let mut state = BackupState::default();
        state.wanted(Some(&"30 3 * * *".parse().unwrap()), BackupsKept(7), at(seen));
        state.again_at = again.map(at);
        assert_eq!(due(&state, at(now)), expected);
    }

    #[test]
    fn a_backup_is_due_once_when_its_time_has_come_however_late() {
        check("03:00", None, "03:29", Due::At(at("03:30")));
        check("03:00", None, "03:30", Due::Now);
        check("03:00", None, "23:00", Due::Now);
        let tomorrow = Timestamp::parse("2026-11-23T03:30:00Z").unwrap();
        check("03:30", None, "03:30", Due::At(tomorrow));
        assert_eq!(due(&BackupState::default(), at("03:30")), Due::Never);
    }

    #[test]
    fn one_that_failed_is_due_again_before_the_next() {
        check("03:30", Some("03:35"), "03:34", Due::At(at("03:35")));
        check("03:30", Some("03:35"), "03:35", Due::Again);
        check("03:00", Some("03:20"), "04:00", Due::Now);
    }

    #[test]
    fn a_clock_that_is_set_back_delays_nothing() {
        check("23:00", None, "03:00", Due::At(at("03:30")));
        check("23:00", None, "03:30", Due::At(Timestamp::parse("2026-11-23T03:30:00Z").unwrap()));
    }
}

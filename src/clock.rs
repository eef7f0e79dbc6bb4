//! The only place that asks what time it is. Everybody else is told, so that tests choose it. Not
//! for measuring how long something took: that is `Instant`'s work.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// Now, by this machine's clock. It may jump, also backwards.
#[expect(clippy::disallowed_methods, reason = "this is the one door to the wall clock")]
pub fn system() -> SystemTime {
    SystemTime::now()
}

/// The same, in milliseconds.
pub fn now() -> Timestamp {
    let millis = system().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// A recorded time as the times of files are; one before the epoch is the epoch.
pub fn of_files(recorded: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(recorded.as_millis()).unwrap_or_default())
}

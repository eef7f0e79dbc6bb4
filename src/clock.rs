//! The wall clock, read in one place. Everything else takes the time as an argument, so that
//! tests choose it. Not for measuring how long something took: that is `Instant`'s work.

use std::time::SystemTime;

/// What time it is, by this machine's clock. It may jump, also backwards.
#[allow(clippy::disallowed_methods, reason = "this is the one door to the wall clock")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

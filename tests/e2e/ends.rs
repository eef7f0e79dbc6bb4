//! The end of what goes on beside a test.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Tells whoever looks that it is over, also if something fails.
pub(crate) struct Ends<'a>(pub(crate) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

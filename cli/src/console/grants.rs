//! How much input the server has granted.

use std::cell::Cell;

use tokio::sync::Notify;

/// What may be sent still.
#[derive(Debug)]
pub(crate) struct Grants {
    left: Cell<usize>,
    more: Notify,
}

impl Grants {
    pub(crate) fn new(first: u32) -> Self {
        Self { left: Cell::new(first as usize), more: Notify::new() }
    }

    pub(crate) fn add(&self, more: u32) {
        self.left.set(self.left.get().saturating_add(more as usize));
        self.more.notify_one();
    }

    /// Waits until so much may be sent, and takes it. May be dropped while it waits.
    pub(crate) async fn take(&self, bytes: usize) {
        while self.left.get() < bytes {
            self.more.notified().await;
        }
        self.left.set(self.left.get() - bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_sent_that_was_not_granted() {
        let grants = Grants::new(10);
        grants.take(7).await;
        let waits = async {
            grants.take(8).await;
            grants.left.get()
        };
        let more = async {
            grants.add(4);
            tokio::task::yield_now().await;
            assert_eq!(grants.left.get(), 7, "it waits still");
            grants.add(2);
        };
        let (left, ()) = tokio::join!(waits, more);
        assert_eq!(left, 1);
    }
}

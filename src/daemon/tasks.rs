//! The daemon's tasks: named, stopped together, joined with a deadline.

use std::{future::Future, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Everything that runs beside the daemon's main line. Dropped, it tells its tasks to stop, and waits for none.
#[derive(Debug)]
pub(super) struct Tasks {
    stop: CancellationToken,
    _stops: DropGuard,
    running: Vec<(&'static str, JoinHandle<()>)>,
}

impl Tasks {
    pub(super) fn new() -> Self {
        let stop = CancellationToken::new();
        Self { _stops: stop.clone().drop_guard(), stop, running: Vec::new() }
    }

    /// What tells a task to stop.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task; it must end soon after `stop` says so.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.running.push((name, tokio::spawn(task)));
    }

    /// Waits until all of them have ended by themselves. It may be dropped at any time.
    pub(super) async fn ended(&mut self) {
        while let Some((name, task)) = self.running.last_mut() {
            if let Err(error) = task.await {
                tracing::error!(task = *name, %error, "a task had died");
            }
            self.running.pop();
        }
    }

    /// Stops all of them and waits, at most so long; the names of those that were cut. Nothing of
    /// what they had is in use afterwards.
    pub(super) async fn stop_all(self, patience: Duration) -> Vec<&'static str> {
        self.stop.cancel();
        let deadline = Instant::now() + patience;
        let mut cut = Vec::new();
        for (name, mut task) in self.running {
            match timeout_at(deadline, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(task = name, %error, "a task had died");
                    cut.push(name);
                }
                Err(_) => {
                    task.abort();
                    // It ends at its next wait; only then is what it had dropped.
                    let _ = task.await;
                    cut.push(name);
                }
            }
        }
        cut
    }
}

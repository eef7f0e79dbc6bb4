//! The loop that every part of control runs in: wait, pass, and back off when a pass fails.
//!
//! `wait` may be dropped anywhere; `pass` never is. A pass that fails is tried again after a delay
//! that grows and is reset by the first pass that succeeds.

use std::{future::Future, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{model::Backoff, telemetry::chain};

/// One part of control.
pub trait Task: Send + 'static {
    /// Its name in the log.
    const NAME: &'static str;
    /// Why a pass failed; it is logged once and shown where the task publishes it.
    type Error: std::error::Error + Send;

    /// Ends when there may be something to do. Cancel-safe.
    fn wait(&mut self) -> impl Future<Output = ()> + Send;

    /// Does what there is to do now.
    fn pass(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Runs a task until it is told to stop; the pass under way is always finished.
pub async fn run<T: Task>(mut task: T, stop: CancellationToken) {
    let mut failures = 0_u32;
    loop {
        match task.pass().await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures = failures.saturating_add(1);
                let delay = PASSES.after(failures);
                tracing::warn!(task = T::NAME, error = %chain(&error), ?delay, "a pass failed");
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = sleep(delay) => continue,
                }
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = task.wait() => {}
        }
    }
}

/// Between failed passes: quick at first, since most failures are a Docker that is starting.
const PASSES: Backoff =
    Backoff { first: Duration::from_millis(200), most: Duration::from_secs(10) };

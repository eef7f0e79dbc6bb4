//! When the daemon is asked to end, or to make way for a successor.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the daemon knows.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    upgrade: Signal,
}

/// What the daemon is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To hand over to a successor: SIGUSR2.
    Upgrade,
    /// To end, by this signal: SIGTERM or SIGINT.
    End(&'static str),
}

impl Signals {
    /// Takes the signals over from now on.
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            upgrade: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next of them.
    pub(super) async fn received(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End("SIGTERM"),
            _ = self.interrupt.recv() => Asked::End("SIGINT"),
            _ = self.upgrade.recv() => Asked::Upgrade,
        }
    }

    /// The next of them that ends the daemon. Others do nothing meanwhile.
    pub(super) async fn ended(&mut self) -> &'static str {
        loop {
            if let Asked::End(signal) = self.received().await {
                return signal;
            }
        }
    }
}

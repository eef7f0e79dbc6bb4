//! The daemon's own log: one line a fact, on standard error, levels by `PAAS_LOG`; and how an error
//! is told.

use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging. `filter` is in the syntax of `tracing_subscriber::EnvFilter`; a faulty one is
/// said and replaced by `info`.
pub fn start(filter: Option<&str>) {
    let wanted = filter.map(EnvFilter::try_new);
    let (filter, fault) = match wanted {
        None => (EnvFilter::new(DEFAULT), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(DEFAULT), Some(error)),
    };
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal);
    // A second start in one process happens in tests only, and the first one serves.
    subscriber.try_init().ok();
    if let Some(error) = fault {
        tracing::warn!(%error, "PAAS_LOG is not a filter; using `{DEFAULT}`");
    }
}

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

const DEFAULT: &str = "info,access=off,openraft=off";

//! The daemon's own log: one line a fact, on standard error, levels by `PAAS_LOG`.

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

const DEFAULT: &str = "info";

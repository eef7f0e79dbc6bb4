//! Whether the container came up against its limit of processes and threads. A program that could
//! not start another one says so in a hundred ways; the kernel counts.

use std::fs;

use super::Failed;

/// What the kernel says of the container's control group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pids {
    /// How often another one was refused.
    refused: u64,
    /// How many there may be.
    limit: Option<u64>,
}

impl Pids {
    /// As it is now; nothing where the kernel does not say.
    pub(super) fn read() -> Self {
        // Control groups of version 2, then of version 1.
        let found = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"].iter().find_map(|group| {
            let events = fs::read_to_string(format!("{group}/pids.events")).ok()?;
            let limit = fs::read_to_string(format!("{group}/pids.max")).unwrap_or_default();
            Some(Self::parse(&events, &limit))
        });
        found.unwrap_or_default()
    }

    fn parse(events: &str, limit: &str) -> Self {
        let refused =
            events.lines().find_map(|line| line.strip_prefix("max ")?.trim().parse().ok());
        Self { refused: refused.unwrap_or_default(), limit: limit.trim().parse().ok() }
    }

    /// The failure, with that as its reason if it happened since.
    pub(super) fn blame(self, before: Self, mut failed: Failed) -> Failed {
        let Some(limit) = self.limit.filter(|_| self.refused > before.refused) else {
            return failed;
        };
        failed.reason = format!(
            "the build ran out of processes and threads (limit {limit})\n{}",
            failed.reason
        );
        failed.hint(format!("allow more in paas.toml: [build] pids = {}", limit.saturating_mul(2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Code, Phase};

    #[test]
    fn a_failure_is_blamed_on_the_limit_only_if_it_was_met_meanwhile() {
        let failed = Failed::new(Code::BuildpackBuild, Phase::Build, "npm failed");
        let before = Pids::parse("max 3\n", "1024\n");
        assert_eq!(before, Pids { refused: 3, limit: Some(1024) });
        assert_eq!(before.blame(before, failed.clone()), failed);
        let blamed = Pids::parse("max 4\n", "1024\n").blame(before, failed.clone());
        assert!(
            blamed.reason.starts_with("the build ran out of processes and threads (limit 1024)")
        );
        assert_eq!(blamed.hint.as_deref(), Some("allow more in paas.toml: [build] pids = 2048"));
        assert_eq!(Pids::parse("", "max").blame(Pids::default(), failed.clone()), failed);
    }
}

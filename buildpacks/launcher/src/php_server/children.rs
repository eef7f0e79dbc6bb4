//! How many requests PHP works on at a time: as many as the memory of the container holds.

use std::fs;

use super::PhpServerError;

/// What a process of a usual app takes, beside what all of them share.
const EACH: u64 = 64 * MIB;
/// What nginx, the masters and the cache of compiled files take together.
const SHARED: u64 = 128 * MIB;
/// The fewest: an app may ask itself something while it answers.
const FEWEST: u64 = 2;
/// The most; beyond, processors are what lacks.
const MOST: u64 = 64;
const MIB: u64 = 1024 * 1024;

/// The number of processes: `WEB_CONCURRENCY`, else what memory allows.
pub(super) fn count() -> Result<u64, PhpServerError> {
    match std::env::var("WEB_CONCURRENCY") {
        Ok(text) => match text.trim().parse() {
            Ok(wish @ 1..=1024) => Ok(wish),
            Ok(_) | Err(_) => Err(PhpServerError::Concurrency(text)),
        },
        Err(_) => Ok(fitting(limit())),
    }
}

fn fitting(memory: u64) -> u64 {
    (memory.saturating_sub(SHARED) / EACH).clamp(FEWEST, MOST)
}

/// The container's limit, in bytes; where there is none, a quarter of the machine's memory.
fn limit() -> u64 {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits = files.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let quarter = machine.unwrap_or(SHARED) / 4;
    // Old kernels write a huge number for "none".
    limits.into_iter().find(|limit| machine.is_none_or(|all| *limit < all)).unwrap_or(quarter)
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = rest.trim().trim_end_matches("kB").trim_end().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_decides() {
        let counts = [128, 256, 512, 1024, 65536].map(|mib| fitting(mib * MIB));
        assert_eq!(counts, [2, 2, 6, 14, 64]);
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 * MIB));
    }
}

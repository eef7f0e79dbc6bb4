//! Places where a test makes the daemon die, to see that nothing is lost.
//!
//! `PAAS_FAULT=build.loaded` aborts a debug build of the daemon when it first passes that point,
//! `PAAS_FAULT=build.loaded:3` at the third pass. Not an error injector: the process dies as by
//! `kill -9`. Invariant: in release builds every point is nothing at all.

/// All points, in the order of a deploy; a test dies at each of them once.
pub const POINTS: &[&str] = &[
    "upload.kept",
    "builds.started",
    "build.unpacked",
    "build.synced",
    "build.container_started",
    "build.finished",
    "build.container_settled",
    "build.exported",
    "build.loaded",
    "build.remembered",
    "builds.built",
    "builds.recorded",
    "apps.start",
    "apps.started",
    "apps.advance",
    "apps.advanced",
    "apps.terminate",
    "apps.remove",
];

/// Points of an upgrade, which the successor alone passes: it has the store; it has everything, and
/// accepts nobody yet.
pub const UPGRADE: &[&str] = &["upgrade.opened", "upgrade.bound"];

/// Points of a rotation of the sealing key.
pub const SEALING: &[&str] = &["sealing.replaced", "sealing.resealed"];

/// Points of a deploy that needs packages which no app needed before.
pub const VARIANTS: &[&str] = &["variant.installed", "variant.kept"];

/// Points of work on volumes: one's bytes are out of the way, its record is there; its app stands still;
/// what was in it is a snapshot, and nothing is in it; a restore is over and not on record; a step is on record.
pub const VOLUMES: &[&str] = &[
    "volumes.discarded",
    "volumes.frozen",
    "volumes.put_by",
    "volumes.swapped",
    "volumes.carried",
    "volumes.recorded",
];

/// Points of backups: something of a volume is on its way; all of its bytes are at the place, and it is no
/// backup yet; it is one, and not on record; something came back; all of it did, and nobody has it yet.
pub const BACKUPS: &[&str] =
    &["backups.packed", "backups.sent", "backups.described", "backups.unpacked", "backups.fetched"];

/// Points of a detached run: two before and one after its container is started, one before what is left
/// of it is removed.
pub const RUNS: &[&str] = &["runs.start", "runs.started", "runs.record", "runs.remove"];

/// Points of a tick of a job by the clock: before and after it is recorded together with its run.
pub const CRON: &[&str] = &["cron.tick", "cron.ticked"];

/// Points of a `git push`: its pack is here and checked; what it brings serves; its objects are the
/// repository's own, and no ref leads to them.
pub const PUSH: &[&str] = &["git.taken", "git.deployed", "git.admitted"];

/// Points of a change of those that keep the records: the first member has founded the council; a node has written what
/// it is given, and has answered; one is told that it is none any more, and still has all.
pub const COUNCIL: &[&str] =
    &["council.founded", "council.accepted", "council.charged", "council.resigned"];

/// Dies here if that is what was asked for.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    use std::sync::{LazyLock, Mutex, PoisonError};

    /// The point, and how many passes are left until it is the one.
    static ASKED: LazyLock<Option<(String, Mutex<u32>)>> = LazyLock::new(|| {
        let asked = std::env::var("PAAS_FAULT").ok()?;
        let (name, count) = asked.split_once(':').unwrap_or((&asked, "1"));
        Some((name.to_owned(), Mutex::new(count.parse().ok()?)))
    });

    debug_assert!(
        [POINTS, UPGRADE, SEALING, VARIANTS, VOLUMES, BACKUPS, RUNS, CRON, PUSH, COUNCIL]
            .concat()
            .contains(&name),
        "{name} is not in the list of points"
    );
    let Some((asked, left)) = ASKED.as_ref() else { return };
    if asked == name {
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_sub(1);
        if *left == 0 {
            std::process::abort();
        }
    }
}

/// Nothing, in release builds.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_name: &'static str) {}

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

/// Points of a deploy that needs packages which no app needed before.
pub const VARIANTS: &[&str] = &["variant.installed", "variant.kept"];

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
        POINTS.iter().chain(UPGRADE).chain(VARIANTS).any(|known| *known == name),
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

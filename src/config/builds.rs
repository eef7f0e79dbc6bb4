//! The settings of builds: what they may use of the machine, and what they may keep on it.

use std::time::Duration;

use super::reader::Reader;
use crate::model::{ByteSize, manifest::duration, size::InvalidSize};

/// What builds may use of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildSettings {
    /// The most memory of one, unless `paas.toml` asks for more.
    pub memory: ByteSize,
    /// The most of the disk for one, unless `paas.toml` asks for more.
    pub disk: ByteSize,
    /// What builds leave free on the disk, or a twentieth of it if that is less.
    pub reserve: ByteSize,
    /// What may be kept for later builds: of one app, of all, of toolchains.
    pub keep_app: ByteSize,
    /// See [`BuildSettings::keep_app`].
    pub keep: ByteSize,
    /// See [`BuildSettings::keep_app`].
    pub keep_toolchains: ByteSize,
    /// How long the container of one waits for the next of its app; zero is not at all.
    pub idle: Duration,
    /// How many at the same time.
    pub at_once: usize,
}

/// Reads them.
pub(super) fn read(reader: &mut Reader<'_>) -> BuildSettings {
    BuildSettings {
        memory: reader.one("build_memory", "1g", size),
        disk: reader.one("build_disk", "10g", size),
        reserve: reader.one("disk_reserve", "1g", size),
        keep_app: reader.one("cache_per_app", "5g", size),
        keep: reader.one("cache", "20g", size),
        keep_toolchains: reader.one("toolchain_cache", "10g", size),
        idle: reader.one("build_idle", "15m", idle),
        at_once: reader.one("builds_at_once", "1", |text| match text.parse() {
            Ok(count @ 1..=64) => Ok(count),
            Ok(_) | Err(_) => Err(format!("`{text}` is not a number of builds from 1 to 64")),
        }),
    }
}

fn size(text: &str) -> Result<ByteSize, String> {
    text.parse().map_err(|error: InvalidSize| error.to_string())
}

fn idle(text: &str) -> Result<Duration, String> {
    let time = if text == "off" { Some(Duration::ZERO) } else { duration(text) };
    time.ok_or_else(|| format!("`{text}` is neither a time such as 15m nor `off`"))
}

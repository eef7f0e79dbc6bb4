//! What the kernel says of this process, under the names that Prometheus' own clients use.
//!
//! It reads `/proc/self`. A figure that cannot be read is an error, not a zero.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

use super::text::{Kind, Text};

/// Figures of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Process {
    /// Time on processors, in the kernel's code as well.
    pub cpu: Duration,
    /// Memory that is resident, in bytes.
    pub resident: u64,
    /// File descriptors open.
    pub descriptors: usize,
    /// When it was started, since the Unix epoch.
    pub started: Duration,
}

impl Process {
    /// Of this process, now. Takes some ten microseconds and does not wait for a disk.
    pub fn read() -> io::Result<Self> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        let booted = fs::read_to_string("/proc/stat")?;
        let (cpu, age) = times(&stat).ok_or_else(|| unreadable("/proc/self/stat"))?;
        let booted = boot_time(&booted).ok_or_else(|| unreadable("/proc/stat"))?;
        let statm = fs::read_to_string("/proc/self/statm")?;
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        let pages = pages.ok_or_else(|| unreadable("/proc/self/statm"))?;
        let page = u64::try_from(page_size()).unwrap_or(u64::MAX);
        Ok(Self {
            cpu,
            resident: pages.saturating_mul(page),
            // The one that reads the folder is not counted.
            descriptors: fs::read_dir("/proc/self/fd")?.count().saturating_sub(1),
            started: booted + age,
        })
    }

    pub(super) fn write(&self, text: &mut Text) {
        text.single(
            "process_cpu_seconds_total",
            Kind::Counter,
            "Time on processors.",
            self.cpu.as_secs_f64(),
        );
        text.single(
            "process_resident_memory_bytes",
            Kind::Gauge,
            "Memory that is resident.",
            self.resident,
        );
        text.single("process_open_fds", Kind::Gauge, "File descriptors open.", self.descriptors);
        text.single(
            "process_start_time_seconds",
            Kind::Gauge,
            "When the process was started, since the Unix epoch.",
            self.started.as_secs_f64(),
        );
    }
}

fn unreadable(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{path} is not as proc(5) has it"))
}

/// Time on processors, and time from boot to start: fields 14, 15 and 22 of proc(5). The second
/// field is the program's name, which may have blanks and parentheses in it.
fn times(stat: &str) -> Option<(Duration, Duration)> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let hertz = clock_ticks_per_second();
    let time = |ticks: u64| -> Option<Duration> {
        let millis = u128::from(ticks).checked_mul(1000)?.checked_div(u128::from(hertz))?;
        u64::try_from(millis).ok().map(Duration::from_millis)
    };
    Some((time(ticks(14)?.checked_add(ticks(15)?)?)?, time(ticks(22)?)?))
}

fn boot_time(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_an_odd_name() {
        let stat = "1 (a) b (c) S 2 3 4 5 6 7 8 9 10 11 150 50 14 15 16 17 18 19 300 21";
        let hertz = clock_ticks_per_second();
        let seconds = |ticks: u64| Duration::from_millis(ticks * 1000 / hertz);
        assert_eq!(times(stat), Some((seconds(200), seconds(300))));
        assert_eq!(times("1 (a) S 2"), None);
        assert_eq!(
            boot_time("cpu 1\nbtime 1790000000\n"),
            Some(Duration::from_secs(1_790_000_000))
        );
    }

    #[test]
    fn this_process_has_figures() {
        let process = Process::read().unwrap();
        assert!(process.resident > 100_000 && process.descriptors >= 3, "{process:?}");
        let now = crate::clock::now().as_millis();
        let age = now - i64::try_from(process.started.as_millis()).unwrap();
        assert!((-2_000..3_600_000).contains(&age), "started {age} ms ago");
    }
}

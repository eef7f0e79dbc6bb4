//! What an instance uses: read from the kernel's control-group files, which costs microseconds,
//! where one answer of Docker's statistics costs it a second of sampling per container or a good
//! part of a millisecond. Docker is asked only where the files cannot be read.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::query_parameters::StatsOptions;
use futures_util::StreamExt;

use super::{Docker, fault};
use crate::{
    engine::{EngineError, UsageSample},
    model::ContainerId,
};

pub(super) async fn usage(docker: &Docker, id: &ContainerId) -> Result<UsageSample, EngineError> {
    let pid = docker.seen().get(&id.0).and_then(super::observe::Seen::pid);
    if let Some(sample) = pid.and_then(|pid| of_process(pid, id).ok()) {
        return Ok(sample);
    }
    from_statistics(docker, id).await
}

/// The sample of the group that the process is in. The group's path must name the container:
/// process ids are given out again.
fn of_process(pid: u32, id: &ContainerId) -> io::Result<UsageSample> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let files =
        Files::locate(Path::new("/sys/fs/cgroup"), &groups, id).ok_or(io::ErrorKind::NotFound)?;
    let memory = number(&fs::read_to_string(&files.memory)?).ok_or(io::ErrorKind::InvalidData)?;
    let cache = field(&fs::read_to_string(&files.memory_details)?, files.droppable).unwrap_or(0);
    let cpu = match files.cpu {
        Cpu::Nanoseconds(path) => number(&fs::read_to_string(path)?).map(Duration::from_nanos),
        Cpu::Microseconds(path) => {
            field(&fs::read_to_string(path)?, "usage_usec").map(Duration::from_micros)
        }
    };
    Ok(UsageSample {
        memory: memory.saturating_sub(cache),
        cpu: cpu.ok_or(io::ErrorKind::InvalidData)?,
    })
}

/// Where the figures of one group stand.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    memory: PathBuf,
    memory_details: PathBuf,
    /// The name of the page cache that goes first, in the details.
    droppable: &'static str,
    cpu: Cpu,
}

/// Processor time, and in which unit the file tells it.
#[derive(Debug, PartialEq, Eq)]
enum Cpu {
    /// Version 1: one number.
    Nanoseconds(PathBuf),
    /// Version 2: a field of `cpu.stat`.
    Microseconds(PathBuf),
}

impl Files {
    /// Reads `/proc/<pid>/cgroup`: lines of `hierarchy:controllers:path`; version 2 is hierarchy 0
    /// without controllers, and counts only where version 1 does not have the memory controller.
    fn locate(root: &Path, groups: &str, id: &ContainerId) -> Option<Self> {
        let group = |wanted: &str| {
            groups.lines().find_map(|line| {
                let (_, rest) = line.split_once(':')?;
                let (controllers, path) = rest.split_once(':')?;
                let found = controllers.split(',').any(|controller| controller == wanted);
                (found && path.contains(&id.0)).then(|| path.trim_start_matches('/'))
            })
        };
        if let (Some(memory), Some(cpu)) = (group("memory"), group("cpuacct")) {
            let folder = root.join("memory").join(memory);
            return Some(Self {
                memory: folder.join("memory.usage_in_bytes"),
                memory_details: folder.join("memory.stat"),
                droppable: "total_inactive_file",
                cpu: Cpu::Nanoseconds(root.join("cpuacct").join(cpu).join("cpuacct.usage")),
            });
        }
        let folder = root.join(group("")?);
        Some(Self {
            memory: folder.join("memory.current"),
            memory_details: folder.join("memory.stat"),
            droppable: "inactive_file",
            cpu: Cpu::Microseconds(folder.join("cpu.stat")),
        })
    }
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The value in a line `name value`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| number(value))?
    })
}

async fn from_statistics(docker: &Docker, id: &ContainerId) -> Result<UsageSample, EngineError> {
    let options = StatsOptions { stream: false, one_shot: true };
    let mut samples = docker.api().stats(&id.0, Some(options)).boxed();
    let first = async { samples.next().await.transpose() };
    let sample = docker.ask("container stats", &id.0, first).await?;
    let read = || {
        let sample = sample?;
        let memory = sample.memory_stats?;
        let details = memory.stats.unwrap_or_default();
        let cache = details.get("total_inactive_file").or(details.get("inactive_file")).copied();
        let cpu = sample.cpu_stats?.cpu_usage?.total_usage?;
        Some(UsageSample {
            memory: memory.usage?.saturating_sub(cache.unwrap_or(0)),
            cpu: Duration::from_nanos(cpu),
        })
    };
    read().ok_or_else(|| {
        fault::refuse("container stats", &id.0, "it does not run, so it uses nothing".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ContainerId {
        ContainerId("c0ffee".repeat(10))
    }

    #[test]
    fn version_1_has_a_folder_per_controller() {
        let groups = format!(
            "12:pids:/docker/{id}\n9:cpu,cpuacct:/docker/{id}\n4:memory:/docker/{id}\n0::/\n",
            id = id().0
        );
        let files = Files::locate(Path::new("/c"), &groups, &id()).unwrap();
        assert_eq!(
            files.memory,
            Path::new("/c/memory/docker").join(id().0).join("memory.usage_in_bytes")
        );
        assert!(matches!(files.cpu, Cpu::Nanoseconds(_)));
    }

    #[test]
    fn version_2_has_one_folder() {
        let groups = format!("0::/system.slice/docker-{}.scope\n", id().0);
        let files = Files::locate(Path::new("/c"), &groups, &id()).unwrap();
        let folder = Path::new("/c/system.slice").join(format!("docker-{}.scope", id().0));
        assert_eq!(files.memory, folder.join("memory.current"));
        assert_eq!(files.cpu, Cpu::Microseconds(folder.join("cpu.stat")));
    }

    #[test]
    fn another_containers_group_is_not_taken() {
        assert_eq!(Files::locate(Path::new("/c"), "0::/docker/other\n", &id()), None);
        assert_eq!(Files::locate(Path::new("/c"), "", &id()), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let stat = "file 5\ninactive_file 7\nusage_usec 9\n";
        assert_eq!(field(stat, "inactive_file"), Some(7));
        assert_eq!(field(stat, "inactive"), None);
    }
}

//! What a build has left in its container: looked up where that costs a millisecond, else asked.
//!
//! Docker's own answer about changed files walks the whole image, a quarter of a second of it. Where
//! it says in which folder of this machine it keeps the changes, they are read there.
//! Invariant: what cannot be found out counts as left behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bollard::{models::ContainerInspectResponse, query_parameters::InspectContainerOptions};

use super::Docker;
use crate::{
    engine::{EngineError, Traces},
    model::ContainerId,
};

pub(super) async fn of(docker: &Docker, id: &ContainerId) -> Result<Traces, EngineError> {
    let inspect = docker.api().inspect_container(&id.0, None::<InspectContainerOptions>);
    let inspected = docker.ask("container inspect", &id.0, inspect).await?;
    let alone = is_alone(&inspected);
    let known = upper(&inspected).and_then(|upper| changed_below(&upper).ok());
    let changed = match known {
        Some(changed) => changed,
        None => {
            let changes = docker.api().container_changes(&id.0);
            let changes = docker.ask("container diff", &id.0, changes).await?;
            changes.unwrap_or_default().into_iter().map(|change| change.path.into()).collect()
        }
    };
    Ok(Traces { alone, changed })
}

/// Every process of a container descends from its first one, which orphans are given to. So if the
/// kernel knows no child of that one, there is no other.
fn is_alone(inspected: &ContainerInspectResponse) -> bool {
    let Some(state) = &inspected.state else { return false };
    let pid = state.pid.filter(|pid| *pid > 0 && state.oom_killed != Some(true));
    pid.is_some_and(|pid| has_no_child(Path::new(&format!("/proc/{pid}/task"))).unwrap_or(false))
}

fn has_no_child(threads: &Path) -> io::Result<bool> {
    let mut looked = false;
    for thread in fs::read_dir(threads)? {
        if !fs::read_to_string(thread?.path().join("children"))?.trim().is_empty() {
            return Ok(false);
        }
        looked = true;
    }
    Ok(looked)
}

/// Where overlayfs puts what changes.
pub(super) fn upper(inspected: &ContainerInspectResponse) -> Option<PathBuf> {
    let driver = inspected.graph_driver.as_ref().filter(|driver| driver.name == "overlay2")?;
    driver.data.get("UpperDir").map(PathBuf::from)
}

/// Everything in that folder, as paths of the container. More than a few is no longer of interest.
fn changed_below(upper: &Path) -> io::Result<Vec<PathBuf>> {
    let mut changed = Vec::new();
    let mut folders = vec![upper.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
            let path = entry.path();
            changed.push(Path::new("/").join(path.strip_prefix(upper).unwrap_or(&path)));
            if changed.len() >= MANY {
                return Ok(changed);
            }
        }
    }
    Ok(changed)
}

const MANY: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_as_the_container_sees_them() {
        let upper = tempfile::tempdir().unwrap();
        fs::create_dir_all(upper.path().join("var/tmp")).unwrap();
        fs::write(upper.path().join("var/tmp/left"), "").unwrap();
        let mut changed = changed_below(upper.path()).unwrap();
        changed.sort();
        assert_eq!(changed, ["/var", "/var/tmp", "/var/tmp/left"].map(PathBuf::from));
    }

    #[test]
    fn a_process_with_children_is_not_alone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let threads = |pid: u32| PathBuf::from(format!("/proc/{pid}/task"));
        assert!(!has_no_child(&threads(std::process::id())).unwrap());
        assert!(has_no_child(&threads(child.id())).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(has_no_child(Path::new("/proc/0/task")).is_err());
    }
}

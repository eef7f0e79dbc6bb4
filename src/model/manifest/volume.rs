//! `[volume.NAME]`: a disk of one process, which outlives its instances and releases.
//!
//! One process, one instance, the old gone before the new begins: never two writers. What would lead to
//! two is refused here, where somebody can still read why.

use std::collections::BTreeMap;

use super::{ManifestError, ManifestProcess, Section};
use crate::model::{
    BackupsKept, ByteSize, MountPath, ProcessName, Schedule, Strategy, VolumeName, volume::Mounting,
};

/// Reads all volumes and gives each to its process.
pub(super) fn volumes(
    section: &Section<'_>,
    processes: &mut BTreeMap<ProcessName, ManifestProcess>,
) -> Result<(), ManifestError> {
    for (name, section) in section.named_sections::<VolumeName>()? {
        volume(name, section, processes)?;
    }
    Ok(())
}

fn volume(
    name: VolumeName,
    mut section: Section<'_>,
    processes: &mut BTreeMap<ProcessName, ManifestProcess>,
) -> Result<(), ManifestError> {
    let path: Option<MountPath> = section.parsed("path")?;
    let size: Option<ByteSize> = section.parsed("size")?;
    let of: Option<ProcessName> = section.parsed("process")?;
    let backup: Option<Schedule> = section.parsed("backup")?;
    let keep_backups = section.number("keep_backups", 1, MOST_BACKUPS)?.map(BackupsKept);
    let place = section.fault(String::new());
    section.finish()?;
    let wrong = |fault: String, hint: &str| {
        let hint = Some(hint.to_owned());
        ManifestError { fault, hint, ..place.clone() }
    };
    let Some(path) = path else {
        let fault = format!("the volume {name} has no place in the container");
        return Err(wrong(fault, "say where it appears: path = \"/var/lib/app\""));
    };
    if hides_system(&path) {
        let fault = format!("the volume {name} would hide {path}, where the system itself is");
        return Err(wrong(fault, "give it a folder of its own, such as path = \"/var/lib/app\""));
    }
    let of = match of {
        Some(of) => of,
        None => ProcessName::WEB.parse().map_err(|_| place.clone())?,
    };
    if of.runs_once() {
        let fault = format!("{of} cannot have the volume {name}: it runs beside who writes to it");
        return Err(wrong(fault, "do what needs the volume when the process itself starts"));
    }
    let process = processes.entry(of.clone()).or_default();
    if let Some(strategy) = process.strategy.filter(|one| *one != Strategy::Recreate) {
        let fault = format!(
            "{of} has the volume {name}, and `strategy = \"{strategy}\"` starts the new beside the old"
        );
        let hint = format!("write strategy = \"recreate\" in [process.{of}], or leave it out");
        return Err(wrong(fault, &hint));
    }
    if process.scale.is_some_and(|scale| scale > 1) {
        let fault =
            format!("{of} has the volume {name}, and more than one instance would write to it");
        return Err(wrong(fault, &format!("write scale = 1 in [process.{of}]")));
    }
    if let Some((other, _)) = process.volumes.iter().find(|(_, other)| other.path == path) {
        let fault = format!("the volumes {other} and {name} are both at {path}");
        return Err(wrong(fault, "give one of them another path"));
    }
    process.volumes.insert(name, Mounting { path, size, backup, keep_backups });
    Ok(())
}

/// Whether a volume there would hide what nothing starts without.
pub(super) fn hides_system(path: &MountPath) -> bool {
    SYSTEM.contains(&path.as_str())
}

/// Without what is there nothing starts.
const SYSTEM: [&str; 10] =
    ["/bin", "/boot", "/etc", "/layers", "/lib", "/lib64", "/sbin", "/usr", "/usr/bin", "/usr/lib"];
/// Each is looked at when they are listed.
const MOST_BACKUPS: u32 = 365;

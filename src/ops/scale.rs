//! Change how many instances of its processes an app has.

use std::collections::BTreeMap;

use crate::{
    model::{Actor, App, AppName, EventKind, ProcessName, Release, Timestamp, app::MAX_SCALE},
    ops::{Refusal, create::existing},
    store::{Transaction, View, diary},
};

/// A wish for one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Exactly so many.
    Exactly(u16),
    /// So many more, or fewer, than now.
    By(i32),
}

impl Wish {
    /// Reads `3`, `+1` or `-1`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let wish = match text.strip_prefix('+') {
            Some(more) => more.parse().ok().map(Self::By),
            None if text.starts_with('-') => text.parse().ok().map(Self::By),
            None => text.parse().ok().map(Self::Exactly),
        };
        wish.ok_or_else(|| {
            Refusal::invalid(format!("scale to `{text}`"), "that is no number of instances")
                .hint("write it like `paas scale web=3` or `paas scale web+1`")
        })
    }
}

/// Sets the formation and answers it whole.
pub fn scale(
    tx: &mut Transaction<'_>,
    name: &AppName,
    wishes: &BTreeMap<ProcessName, Wish>,
    by: &Actor,
    now: Timestamp,
) -> Result<App, Refusal> {
    let mut app = existing(tx, name)?;
    let release = newest_release(tx, &app)?;
    let mut changes = Vec::new();
    for (process, wish) in wishes {
        if process.runs_once() {
            let why = "it runs once for each release";
            return Err(Refusal::conflict(format!("scale of {process}"), why)
                .hint("another name in the Procfile is a process that is kept running"));
        }
        let known = release.as_ref().is_none_or(|release| release.processes.contains_key(process));
        if !known {
            return Err(unknown_process(name, process, release.as_ref()));
        }
        let before = match &release {
            Some(release) => app.scale_of(process, release),
            None => app.formation.get(process).copied().unwrap_or(1),
        };
        let after = match *wish {
            Wish::Exactly(count) => i64::from(count),
            Wish::By(difference) => i64::from(before) + i64::from(difference),
        };
        let after = u16::try_from(after).ok().filter(|count| *count <= MAX_SCALE);
        let after = after.ok_or_else(|| {
            Refusal::invalid(
                format!("scale of {process}"),
                format!("it must be between 0 and {MAX_SCALE}"),
            )
        })?;
        let of = release.as_ref().and_then(|release| release.processes.get(process));
        if let Some(volume) = of.and_then(|of| of.volumes.keys().next()).filter(|_| after > 1) {
            let why = format!("it has the volume {volume}, and two instances would write to it");
            return Err(Refusal::conflict(format!("scale of {process} to {after}"), why).hint(
                "keep what is shared in a database, or give the volume to a process of its own",
            ));
        }
        app.formation.insert(process.clone(), after);
        if before != after {
            changes.push(format!("{process} from {before} to {after}"));
        }
    }
    if !changes.is_empty() {
        app.generation += 1;
        tx.put(&app)?;
        let text = format!("scaled {}", changes.join(", "));
        diary::write(tx, name, EventKind::Scale, text, by, now)?;
    }
    Ok(app)
}

fn newest_release(tx: &Transaction<'_>, app: &App) -> Result<Option<Release>, Refusal> {
    let version = app.current.map(|current| current.release);
    match version {
        Some(version) => Ok(tx.get::<Release>(&(app.name.as_str().to_owned(), version.0.into()))?),
        None => Ok(None),
    }
}

fn unknown_process(name: &AppName, process: &ProcessName, release: Option<&Release>) -> Refusal {
    let known: Vec<&str> = release
        .iter()
        .flat_map(|release| release.processes.keys())
        .map(ProcessName::as_str)
        .collect();
    Refusal::not_found(format!("process {process}"), format!("{name} has none of that name"))
        .hint(format!("it has: {}", known.join(", ")))
}

//! Run a program once, in a container of its own; and end one.

use crate::{
    model::{Actor, AppName, ByteSize, EventKind, ProcessName, Run, RunNumber, Timestamp},
    ops::{Refusal, create::existing, exec},
    store::{Transaction, View, diary, running},
};

pub use crate::store::running::{Draft, NotBegun, by_age};

/// Records a run of what serves. Control begins a detached one, its session any other.
pub fn begin(
    tx: &mut Transaction<'_>,
    name: &AppName,
    draft: Draft,
    by: &Actor,
    now: Timestamp,
) -> Result<Run, Refusal> {
    let app = existing(tx, name)?;
    exec::check(&draft.command)?;
    if let Some(memory) = draft.memory.filter(|memory| *memory < LEAST_MEMORY) {
        return Err(Refusal::invalid(WHAT, format!("{memory} of memory is too little"))
            .hint("give it at least `--memory 16m`"));
    }
    running::begin(tx, &app, draft, by, now).map_err(|why| refused(name, why))
}

/// Asks a run to end. One that is over is fine.
pub fn stop(
    tx: &mut Transaction<'_>,
    name: &AppName,
    number: RunNumber,
    by: &Actor,
    now: Timestamp,
) -> Result<Run, Refusal> {
    existing(tx, name)?;
    let key = (name.as_str().to_owned(), u64::from(number.0));
    let Some(mut run) = tx.get::<Run>(&key)? else {
        return Err(Refusal::not_found(format!("{number} of {name}"), "there is no such run")
            .hint(format!("`paas runs -a {name}` lists what there is")));
    };
    if run.is_over() || run.stopped_by.is_some() {
        return Ok(run);
    }
    run.stopped_by = Some(by.clone());
    tx.put(&run)?;
    diary::write(tx, name, EventKind::Session, format!("{number} is to end"), by, now)?;
    Ok(run)
}

/// The same for people, with what to do next.
pub(super) fn refused(app: &AppName, why: NotBegun) -> Refusal {
    let text = why.to_string();
    match why {
        NotBegun::Store(error) => error.into(),
        NotBegun::NoRelease(_) => {
            Refusal::conflict(WHAT, text).hint(format!("deploy it first: `paas deploy -a {app}`"))
        }
        NotBegun::NameTaken => {
            Refusal::conflict(WHAT, text).hint("rename it in the Procfile, or use `paas exec`")
        }
        NotBegun::NoProcess { known, .. } => {
            let names: Vec<&str> = known.iter().map(ProcessName::as_str).collect();
            let hint =
                format!("name one of its processes: --process {}", names.join(", --process "));
            Refusal::not_found(WHAT, text).hint(hint)
        }
        NotBegun::TooMany(_) => Refusal::conflict(WHAT, text)
            .hint(format!("`paas runs -a {app}` lists them, `paas runs stop` ends one")),
    }
}

const WHAT: &str = "the program was not started";
/// Less than this no program starts with.
const LEAST_MEMORY: ByteSize = ByteSize::mib(16);

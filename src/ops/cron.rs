//! Jobs by the clock: run one now, have one rest, have it go on.

use crate::{
    model::{Actor, App, AppName, CronJob, CronName, CronState, EventKind, Run, Timestamp},
    ops::{Refusal, create::existing, run},
    store::{
        StoreError, Transaction, View,
        cron::{self, Fired},
        diary, running,
    },
};

/// A job that what serves declares.
pub fn find(view: &impl View, app: &App, job: &CronName) -> Result<CronJob, Refusal> {
    let jobs = running::serving(view, app)?.map(|release| *release.deploy.cron);
    jobs.and_then(|mut jobs| jobs.remove(job)).ok_or_else(|| {
        let what = format!("cron {job} of {}", app.name);
        Refusal::not_found(what, "what serves declares no such job")
            .hint(format!("`paas cron -a {}` lists them", app.name))
    })
}

/// Begins a run of a job. It is none of its ticks, which come as ever.
pub fn run(
    tx: &mut Transaction<'_>,
    name: &AppName,
    job_name: &CronName,
    by: &Actor,
    now: Timestamp,
) -> Result<Run, Refusal> {
    let app = existing(tx, name)?;
    let job = find(tx, &app, job_name)?;
    let mut state = cron::state(tx, name, job_name)?;
    let run = match cron::fire(tx, (&app, &mut state), &job, None, (by, now))? {
        Fired::Begun(run) => *run,
        Fired::Refused(why) => return Err(run::refused(name, why)),
        Fired::Overlaps(earlier) => {
            let why = format!("{} of it runs still, and the job forbids a second", earlier.number);
            return Err(Refusal::conflict(format!("cron {job_name} was not run"), why)
                .hint(format!("end that one: `paas runs stop {} -a {name}`", earlier.number)));
        }
    };
    tx.put(&state)?;
    let text = format!("{} of cron {job_name}, at once", run.number);
    diary::write(tx, name, EventKind::Cron, text, by, now)?;
    Ok(run)
}

/// Has a job rest: its ticks go by.
pub fn pause(
    tx: &mut Transaction<'_>,
    name: &AppName,
    job: &CronName,
    by: &Actor,
    now: Timestamp,
) -> Result<CronState, Refusal> {
    find(tx, &existing(tx, name)?, job)?;
    let mut state = cron::state(tx, name, job)?;
    if state.paused_by.is_none() {
        state.paused_by = Some(by.clone());
        tell(tx, &state, format!("cron {job} rests"), (by, now))?;
    }
    Ok(state)
}

/// Has a job go on. What went by is not made up for.
pub fn resume(
    tx: &mut Transaction<'_>,
    name: &AppName,
    job_name: &CronName,
    by: &Actor,
    now: Timestamp,
) -> Result<CronState, Refusal> {
    let job = find(tx, &existing(tx, name)?, job_name)?;
    let mut state = cron::state(tx, name, job_name)?;
    if state.paused_by.take().is_some() {
        state.counting = Some(state.counting_anew(&job, now));
        tell(tx, &state, format!("cron {job_name} goes on"), (by, now))?;
    }
    Ok(state)
}

fn tell(
    tx: &mut Transaction<'_>,
    state: &CronState,
    text: String,
    (by, now): (&Actor, Timestamp),
) -> Result<(), StoreError> {
    tx.put(state)?;
    diary::write(tx, &state.app, EventKind::Cron, text, by, now)
}

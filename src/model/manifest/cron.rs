//! `[cron.NAME]`: what runs by the clock.

use std::collections::BTreeMap;

use super::{ManifestError, Section};
use crate::model::{
    CronCommand, CronJob, CronName,
    cron::{DEFAULT_CATCH_UP, DEFAULT_TIMEOUT, MAX_JOBS},
};

/// Reads all jobs.
pub(super) fn jobs(section: &Section<'_>) -> Result<BTreeMap<CronName, CronJob>, ManifestError> {
    let mut jobs = BTreeMap::new();
    for (name, inner) in section.named_sections::<CronName>()? {
        jobs.insert(name.clone(), job(&name, inner)?);
    }
    if jobs.len() > MAX_JOBS {
        return Err(section.fault(format!("there are more than {MAX_JOBS} jobs")));
    }
    Ok(jobs)
}

fn job(name: &CronName, mut section: Section<'_>) -> Result<CronJob, ManifestError> {
    let (schedule, command) = (section.parsed("schedule")?, command(&mut section)?);
    let (timezone, process) = (section.parsed("timezone")?, section.parsed("process")?);
    let (memory, overlap) = (section.memory("memory")?, section.parsed("overlap")?);
    let (timeout, catch_up) = (section.duration("timeout")?, section.duration("catch_up")?);
    let missing = |what: &str, example: &str| {
        let fault = section.fault(format!("the job `{name}` has no `{what}`"));
        fault.hint(format!("{what} = \"{example}\""))
    };
    let job = match (schedule, command) {
        (Some(schedule), Some(command)) => Ok((schedule, command)),
        (None, _) => Err(missing("schedule", "30 3 * * *")),
        (_, None) => Err(missing("command", "bin/report")),
    };
    // A key that is not known may be the one that is missing.
    section.finish()?;
    let (schedule, command) = job?;
    Ok(CronJob {
        schedule,
        timezone: timezone.unwrap_or_default(),
        command,
        process,
        memory,
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        overlap: overlap.unwrap_or_default(),
        catch_up: catch_up.unwrap_or(DEFAULT_CATCH_UP),
    })
}

/// A line for a shell, or a list of words.
fn command(section: &mut Section<'_>) -> Result<Option<CronCommand>, ManifestError> {
    let is_list = section.take("command").is_some_and(|value| value.elements().is_some());
    if !is_list {
        return Ok(section.text("command")?.map(CronCommand::Shell));
    }
    let words: Vec<String> = section.list("command")?;
    if words.first().is_none_or(String::is_empty) || words.iter().any(|word| word.contains('\0')) {
        let fault = section.wrong_at("command", "`command` names no program");
        return Err(fault.hint("command = [\"bin/report\", \"--all\"]".to_owned()));
    }
    Ok(Some(CronCommand::Words(words)))
}

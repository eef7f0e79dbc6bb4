//! Collecting: one tail per instance, from the engine into the app's log.
//!
//! A tail begins where the log says the last one ended, survives a lost connection, and ends when
//! the instance has ended and its last line is kept. Control waits for that ([`Collector::is_drained`])
//! before it removes a container, because the lines go with it.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use zeroize::Zeroizing;

use super::{AppLog, LogError, Logs, Query, Record, lock, writer::FLUSH_EVERY};
use crate::{
    engine::{Engine, EngineError, MAX_LINE, OutputLine, OutputStream},
    model::{AppName, ContainerId, Instance, InstanceState},
};

/// Keeps the output of all instances. Dropping it ends its tails; what they have read is kept.
#[derive(Debug)]
pub struct Collector<E> {
    engine: E,
    logs: Logs,
    tails: Mutex<HashMap<ContainerId, Tail>>,
}

/// One instance's tail, as the collector sees it.
#[derive(Debug)]
struct Tail {
    app: AppName,
    ended: watch::Sender<bool>,
    drained: watch::Receiver<bool>,
    _task: AbortOnDropHandle<()>,
}

impl<E: Engine> Collector<E> {
    /// Keeps what `engine` shows in `logs`.
    pub fn new(engine: E, logs: Logs) -> Self {
        Self { engine, logs, tails: Mutex::default() }
    }

    /// These are all the instances there are now: new ones get a tail, ended ones are read to their
    /// end, and vanished ones are forgotten. To be called after each good look at the engine, and
    /// from within the runtime.
    pub fn sync(&self, instances: &[Instance]) {
        let mut tails = lock(&self.tails);
        for instance in instances {
            match instance.state {
                InstanceState::Created => {}
                InstanceState::Running { .. } => drop(self.tail(&mut tails, instance)),
                InstanceState::Exited(_) => {
                    self.tail(&mut tails, instance).send_if_modified(set);
                }
            }
        }
        let present: HashSet<&ContainerId> = instances.iter().map(|one| &one.id).collect();
        let vanished = tails.iter().filter(|(id, _)| !present.contains(id));
        for (_, tail) in vanished {
            tail.ended.send_if_modified(set);
        }
        tails.retain(|id, tail| {
            let keep = present.contains(id) || !*tail.drained.borrow();
            if !keep && let Some(log) = self.logs.opened(&tail.app) {
                log.retire(id);
            }
            keep
        });
    }

    /// Whether all that an instance wrote is kept. One that no sync has shown is not drained.
    pub fn is_drained(&self, id: &ContainerId) -> bool {
        lock(&self.tails).get(id).is_some_and(|tail| *tail.drained.borrow())
    }

    /// Waits until all that an ended instance wrote is kept; at once for one that no sync has shown.
    pub async fn drained(&self, id: &ContainerId) {
        let drained = lock(&self.tails).get(id).map(|tail| tail.drained.clone());
        if let Some(mut drained) = drained {
            // An error says that the collector is gone; there is nothing more to wait for.
            let _ = drained.wait_for(|drained| *drained).await;
        }
    }

    /// The last lines that a container wrote, as far as they are kept, and the beginning of those that are
    /// long: they are told, and go into records.
    pub async fn last_lines(
        &self,
        app: &AppName,
        id: &ContainerId,
        lines: usize,
    ) -> Result<Vec<String>, LogError> {
        let query = Query { container: Some(id.clone()), ..Query::last(lines) };
        let records = self.logs.query(app, query).await?;
        Ok(records.into_iter().map(|record| shortened(record.text)).collect())
    }

    /// Ends all tails and hands what they have read to the disk; for the end of the daemon.
    pub async fn stop(&self) {
        let tails = std::mem::take(&mut *lock(&self.tails));
        let apps: HashSet<AppName> = tails.values().map(|tail| tail.app.clone()).collect();
        drop(tails);
        for app in apps {
            if let Ok(log) = self.logs.app(&app).await {
                log.flush();
            }
        }
    }

    /// The flag of the instance's tail, which is begun if there is none.
    fn tail<'a>(
        &self,
        tails: &'a mut HashMap<ContainerId, Tail>,
        instance: &Instance,
    ) -> &'a watch::Sender<bool> {
        let tail = tails.entry(instance.id.clone()).or_insert_with(|| {
            let ended = watch::Sender::new(instance.is_gone());
            let (drained, is_drained) = watch::channel(false);
            let work = Work {
                engine: self.engine.clone(),
                logs: self.logs.clone(),
                instance: instance.clone(),
                ended: ended.subscribe(),
            };
            let task = tokio::spawn(async move {
                work.run().await;
                drained.send_replace(true);
            });
            let app = instance.app.clone();
            Tail { app, ended, drained: is_drained, _task: AbortOnDropHandle::new(task) }
        });
        &tail.ended
    }
}

fn set(flag: &mut bool) -> bool {
    !std::mem::replace(flag, true)
}

/// The tail itself.
struct Work<E> {
    engine: E,
    logs: Logs,
    instance: Instance,
    ended: watch::Receiver<bool>,
}

impl<E: Engine> Work<E> {
    /// Reads until nothing can come any more: a reading that began after the instance had ended, and
    /// reached the end, has seen everything.
    async fn run(mut self) {
        let log = self.open().await;
        let (mut failures, mut refusals) = (0_u32, 0_u32);
        loop {
            let had_ended = *self.ended.borrow_and_update();
            let read = self.read(&log).await;
            log.flush();
            match read {
                Ok(()) if had_ended => break,
                // The engine ends the output before it shows the end of the container.
                Ok(()) => failures = 0,
                Err(EngineError::Refused { status: 404 | 409, .. }) => break,
                Err(error @ EngineError::Refused { .. }) if had_ended => {
                    refusals += 1;
                    if refusals >= MAX_REFUSALS {
                        self.report(&error, "the end of an instance's output is lost");
                        break;
                    }
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        self.report(&error, "an instance's output cannot be read now");
                    }
                }
            }
            if had_ended {
                sleep(PAUSE).await;
            } else if let Ok(Err(_)) = timeout(PAUSE, self.ended.changed()).await {
                return;
            }
        }
    }

    /// A log that cannot be opened is tried again: a full or broken disk may be repaired.
    async fn open(&self) -> AppLog {
        loop {
            match self.logs.app(&self.instance.app).await {
                Ok(log) => return log,
                Err(error) => {
                    let app = self.instance.app.as_str();
                    tracing::warn!(app, %error, cause = %error.source, "log cannot be opened");
                    sleep(PAUSE * 5).await;
                }
            }
        }
    }

    /// Reads what the engine has and keeps what is new, until the engine says that it was all.
    async fn read(&mut self, log: &AppLog) -> Result<(), EngineError> {
        let mut resume = log.resume(&self.instance.id);
        let mut lines = self.engine.output(&self.instance.id, resume.since());
        let mut unflushed = false;
        let mut joints = Joints::default();
        loop {
            let ended = *self.ended.borrow();
            let line = tokio::select! {
                biased;
                line = lines.next() => line,
                () = sleep(FLUSH_EVERY), if unflushed => {
                    log.flush();
                    unflushed = false;
                    continue;
                }
                // Docker is known to leave the output of a container open for ever after its end.
                () = sleep(LINGER), if ended && !unflushed => return Ok(()),
                changed = self.ended.changed(), if !ended && !unflushed => match changed {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
            };
            let Some(mut line) = line.transpose()? else { return Ok(()) };
            if resume.is_new(&line) {
                joints.join(&mut line, log);
                log.append(Record {
                    at: line.at,
                    slot: self.instance.slot.clone(),
                    release: self.instance.incarnation.release,
                    source: line.stream.into(),
                    text: line.text,
                    container: Some(self.instance.id.clone()),
                });
                unflushed = true;
            }
        }
    }

    fn report(&self, error: &EngineError, message: &'static str) {
        let Instance { app, slot, .. } = &self.instance;
        tracing::warn!(app = app.as_str(), %slot, %error, message);
    }
}

/// The beginning of a line that is long.
fn shortened(mut line: String) -> String {
    if let Some((end, _)) = line.char_indices().nth(LONGEST_TOLD) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// What waits, by stream, for the next piece of a line that was cut: it may be half of a secret.
#[derive(Debug, Default)]
struct Joints(HashMap<OutputStream, Zeroizing<String>>);

impl Joints {
    /// Puts what waited before the line, and keeps back what may be cut in the middle.
    fn join(&mut self, line: &mut OutputLine, log: &AppLog) {
        // A piece ends at a whole character, so it may be a few bytes short of the limit.
        let is_cut = line.text.len() + 4 > MAX_LINE;
        if let Some(waiting) = self.0.remove(&line.stream) {
            line.text.insert_str(0, &waiting);
        }
        if is_cut {
            let rest = line.text.split_off(log.mask().open_end(&line.text));
            if !rest.is_empty() {
                self.0.insert(line.stream, Zeroizing::new(rest));
            }
        }
    }
}

/// Between two readings that ended too early.
const PAUSE: Duration = Duration::from_secs(1);

/// How long an ended instance's output may be silent and open before it counts as read.
const LINGER: Duration = Duration::from_secs(5);

/// A container whose output Docker refuses to read so often shall not be kept for it.
const MAX_REFUSALS: u32 = 5;

/// Characters of a line that is told. Twenty of them go into a record, whatever JSON makes of each.
const LONGEST_TOLD: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_long_line_is_its_beginning() {
        assert_eq!(shortened("short".to_owned()), "short");
        assert_eq!(shortened("ü".repeat(300)), "ü".repeat(300));
        let told = shortened("\u{1b}".repeat(MAX_LINE));
        assert_eq!(told, format!("{}…", "\u{1b}".repeat(300)));
        let lines = serde_json::to_vec(&vec![told; 20]).unwrap();
        assert!(lines.len() < 40 << 10, "{}", lines.len());
    }
}

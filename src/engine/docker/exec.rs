//! Programs that run beside the first one of an instance.
//!
//! Docker starts one and forgets whoever asked for it: its program would go on when nobody talks to it
//! any more. So it is ended from here, by its process id on this machine: SIGHUP to all of its session,
//! and SIGKILL to what is left after a while. A mark in its environment says whose it is, so that the
//! next daemon finds what a crash of this one left.

use std::{fs, time::Duration};

use bollard::models::{ExecConfig, ExecInspectResponse};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Docker, InstallationId, fault,
    hijack::{self, Framing},
};
use crate::{
    engine::{Ends, EngineError, ExecSpec},
    model::{ContainerId, ProgramSignal, TerminalSize},
};

/// A program inside an instance.
#[derive(Debug, Clone)]
pub struct Exec {
    docker: Docker,
    id: ExecId,
}

/// What Docker calls a program inside an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecId(String);

/// How a program inside an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecEnd {
    /// With this code; 128 and the signal's number where a signal ended it.
    Exited(i64),
    /// It could not be executed.
    NotExecuted,
}

impl Docker {
    /// Starts a program inside an instance.
    pub async fn exec(
        &self,
        container: &ContainerId,
        spec: &ExecSpec,
    ) -> Result<(Exec, Ends), EngineError> {
        let mut environment = vec![format!("{MARK}={}", mark(self.installation()))];
        environment.extend(spec.terminal.iter().map(|terminal| format!("TERM={}", terminal.kind)));
        let secrets = spec.secrets.iter();
        environment.extend(secrets.map(|(name, value)| format!("{name}={}", value.expose())));
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(spec.terminal.is_some()),
            env: Some(environment),
            cmd: Some(spec.command.clone()),
            ..Default::default()
        };
        let create = self.api().create_exec(&container.0, config);
        let id = self.ask("exec create", &container.0, create).await?.id;
        let terminal = spec.terminal.as_ref();
        let body = serde_json::json!({ "Detach": false, "Tty": terminal.is_some() });
        let framing = if terminal.is_some() { Framing::Raw } else { Framing::Framed };
        let path = format!("/exec/{id}/start");
        let ends = hijack::open(self, "exec start", &path, &body, framing).await?;
        let exec = self.program(ExecId(id));
        if let Some(terminal) = terminal {
            exec.resize_at_first(terminal.size).await;
        }
        Ok((exec, ends))
    }

    /// A program that was started before.
    pub fn program(&self, id: ExecId) -> Exec {
        Exec { docker: self.clone(), id }
    }

    /// Ends what programs a daemon that is no more has left in instances.
    pub async fn end_lost_programs(&self) {
        let installation = self.installation().clone();
        let left = move || lost(&installation);
        let found = tokio::task::spawn_blocking(left.clone()).await.unwrap_or_default();
        if found.is_empty() {
            return;
        }
        tracing::info!(programs = found.len(), "ending programs that nobody talks to any more");
        end(found, left, PATIENCE).await;
    }
}

impl Exec {
    /// By which it is found again.
    pub fn id(&self) -> &ExecId {
        &self.id
    }

    /// Tells its terminal another size.
    pub async fn resize(&self, size: TerminalSize) -> Result<(), EngineError> {
        let options = bollard::query_parameters::ResizeExecOptions {
            h: i32::from(size.rows),
            w: i32::from(size.columns),
        };
        let resize = self.docker.api().resize_exec(&self.id.0, options);
        self.docker.ask("exec resize", &self.id.0, resize).await
    }

    /// Docker answers before the program runs, and until it does there is nothing to resize.
    async fn resize_at_first(&self, size: TerminalSize) {
        if soon(BEGINNING, move || self.resize(size)).await.is_none() {
            tracing::debug!(exec = self.id.0, "a program began without the size of its terminal");
        }
    }

    /// Sends a signal to its process group; one that has ended is fine.
    pub async fn signal(&self, signal: ProgramSignal) -> Result<(), EngineError> {
        let Some(pid) = self.running().await? else { return Ok(()) };
        // It may have ended in this moment.
        kill_process_group(pid, signal_of(signal)).ok();
        Ok(())
    }

    /// Waits for its end, which may come later than that of its output.
    pub async fn ended(&self) -> Result<ExecEnd, EngineError> {
        let mut pause = STEP;
        loop {
            let seen = self.inspect().await?;
            if let (Some(false), Some(code)) = (seen.running, seen.exit_code) {
                let ran = seen.pid.is_some_and(|pid| pid > 0);
                return Ok(if ran { ExecEnd::Exited(code) } else { ExecEnd::NotExecuted });
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_STEP);
        }
    }

    /// Ends it and all of its session, because whoever talked to it is gone: what has not ended after
    /// `patience` is killed.
    pub async fn hang_up(&self, patience: Duration) -> Result<(), EngineError> {
        let Some(leader) = self.running().await? else { return Ok(()) };
        let leader = leader.as_raw_nonzero().get();
        let members = move || session(leader);
        end(members(), members, patience).await;
        Ok(())
    }

    /// Its process id on this machine, while it runs.
    async fn running(&self) -> Result<Option<Pid>, EngineError> {
        // Between Docker's answer and the program there is a moment.
        let deadline = Instant::now() + BEGINNING;
        loop {
            let seen = self.inspect().await?;
            if seen.running == Some(false) && seen.exit_code.is_some() {
                return Ok(None);
            }
            let pid = seen.pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
            if pid.is_some() || Instant::now() >= deadline {
                return Ok(pid);
            }
            sleep(STEP).await;
        }
    }

    async fn inspect(&self) -> Result<ExecInspectResponse, EngineError> {
        let inspect = self.docker.api().inspect_exec(&self.id.0);
        match self.docker.ask("exec inspect", &self.id.0, inspect).await {
            // Its container is gone, and it with it.
            Err(error) if fault::status(&error) == Some(404) => Ok(ExecInspectResponse {
                running: Some(false),
                exit_code: Some(KILLED),
                pid: Some(1),
                ..Default::default()
            }),
            other => other,
        }
    }
}

/// Tries until it succeeds, for so long in all: also where no single try ends.
async fn soon<T, E, F>(limit: Duration, attempt: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, E>>,
{
    let succeeded = async {
        loop {
            if let Ok(done) = attempt().await {
                return done;
            }
            sleep(STEP).await;
        }
    };
    timeout(limit, succeeded).await.ok()
}

fn signal_of(signal: ProgramSignal) -> Signal {
    match signal {
        ProgramSignal::Hangup => Signal::HUP,
        ProgramSignal::Interrupt => Signal::INT,
        ProgramSignal::Quit => Signal::QUIT,
        ProgramSignal::Terminate => Signal::TERM,
        ProgramSignal::Kill => Signal::KILL,
    }
}

/// SIGHUP to these, and after a while SIGKILL to whoever is left. What hangs or is stopped hears it too.
async fn end(first: Vec<Pid>, left: impl Fn() -> Vec<Pid>, patience: Duration) {
    for pid in first {
        kill_process(pid, Signal::HUP).ok();
        kill_process(pid, Signal::CONT).ok();
    }
    let deadline = Instant::now() + patience;
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        if Instant::now() >= deadline {
            for pid in left {
                kill_process(pid, Signal::KILL).ok();
            }
            return;
        }
        sleep(LONGEST_STEP / 4).await;
    }
}

/// Everyone in the session of `leader`.
fn session(leader: i32) -> Vec<Pid> {
    processes().filter(|pid| session_of(*pid) == Some(leader)).collect()
}

/// The programs of this installation whose daemon is no more.
fn lost(installation: &InstallationId) -> Vec<Pid> {
    let own = mark(installation);
    let is_lost = |mark: &str| {
        let owner = mark.strip_prefix(installation.as_str()).and_then(|it| it.strip_prefix('.'));
        owner.is_some_and(|owner| mark != own && !is_a_daemon(owner))
    };
    let of = |pid: Pid| fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).ok();
    processes()
        .filter(|pid| of(*pid).as_deref().and_then(marked).is_some_and(|mark| is_lost(&mark)))
        .filter(|pid| !is_dead(*pid))
        .collect()
}

fn is_a_daemon(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == "paas")
}

/// The mark in an environment as the kernel shows it.
fn marked(environment: &[u8]) -> Option<String> {
    let variables = environment.split(|byte| *byte == 0);
    let mut values = variables.filter_map(|variable| {
        variable.strip_prefix(MARK.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec)
    });
    String::from_utf8(values.next()?).ok()
}

fn mark(installation: &InstallationId) -> String {
    format!("{installation}.{}", std::process::id())
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

fn session_of(pid: Pid) -> Option<i32> {
    let (state, session) = stat(&fs::read_to_string(stat_path(pid)).ok()?)?;
    (state != 'Z').then_some(session)
}

fn is_dead(pid: Pid) -> bool {
    let text = fs::read_to_string(stat_path(pid)).unwrap_or_default();
    stat(&text).is_none_or(|(state, _)| state == 'Z')
}

fn stat_path(pid: Pid) -> String {
    format!("/proc/{}/stat", pid.as_raw_nonzero())
}

/// State and session (proc(5)); the name before them may hold anything.
fn stat(text: &str) -> Option<(char, i32)> {
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.nth(2)?.parse().ok()?))
}

/// Says whose a program is: the installation, and the process id of the daemon that started it.
const MARK: &str = "PAAS_SESSION";
/// What a program is taken to have ended with that went with its container.
const KILLED: i64 = 137;
/// Between two looks at what takes milliseconds.
const STEP: Duration = Duration::from_millis(5);
/// The same at last, for what may take hours.
const LONGEST_STEP: Duration = Duration::from_millis(400);
/// The longest that somebody waits for a program that is being started. Docker itself takes ten seconds for one
/// try, and more than five to start a program while its disk is busy.
const BEGINNING: Duration = Duration::from_secs(30);
/// From SIGHUP to SIGKILL, for what a crash left.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_and_session_are_read_whatever_the_name_is() {
        assert_eq!(stat("71 (a) b) S 1 70 69 34816 70 x"), Some(('S', 69)));
        assert_eq!(stat("71 (sh) Z 1 70 69"), Some(('Z', 69)));
        assert_eq!((stat(""), stat("71 (sh) S 1")), (None, None));
        let own = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(session_of(own).is_some() && !is_dead(own));
    }

    #[tokio::test]
    async fn all_tries_together_have_one_deadline() {
        let short = Duration::from_millis(20);
        assert_eq!(soon(short, async || Err::<(), _>(())).await, None);
        assert_eq!(soon(short, std::future::pending::<Result<(), ()>>).await, None);
        assert_eq!(soon(BEGINNING, async || Ok::<_, ()>(7)).await, Some(7));
    }

    #[test]
    fn a_mark_is_found_in_an_environment() {
        assert_eq!(marked(b"A=b\0PAAS_SESSION=k3.7\0C=").as_deref(), Some("k3.7"));
        assert_eq!(marked(b"NO_PAAS_SESSION=k3.7\0PAAS_SESSIONS=1"), None);
        let installation: InstallationId = "k3f9".parse().unwrap();
        assert_eq!(
            marked(format!("{MARK}={}", mark(&installation)).as_bytes()),
            Some(mark(&installation))
        );
        assert!(lost(&installation).is_empty());
    }
}

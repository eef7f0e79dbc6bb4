//! The agent's life: connect, take jobs one after the other, answer each with frames.
//!
//! Invariant: between two jobs no process but the agent lives in the container, and a job finds
//! nothing of the one before but what is on the daemon's mounts.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::pids::Pids;
use super::refresh::refresh;
use super::{Code, Failed, Frame, Job, MAX_FRAME, Outcome, Phase, Stream};
use crate::environment::Environment;
use crate::lifecycle::{self, Progress};
use crate::process::end_strays;
use launcher::Roots;

/// Why the agent gave up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error("cannot connect to the daemon at {path}")]
    Connect { path: String, source: io::Error },
    #[error("the connection to the daemon broke")]
    Connection(#[from] io::Error),
    #[error("the daemon sent something that is not a job")]
    NotAJob(#[from] serde_json::Error),
}

/// Serves the daemon that listens at `socket` until it hangs up.
pub(crate) fn serve(socket: &OsStr, roots: &Roots) -> Result<(), AgentError> {
    // The app's build runs as the same user: without this it could trace the agent and speak in
    // its name. Where the kernel refuses there is nothing better to do than to go on.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let path = socket.to_string_lossy().into_owned();
    let stream =
        UnixStream::connect(socket).map_err(|source| AgentError::Connect { path, source })?;
    let mut wire = Wire { stream: stream.try_clone()?, broken: None };
    let mut jobs = BufReader::new(stream);
    let base = Environment::inherited();
    // It lies on a fresh tmpfs; many a buildpack writes there without looking.
    let _ = fs::create_dir_all(base.value("HOME"));
    wire.send(&Frame::Ready)?;
    while let Some(job) = next_job(&mut jobs)? {
        let outcome = perform(&job, roots, &base, &mut wire)?;
        end_strays();
        wire.done(outcome)?;
        // The daemon exports meanwhile. Who cannot tidy up must not build again.
        refresh(base.value("HOME"))?;
    }
    Ok(())
}

fn next_job(jobs: &mut impl BufRead) -> Result<Option<Job>, AgentError> {
    let mut line = Vec::new();
    jobs.by_ref().take(MAX_FRAME as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() { Ok(None) } else { Ok(Some(Job::decode(&line)?)) }
}

fn perform(
    job: &Job,
    roots: &Roots,
    base: &Environment,
    wire: &mut Wire,
) -> Result<Outcome, AgentError> {
    let refused = Pids::read();
    let result = write_platform(&roots.platform, &job.env)
        .map_err(|error| {
            let reason = format!("cannot write the environment of the build: {error}");
            Failed::new(Code::Detect, Phase::Detect, reason)
        })
        .and_then(|()| lifecycle::run(roots, base, job, wire));
    let _ = fs::remove_dir_all(roots.platform.join("env"));
    if let Some(error) = wire.broken.take() {
        return Err(AgentError::Connection(error));
    }
    Ok(result.unwrap_or_else(|failed| Outcome::Failed(Pids::read().blame(refused, failed))))
}

/// Writes one file for each variable, byte for byte.
fn write_platform(platform: &Path, env: &BTreeMap<String, String>) -> io::Result<()> {
    let dir = platform.join("env");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    for (name, value) in env.iter().filter(|(name, _)| is_variable_name(name)) {
        fs::write(dir.join(name), value)?;
    }
    Ok(())
}

/// A name that is also a safe file name. The daemon checks names where users enter them; this
/// keeps a slip there from becoming a path.
fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The connection, which remembers its first failure: a build goes on to its end when nobody
/// listens, because stopping half-way would leave layers in a worse state.
struct Wire {
    stream: UnixStream,
    broken: Option<io::Error>,
}

impl Wire {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.stream.write_all(&frame.encode().map_err(io::Error::other)?)
    }

    /// Ends a job. What buildpacks noted may be larger than the daemon takes.
    fn done(&mut self, outcome: Outcome) -> io::Result<()> {
        let frame = Frame::Done(Box::new(outcome));
        if frame.encode().map_err(io::Error::other)?.len() <= MAX_FRAME {
            return self.send(&frame);
        }
        let reason = "the metadata of the buildpacks' layers is larger than 4 MiB";
        let failed = Failed::new(Code::Build, Phase::Build, reason);
        self.send(&Frame::Done(Box::new(Outcome::Failed(failed))))
    }

    fn try_send(&mut self, frame: &Frame) {
        if self.broken.is_none() {
            self.broken = self.send(frame).err();
        }
    }
}

impl Progress for Wire {
    fn phase(&mut self, phase: Phase) {
        self.try_send(&Frame::Phase(phase));
    }

    fn line(&mut self, stream: Stream, line: &str) {
        self.try_send(&Frame::Log { stream, line: line.to_owned() });
    }
}

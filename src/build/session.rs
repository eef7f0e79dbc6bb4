//! One build in one container: the job goes in, the log comes out, and at the end there is an
//! outcome or a reason.
//!
//! The agent in the container connects before any code of the app runs; that one connection is the
//! only one taken. Invariant: the container is gone when [`run`] returns, whatever happened.

use std::{io, os::fd::AsRawFd, path::Path, time::Duration};

use buildpacks::agent::{Frame, Job, MAX_FRAME, Outcome, Phase};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    disk::DiskBound,
    error::BuildError,
    folder::{Folder, own},
    progress::{Progress, Stage},
};
use crate::{
    engine::{BuildEngine, BuilderSpec},
    faults,
    model::{ByteSize, ContainerId, Exit},
};

/// What a session needs.
#[derive(Debug)]
pub(super) struct Session<'a> {
    /// The container.
    pub(super) spec: &'a BuilderSpec,
    /// The folder on this machine in which the agent finds its socket.
    pub(super) run: &'a Path,
    /// What is to be done.
    pub(super) job: &'a Job,
    /// The longest it may take.
    pub(super) deadline: Duration,
    /// Ends it early.
    pub(super) cancel: &'a CancellationToken,
    /// Where phases and lines go.
    pub(super) progress: &'a mpsc::Sender<Progress>,
}

/// Runs one build to its outcome.
pub(super) async fn run<E: BuildEngine>(
    engine: &E,
    session: &Session<'_>,
    disk: &DiskBound,
) -> Result<Outcome, BuildError> {
    let listener = listen(session.run).map_err(BuildError::Socket)?;
    let id = engine.start_builder(session.spec).await?;
    faults::point("build.container_started");
    let outcome = tokio::select! {
        biased;
        () = session.cancel.cancelled() => Err(BuildError::Cancelled),
        why = disk.passed() => Err(why),
        outcome = timeout(session.deadline, attend(engine, session, &listener, &id)) => {
            outcome.unwrap_or(Err(BuildError::Late { after: session.deadline }))
        }
    };
    faults::point("build.finished");
    engine.remove_builder(&id).await?;
    faults::point("build.container_removed");
    let _ = std::fs::remove_file(session.run.join(SOCKET));
    outcome
}

/// Removes build containers that no build of this daemon knows: those of a daemon that died.
pub(super) async fn sweep<E: BuildEngine>(engine: &E) -> Result<usize, BuildError> {
    let strays = engine.builders().await?;
    for stray in &strays {
        tracing::info!(app = %stray.app, build = %stray.build, "removing a stray build container");
        engine.remove_builder(&stray.id).await?;
    }
    Ok(strays.len())
}

/// The socket, for the app's user only. It is bound through the open folder, because the address
/// of a socket may have no more than 108 bytes and the data folder may be anywhere.
fn listen(run: &Path) -> io::Result<UnixListener> {
    let folder = Folder::open(run)?;
    folder.remove(SOCKET.as_ref())?;
    let address = format!("/proc/self/fd/{}/{SOCKET}", folder.descriptor().as_raw_fd());
    let listener = UnixListener::bind(&address)?;
    folder.own_socket(SOCKET.as_ref())?;
    own(folder.descriptor())?;
    Ok(listener)
}

/// Talks with the agent until it has an outcome, or the container ends without one.
async fn attend<E: BuildEngine>(
    engine: &E,
    session: &Session<'_>,
    listener: &UnixListener,
    id: &ContainerId,
) -> Result<Outcome, BuildError> {
    let mut talk = std::pin::pin!(talk(session, listener));
    let talked = tokio::select! {
        talked = &mut talk => talked,
        exit = engine.wait_builder(id) => {
            // What it said before it ended may still be on its way.
            return match timeout(STILL_UNREAD, talk).await {
                Ok(Ok(outcome)) => Ok(outcome),
                Ok(Err(Hangup::Speech(error))) => Err(error),
                Ok(Err(Hangup::Gone)) | Err(_) => Err(death(engine, session, id, exit?).await),
            };
        }
    };
    match talked {
        Ok(Outcome::Built(built)) => Ok(Outcome::Built(built)),
        // A build tool that the kernel killed looks like any failure to the agent; the container
        // knows. The connection is closed by now, so the agent ends.
        Ok(Outcome::Failed(failed)) => {
            let exit = timeout(LAST_WORDS, engine.wait_builder(id)).await;
            match exit {
                Ok(Ok(exit)) if exit.out_of_memory => {
                    Err(BuildError::OutOfMemory { limit: session.spec.memory })
                }
                _ => Ok(Outcome::Failed(failed)),
            }
        }
        Err(Hangup::Speech(error)) => Err(error),
        Err(Hangup::Gone) => {
            let exit = timeout(LAST_WORDS, engine.wait_builder(id)).await;
            let exit = exit.map_err(|_| BuildError::Silent)??;
            Err(death(engine, session, id, exit).await)
        }
    }
}

/// Why there was no outcome.
enum Hangup {
    /// The other end is gone.
    Gone,
    /// It said something that cannot be.
    Speech(BuildError),
}

async fn talk(session: &Session<'_>, listener: &UnixListener) -> Result<Outcome, Hangup> {
    let (stream, _) = listener.accept().await.map_err(|_| Hangup::Gone)?;
    let mut wire = Wire { stream: BufReader::new(stream), line: Vec::new() };
    let mut budget = MAX_LOG.0;
    loop {
        match wire.next().await? {
            Frame::Ready => wire.send(session.job).await?,
            Frame::Phase(phase) => session.tell(Progress::Stage(stage(phase))).await,
            Frame::Log { line, .. } => match budget.checked_sub(line.len() as u64 + 1) {
                Some(rest) => {
                    budget = rest;
                    session.tell(Progress::Line(line)).await;
                }
                // The build goes on; only nobody wants to read all of that.
                None if budget > 0 => {
                    budget = 0;
                    let notice =
                        format!("[the log is longer than {MAX_LOG}; the rest is left out]");
                    session.tell(Progress::Line(notice)).await;
                }
                None => {}
            },
            Frame::Done(outcome) => return Ok(*outcome),
        }
    }
}

impl Session<'_> {
    /// A listener that went away does not stop a build.
    async fn tell(&self, progress: Progress) {
        let _ = self.progress.send(progress).await;
    }
}

/// The agent's end of the connection.
struct Wire {
    stream: BufReader<UnixStream>,
    line: Vec<u8>,
}

impl Wire {
    async fn next(&mut self) -> Result<Frame, Hangup> {
        self.line.clear();
        let mut bounded = (&mut self.stream).take(MAX_FRAME as u64);
        match bounded.read_until(b'\n', &mut self.line).await {
            Ok(0) | Err(_) => return Err(Hangup::Gone),
            Ok(_) if self.line.last() != Some(&b'\n') && self.line.len() < MAX_FRAME => {
                return Err(Hangup::Gone);
            }
            Ok(_) => {}
        }
        Frame::decode(&self.line).map_err(|_| Hangup::Speech(BuildError::Gibberish))
    }

    async fn send(&mut self, job: &Job) -> Result<(), Hangup> {
        let line = job.encode().map_err(|_| Hangup::Speech(BuildError::Gibberish))?;
        self.stream.get_mut().write_all(&line).await.map_err(|_| Hangup::Gone)
    }
}

/// Puts into words that the container ended in the middle of its work.
async fn death<E: BuildEngine>(
    engine: &E,
    session: &Session<'_>,
    id: &ContainerId,
    exit: Exit,
) -> BuildError {
    if exit.out_of_memory {
        return BuildError::OutOfMemory { limit: session.spec.memory };
    }
    let output = engine.builder_output(id).await.unwrap_or_default();
    let lines: Vec<&str> = output.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n");
    BuildError::Died { exit, tail }
}

fn stage(phase: Phase) -> Stage {
    match phase {
        Phase::Detect => Stage::Detect,
        Phase::Restore => Stage::Restore,
        Phase::Build => Stage::Build,
    }
}

/// The socket's name in its folder.
pub(super) const SOCKET: &str = "agent.sock";
/// All lines of one build together.
const MAX_LOG: ByteSize = ByteSize(32 << 20);
/// What a container said before it ended is on this machine already; this is to read it.
const STILL_UNREAD: Duration = Duration::from_secs(1);
/// A container whose agent has gone or was told to go ends soon.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// Lines of output shown of a container that died.
const TAIL: usize = 20;

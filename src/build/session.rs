//! One build in one container: the job goes in, the log comes out, and at the end there is an
//! outcome or a reason.
//!
//! The agent in the container connects before any code of the app runs; that one connection is the
//! only one taken. Invariant: when [`run`] returns, whatever happened, no code of the app runs any
//! more: the container is gone, or rests with nothing in it but the agent.

use std::{io, os::fd::AsRawFd, path::Path, sync::Arc, time::Duration};

use buildpacks::agent::{Frame, Job, Outcome, Phase};
use tokio::{net::UnixListener, sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    disk::DiskBound,
    error::BuildError,
    folder::{Folder, Owner},
    progress::{Progress, Stage},
    resting::{Resting, Worker},
    wire::{Hangup, Wire},
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
    /// Whom the agent runs as.
    pub(super) owner: Owner,
    /// What is to be done.
    pub(super) job: &'a Job,
    /// The longest it may take.
    pub(super) deadline: Duration,
    /// Ends it early.
    pub(super) cancel: &'a CancellationToken,
    /// Where phases and lines go.
    pub(super) progress: &'a mpsc::Sender<Progress>,
}

/// Runs one build to its outcome, in the container that waits for it or in a fresh one.
pub(super) async fn run<E: BuildEngine>(
    engine: &E,
    resting: &Arc<Resting>,
    session: &Session<'_>,
    disk: &DiskBound,
) -> Result<Outcome, BuildError> {
    let (id, mut line) = match resting.take(engine, session.spec).await {
        Some(Worker { id, wire }) => (id, Line::Open(wire)),
        None => {
            let listener = listen(session.run, session.owner).map_err(BuildError::Socket)?;
            (engine.start_builder(session.spec).await?, Line::Awaited(listener))
        }
    };
    faults::point("build.container_started");
    let outcome = tokio::select! {
        biased;
        () = session.cancel.cancelled() => Err(BuildError::Cancelled),
        why = disk.passed() => Err(why),
        outcome = timeout(session.deadline, attend(engine, session, &mut line, &id)) => {
            outcome.unwrap_or(Err(BuildError::Late { after: session.deadline }))
        }
    };
    faults::point("build.finished");
    settle(engine, resting, session, id, line.after(&outcome)).await?;
    faults::point("build.container_settled");
    outcome
}

/// Lets the container rest where there is a line to it and it may be kept; removes any other.
async fn settle<E: BuildEngine>(
    engine: &E,
    resting: &Arc<Resting>,
    session: &Session<'_>,
    id: ContainerId,
    wire: Option<Wire>,
) -> Result<(), BuildError> {
    let _ = std::fs::remove_file(session.run.join(SOCKET));
    let Some(wire) = wire else { return Ok(engine.remove_builder(&id).await?) };
    match resting.keep(engine, session.spec, Worker { id, wire }).await {
        Ok(()) => Ok(()),
        Err(Worker { id, .. }) => Ok(engine.remove_builder(&id).await?),
    }
}

/// The line to the agent.
enum Line {
    /// It will call.
    Awaited(UnixListener),
    /// It has.
    Open(Wire),
    /// There is nothing more to say.
    Closed,
}

impl Line {
    /// The line, if the build went well; after any other the container has to go.
    fn after(self, outcome: &Result<Outcome, BuildError>) -> Option<Wire> {
        match (self, outcome) {
            (Self::Open(wire), Ok(Outcome::Built(_))) => Some(wire),
            _ => None,
        }
    }

    /// The line once it is open. The agent's first word is that it is ready.
    async fn open(&mut self) -> Result<&mut Wire, Hangup> {
        if let Self::Awaited(listener) = self {
            let (stream, _) = listener.accept().await.map_err(|_| Hangup::Gone)?;
            let mut wire = Wire::new(stream);
            match wire.next().await? {
                Frame::Ready => *self = Self::Open(wire),
                _ => return Err(Hangup::Speech(BuildError::Gibberish)),
            }
        }
        match self {
            Self::Open(wire) => Ok(wire),
            Self::Awaited(_) | Self::Closed => Err(Hangup::Gone),
        }
    }
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

/// The socket, for the agent's user only. It is bound through the open folder, because the address
/// of a socket may have no more than 108 bytes and the data folder may be anywhere.
fn listen(run: &Path, owner: Owner) -> io::Result<UnixListener> {
    let folder = Folder::open(run)?.of(owner);
    folder.remove(SOCKET.as_ref())?;
    let address = format!("/proc/self/fd/{}/{SOCKET}", folder.descriptor().as_raw_fd());
    let listener = UnixListener::bind(&address)?;
    folder.own_socket(SOCKET.as_ref())?;
    folder.own()?;
    Ok(listener)
}

/// Talks with the agent until it has an outcome, or the container ends without one.
async fn attend<E: BuildEngine>(
    engine: &E,
    session: &Session<'_>,
    line: &mut Line,
    id: &ContainerId,
) -> Result<Outcome, BuildError> {
    let talked = {
        let mut talk = std::pin::pin!(talk(session, line));
        tokio::select! {
            talked = &mut talk => talked,
            exit = engine.wait_builder(id) => {
                // What it said before it ended may still be on its way.
                return match timeout(STILL_UNREAD, talk).await {
                    Ok(Ok(outcome)) => Ok(outcome),
                    Ok(Err(Hangup::Speech(error))) => Err(error),
                    Ok(Err(Hangup::Gone)) | Err(_) => Err(death(engine, session, id, exit?).await),
                };
            }
        }
    };
    match talked {
        Ok(outcome @ (Outcome::Built(_) | Outcome::Wants(_))) => Ok(outcome),
        // A build tool that the kernel killed looks like any failure to the agent; the container
        // knows. Its end says so, and it ends when the line is closed.
        Ok(Outcome::Failed(failed)) => {
            *line = Line::Closed;
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

async fn talk(session: &Session<'_>, line: &mut Line) -> Result<Outcome, Hangup> {
    let wire = line.open().await?;
    wire.send(session.job).await?;
    let mut budget = MAX_LOG.0;
    loop {
        match wire.next().await? {
            Frame::Ready => return Err(Hangup::Speech(BuildError::Gibberish)),
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

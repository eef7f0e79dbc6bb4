//! Programs that somebody talks to, on this machine: how one is begun, told things, and ended.
//!
//! It decides nothing of who may; whoever has a [`Consoles`] has been let in.

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use tokio::sync::{Notify, watch};

use crate::{
    engine::{
        EngineError, ExecSpec,
        docker::{Attached, Docker, Exec, ExecEnd},
    },
    model::{
        AppName, ContainerId, OpenSecrets, ProgramSignal, Release, Run, RunNumber, Terminal,
        TerminalSize,
    },
    node::{Handout, HandoutError, ports, ports::Port, runs},
};

pub use crate::engine::{Ends, OutputStream, Piece};

/// Where programs are begun, once Docker answers; and which runs somebody talks to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Consoles {
    docker: watch::Receiver<Option<Docker>>,
    handout: Handout,
    held: Arc<HeldRuns>,
}

#[derive(Debug, Default)]
struct HeldRuns {
    runs: Mutex<BTreeSet<(AppName, RunNumber)>>,
    left: Notify,
}

impl HeldRuns {
    fn runs(&self) -> MutexGuard<'_, BTreeSet<(AppName, RunNumber)>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That a session talks to a run, until it is dropped.
#[derive(Debug)]
pub struct Held {
    all: Arc<HeldRuns>,
    run: (AppName, RunNumber),
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.runs().remove(&self.run);
        self.all.left.notify_one();
    }
}

/// A program that was begun, and its two ends.
#[derive(Debug)]
pub struct Talk {
    /// The program.
    pub program: Program,
    /// What is said to it and by it.
    pub ends: Ends,
}

/// A program that somebody talks to.
#[derive(Debug, Clone)]
pub enum Program {
    /// Inside an instance that runs anyway.
    Beside(Exec),
    /// In a container of its own.
    Alone(Attached),
    /// None: whoever listens at a port.
    Port(Port),
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramEnd {
    /// With this code; 128 and the signal's number where a signal ended it.
    Exited(u8),
    /// It could not be executed; the last that it is said to have written says why.
    NotExecuted,
}

/// Why there is no program to talk to.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Docker has not answered since this daemon began.
    #[error("Docker does not answer")]
    NoEngine,
    /// The instance has ended.
    #[error("the instance has just ended")]
    Gone,
    /// It cannot have its secrets.
    #[error(transparent)]
    Handout(#[from] HandoutError),
    /// Whatever else.
    #[error(transparent)]
    Engine(EngineError),
}

impl From<EngineError> for ConsoleError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Refused { status: 404 | 409, .. } => Self::Gone,
            other => Self::Engine(other),
        }
    }
}

impl Consoles {
    /// Programs of the engine that is told, once it is.
    pub fn new(docker: watch::Receiver<Option<Docker>>, handout: Handout) -> Self {
        Self { docker, handout, held: Arc::default() }
    }

    /// Notes that a session is to talk to this run. Its record must not be seen before.
    pub fn hold(&self, app: &AppName, number: RunNumber) -> Held {
        let run = (app.clone(), number);
        self.held.runs().insert(run.clone());
        Held { all: self.held.clone(), run }
    }

    /// Whether a session talks to this run.
    pub fn holds(&self, app: &AppName, number: RunNumber) -> bool {
        self.held.runs().contains(&(app.clone(), number))
    }

    /// Ends when a session has left a run since the last time. For one waiter.
    pub async fn left(&self) {
        self.held.left.notified().await;
    }

    /// A file or folder of an instance, as a tar.
    pub fn files(
        &self,
        container: &ContainerId,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, ConsoleError>>, ConsoleError> {
        let docker = self.docker.borrow().clone().ok_or(ConsoleError::NoEngine)?;
        Ok(docker.files(container, path).map_err(ConsoleError::from).boxed())
    }

    /// Unpacks a tar into a folder of an instance.
    pub async fn put_files(
        &self,
        container: &ContainerId,
        folder: &str,
        tar: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<(), ConsoleError> {
        let docker = self.docker.borrow().clone().ok_or(ConsoleError::NoEngine)?;
        Ok(docker.put_files(container, folder, tar).await?)
    }

    /// Connects to a port of an instance.
    pub async fn port(at: SocketAddr) -> io::Result<Talk> {
        let (port, ends) = ports::open(at).await?;
        Ok(Talk { program: Program::Port(port), ends })
    }

    /// Begins a run, which has these secrets of its release, and talks to it.
    pub async fn run(
        &self,
        run: &Run,
        (release, secrets): (&Release, &OpenSecrets),
        terminal: Option<&Terminal>,
    ) -> Result<Talk, ConsoleError> {
        let docker = self.docker.borrow().clone().ok_or(ConsoleError::NoEngine)?;
        let mut spec = runs::spec(run, release).ok_or(ConsoleError::Gone)?;
        spec.instance.handed = self.handout.give(&spec.instance, secrets)?;
        let attached = docker.run_attached(&spec, terminal).await;
        // What Docker refuses here is no instance that has ended.
        let (attached, ends) = attached.map_err(ConsoleError::Engine)?;
        Ok(Talk { program: Program::Alone(attached), ends })
    }

    /// Begins a program inside a running instance, which has these secrets as the instance has them.
    pub async fn beside(
        &self,
        container: &ContainerId,
        command: Vec<String>,
        terminal: Option<Terminal>,
        secrets: OpenSecrets,
    ) -> Result<Talk, ConsoleError> {
        let docker = self.docker.borrow().clone().ok_or(ConsoleError::NoEngine)?;
        let (exec, ends) = docker.exec(container, &ExecSpec { command, terminal, secrets }).await?;
        Ok(Talk { program: Program::Beside(exec), ends })
    }
}

impl Program {
    /// Tells its terminal another size.
    pub async fn resize(&self, size: TerminalSize) -> Result<(), ConsoleError> {
        match self {
            Self::Beside(exec) => Ok(exec.resize(size).await?),
            Self::Alone(run) => Ok(run.resize(size).await?),
            Self::Port(_) => Ok(()),
        }
    }

    /// Sends it a signal; one that has ended is fine.
    pub async fn signal(&self, signal: ProgramSignal) -> Result<(), ConsoleError> {
        match self {
            Self::Beside(exec) => Ok(exec.signal(signal).await?),
            Self::Alone(run) => Ok(run.signal(signal).await?),
            Self::Port(_) => Ok(()),
        }
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Result<ProgramEnd, ConsoleError> {
        match self {
            Self::Beside(exec) => Ok(match exec.ended().await? {
                ExecEnd::Exited(code) => ProgramEnd::Exited(exit_code(code)),
                ExecEnd::NotExecuted => ProgramEnd::NotExecuted,
            }),
            Self::Alone(run) => Ok(ProgramEnd::Exited(exit_code(run.ended().await?.code))),
            Self::Port(port) => {
                port.ended().await;
                Ok(ProgramEnd::Exited(0))
            }
        }
    }

    /// Ends it because nobody talks to it any more: at once if it listens, or after `patience`. A run
    /// is told, and ended by control, which sees that nobody holds it.
    pub async fn hang_up(&self, patience: Duration) -> Result<(), ConsoleError> {
        match self {
            Self::Beside(exec) => Ok(exec.hang_up(patience).await?),
            Self::Alone(run) => Ok(run.signal(ProgramSignal::Hangup).await?),
            Self::Port(_) => Ok(()),
        }
    }
}

/// An exit code as a shell has it; what is none becomes a failure.
fn exit_code(code: i64) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}

//! Programs that somebody talks to: how one is begun, told things, and ended, on this machine or, over the
//! link, on a node.
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
        EngineError,
        docker::{Attached, Docker, Exec, ExecEnd},
    },
    model::{
        AppName, Instance, NodeName, OpenSecrets, ProgramSignal, Release, Run, RunNumber, Terminal,
        TerminalSize,
    },
    node::{Handout, HandoutError, Nodes, fleet::There, link::LinkError, ports, ports::Port, runs},
    telemetry::chain,
};

pub use crate::engine::{Ends, ExecSpec, OutputStream, Piece};

/// Where programs are begun, once Docker answers; and which runs somebody talks to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Consoles {
    docker: watch::Receiver<Option<Docker>>,
    nodes: Nodes,
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
    /// The same on a node.
    There(There),
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
    /// The node that has the instance cannot be asked.
    #[error("node {node} is not reached: {why}")]
    Away {
        /// Which.
        node: NodeName,
        /// Why.
        why: String,
    },
    /// Nobody answers at a port.
    #[error("{0}")]
    Closed(String),
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

impl ConsoleError {
    /// What the engine of a node could not do.
    fn of(node: &NodeName, error: EngineError) -> Self {
        match error {
            EngineError::Unreachable { source, .. } => Self::away(node, chain(&*source)),
            EngineError::Timeout { .. } => Self::away(node, "it did not answer in time".to_owned()),
            other => other.into(),
        }
    }

    /// Why there is no tunnel to a port of an instance.
    fn no_tunnel(error: LinkError) -> Self {
        match error {
            LinkError::Refused { refused, .. } => Self::Closed(refused.text),
            LinkError::Down { node, why } => Self::Away { node, why },
            LinkError::Broken { node, .. } => Self::Away { node, why: "the link broke".to_owned() },
            LinkError::Request(source) => Self::Closed(source.to_string()),
        }
    }

    fn away(node: &NodeName, why: String) -> Self {
        Self::Away { node: node.clone(), why }
    }
}

impl Consoles {
    /// Programs of the engine that is told, once it is, and of those of nodes.
    pub fn new(docker: watch::Receiver<Option<Docker>>, nodes: Nodes, handout: Handout) -> Self {
        Self { docker, nodes, handout, held: Arc::default() }
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
        instance: &Instance,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, ConsoleError>>, ConsoleError> {
        let Some(node) = instance.node.clone() else {
            let tar = self.docker()?.files(&instance.id, path);
            return Ok(tar.map_err(ConsoleError::from).boxed());
        };
        let tar = self.nodes.files(&node, &instance.id, path);
        let tar = tar.map_err(|error| ConsoleError::of(&node, error))?;
        Ok(tar.map_err(move |error| ConsoleError::of(&node, error)).boxed())
    }

    /// Unpacks a tar into a folder of an instance.
    pub async fn put_files(
        &self,
        instance: &Instance,
        folder: &str,
        tar: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<(), ConsoleError> {
        let Some(node) = &instance.node else {
            return Ok(self.docker()?.put_files(&instance.id, folder, tar).await?);
        };
        let put = self.nodes.put_files(node, &instance.id, folder, tar).await;
        put.map_err(|error| ConsoleError::of(node, error))
    }

    /// Connects to a port of an instance.
    pub async fn port(&self, instance: &Instance, port: u16) -> Result<Talk, ConsoleError> {
        let (port, ends) = match (&instance.node, instance.address) {
            (Some(node), _) => {
                let link = self.nodes.link(node).map_err(|error| ConsoleError::of(node, error))?;
                let opened = ports::open_there(&link, &instance.id, port).await;
                opened.map_err(ConsoleError::no_tunnel)?
            }
            (None, Some(address)) => {
                let opened = ports::open(SocketAddr::new(address, port)).await;
                opened.map_err(|error| ConsoleError::Closed(error.to_string()))?
            }
            (None, None) => return Err(ConsoleError::Closed("it has no address".to_owned())),
        };
        Ok(Talk { program: Program::Port(port), ends })
    }

    /// Begins a run, which has these secrets of its release, and talks to it.
    pub async fn run(
        &self,
        run: &Run,
        (release, secrets): (&Release, &OpenSecrets),
        terminal: Option<&Terminal>,
    ) -> Result<Talk, ConsoleError> {
        let docker = self.docker()?;
        let mut spec = runs::spec(run, release).ok_or(ConsoleError::Gone)?;
        spec.instance.handed = self.handout.give(&spec.instance, secrets)?;
        let attached = docker.run_attached(&spec, terminal).await;
        // What Docker refuses here is no instance that has ended.
        let (attached, ends) = attached.map_err(ConsoleError::Engine)?;
        Ok(Talk { program: Program::Alone(attached), ends })
    }

    /// Begins a program inside a running instance. The secrets that it is to have are those of the instance.
    pub async fn beside(&self, instance: &Instance, spec: &ExecSpec) -> Result<Talk, ConsoleError> {
        let Some(node) = &instance.node else {
            let (exec, ends) = self.docker()?.exec(&instance.id, spec).await?;
            return Ok(Talk { program: Program::Beside(exec), ends });
        };
        let begun = self.nodes.exec(node, &instance.id, spec).await;
        let (there, ends) = begun.map_err(|error| ConsoleError::of(node, error))?;
        Ok(Talk { program: Program::There(there), ends })
    }

    fn docker(&self) -> Result<Docker, ConsoleError> {
        self.docker.borrow().clone().ok_or(ConsoleError::NoEngine)
    }
}

impl Program {
    /// Tells its terminal another size.
    pub async fn resize(&self, size: TerminalSize) -> Result<(), ConsoleError> {
        match self {
            Self::Beside(exec) => Ok(exec.resize(size).await?),
            Self::There(there) => {
                there.resize(size).await.map_err(|it| ConsoleError::of(there.node(), it))
            }
            Self::Alone(run) => Ok(run.resize(size).await?),
            Self::Port(_) => Ok(()),
        }
    }

    /// Sends it a signal; one that has ended is fine.
    pub async fn signal(&self, signal: ProgramSignal) -> Result<(), ConsoleError> {
        match self {
            Self::Beside(exec) => Ok(exec.signal(signal).await?),
            Self::There(there) => {
                there.signal(signal).await.map_err(|it| ConsoleError::of(there.node(), it))
            }
            Self::Alone(run) => Ok(run.signal(signal).await?),
            Self::Port(_) => Ok(()),
        }
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Result<ProgramEnd, ConsoleError> {
        match self {
            Self::Beside(exec) => Ok(exec.ended().await?.into()),
            Self::There(there) => match there.ended().await {
                Ok(end) => Ok(end.into()),
                Err(error) => Err(ConsoleError::of(there.node(), error)),
            },
            Self::Alone(run) => Ok(ProgramEnd::Exited(exit_code(run.ended().await?.code))),
            Self::Port(port) => {
                port.ended().await;
                Ok(ProgramEnd::Exited(0))
            }
        }
    }

    /// Ends it because nobody talks to it any more: at once if it listens, or after `patience`. A run
    /// is told, and ended by control, which sees that nobody holds it. A node has a patience of its own.
    pub async fn hang_up(&self, patience: Duration) -> Result<(), ConsoleError> {
        match self {
            Self::Beside(exec) => Ok(exec.hang_up(patience).await?),
            Self::There(there) => {
                there.hang_up();
                Ok(())
            }
            Self::Alone(run) => Ok(run.signal(ProgramSignal::Hangup).await?),
            Self::Port(_) => Ok(()),
        }
    }
}

impl From<ExecEnd> for ProgramEnd {
    fn from(end: ExecEnd) -> Self {
        match end {
            ExecEnd::Exited(code) => Self::Exited(exit_code(code)),
            ExecEnd::NotExecuted => Self::NotExecuted,
        }
    }
}

/// An exit code as a shell has it; what is none becomes a failure.
fn exit_code(code: i64) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}

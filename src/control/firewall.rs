//! Keeping containers from their machine: the wall ([`crate::node::wall`]) stands as it should, and stands
//! again after somebody has taken it down.
//!
//! Its rules name all bridges of the installation, also those that are yet to be made: it is up before
//! an app is, and a pass has nothing to do when apps come and go. Where it cannot be made, apps run all
//! the same; the status says that they are not kept from anything.

use std::{fmt, future::pending, time::Duration};

use futures_util::{
    StreamExt,
    stream::{BoxStream, Fuse},
};
use tokio::{sync::watch, time::sleep};

use super::task::Task;
use crate::{
    engine::{Engine, EngineError, docker::Docker},
    model::opening::Opening,
    node::wall::{Plan, Public, Wall, WallError, Work},
    telemetry::chain,
};

/// The task that keeps the wall up.
pub struct Firewall {
    engine: Docker,
    wall: Wall,
    wanted: Wanted,
    /// What it is to be like, once that is known.
    plan: Option<Plan>,
    /// What people are told of it.
    status: watch::Sender<String>,
    /// It ends when Docker does.
    changes: Fuse<BoxStream<'static, ()>>,
}

/// What the settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A wall, but for these.
    Wall {
        /// What this machine has for everybody.
        public: Public,
        /// What its administrator opens besides.
        openings: Vec<Opening>,
    },
    /// None.
    Nothing,
}

impl fmt::Debug for Firewall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Firewall").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl Task for Firewall {
    const NAME: &'static str = "firewall";
    type Error = EngineError;

    /// A Docker that starts puts its own rules in order, and whoever reloads a firewall of theirs drops
    /// ours without a word to anybody.
    async fn wait(&mut self) {
        if self.wanted == Wanted::Nothing {
            return pending().await;
        }
        let changes = &mut self.changes;
        let lost = async {
            if changes.is_done() {
                return pending().await;
            }
            while changes.next().await.is_some() {}
        };
        tokio::select! {
            () = sleep(PERIOD) => {}
            () = lost => {}
        }
    }

    async fn pass(&mut self) -> Result<(), EngineError> {
        let status = match self.wanted.clone() {
            Wanted::Wall { public, openings } => {
                let plan = self.plan(public, openings).await?;
                self.ensure(&plan).await
            }
            Wanted::Nothing => self.remove().await,
        };
        self.status.send_if_modified(|shown| {
            let is_new = *shown != status;
            *shown = status;
            is_new
        });
        Ok(())
    }
}

impl Firewall {
    /// Nothing is looked at before the first pass.
    pub fn new(engine: Docker, wanted: Wanted, status: watch::Sender<String>) -> Self {
        let wall = Wall::of(engine.installation());
        let changes = engine.changes().fuse();
        Self { engine, wall, wanted, plan: None, status, changes }
    }

    /// What it is to be like; while Docker is away, what it was.
    async fn plan(&mut self, public: Public, openings: Vec<Opening>) -> Result<Plan, EngineError> {
        let found = async { Ok((self.engine.bridges().await?, self.engine.resolvers().await?)) };
        let (bridges, resolvers) = match (found.await, &self.plan) {
            (Ok(found), _) => found,
            (Err(_), Some(plan)) => return Ok(plan.clone()),
            (Err(error), None) => return Err(error),
        };
        if self.changes.is_done() {
            self.changes = self.engine.changes().fuse();
        }
        let plan = Plan { bridges, resolvers, public, openings };
        self.plan = Some(plan.clone());
        Ok(plan)
    }

    /// Has it stand, and says how it does.
    async fn ensure(&mut self, plan: &Plan) -> String {
        match self.wall.ensure(plan).await {
            Ok(Work::Repaired) => {
                tracing::warn!(
                    "rules that keep containers from this machine were gone; they are back"
                );
            }
            Ok(Work::Built) => tracing::info!("containers are kept from this machine's services"),
            Ok(Work::Stood) => {}
            Err(error) => return self.open(&chain(&error)),
        }
        ON.to_owned()
    }

    /// There is none, which is said once.
    fn open(&self, fault: &str) -> String {
        let status = format!("containers reach this machine's own services: {fault}");
        if *self.status.borrow() != status {
            tracing::warn!(fault, hint = HINT, "containers reach this machine's own services");
        }
        status
    }

    /// Takes away what an earlier daemon made. Where there is no program for it, none has.
    async fn remove(&mut self) -> String {
        match self.wall.remove().await {
            Ok(()) | Err(WallError::Missing { .. }) => {}
            Err(error) => {
                tracing::warn!(error = %chain(&error), "rules of an earlier start may be left");
            }
        }
        OFF.to_owned()
    }
}

const ON: &str = "on";
const OFF: &str = "off, by the settings";
const HINT: &str = "the daemon has to be root, with CAP_NET_ADMIN; whoever does without it says \
                    `firewall = \"off\"` in config.toml";
/// Between two looks at what stands. Each starts two programs that end at once.
const PERIOD: Duration = Duration::from_secs(10);

//! Keeping containers from their machine: the wall ([`crate::node::wall`]) stands as it should, and stands
//! again after somebody has taken it down.
//!
//! Its rules name all bridges of the installation, also those that are yet to be made: it is up before
//! an app is, and a pass has nothing to do when apps come and go. Where it cannot be made, apps run all
//! the same; the status says that they are not kept from anything.

use std::{fmt, future::pending, net::SocketAddrV4, sync::Arc, time::Duration};

use futures_util::{
    StreamExt,
    stream::{BoxStream, Fuse},
};
use tokio::{sync::watch, time::sleep};

use super::task::Task;
use crate::{
    engine::{Engine, EngineError, docker::Docker},
    model::opening::Opening,
    node::{
        Ways, carrier,
        wall::{Plan, Public, Reached, Wall, WallError, Work},
    },
    telemetry::chain,
};

/// The task that keeps the wall up.
pub struct Firewall {
    engine: Docker,
    wall: Wall,
    wanted: Wanted,
    /// Who may go where; where nothing is to be carried there is no gate.
    ways: watch::Receiver<Arc<Ways>>,
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
        let changes = &mut self.changes;
        let lost = async {
            if changes.is_done() {
                return pending().await;
            }
            while changes.next().await.is_some() {}
        };
        let carried = self.ways.borrow_and_update().are_carried();
        let none = self.wanted == Wanted::Nothing && !carried;
        let ways = &mut self.ways;
        let turned = async {
            if ways.wait_for(|ways| ways.are_carried() != carried).await.is_err() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = sleep(PERIOD), if !none => {}
            () = lost, if !none => {}
            () = turned => {}
        }
    }

    async fn pass(&mut self) -> Result<(), EngineError> {
        let plan = self.plan().await?;
        let status = self.ensure(&plan).await;
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
    pub fn new(
        engine: Docker,
        wanted: Wanted,
        ways: watch::Receiver<Arc<Ways>>,
        status: watch::Sender<String>,
    ) -> Self {
        let wall = Wall::of(engine.installation());
        let changes = engine.changes().fuse();
        Self { engine, wall, wanted, ways, plan: None, status, changes }
    }

    /// What it is to be like; while Docker is away, what it was.
    async fn plan(&mut self) -> Result<Plan, EngineError> {
        let found = match (self.found().await, &self.plan) {
            (Ok(found), _) => found,
            (Err(_), Some(plan)) => return Ok(plan.clone()),
            (Err(error), None) => return Err(error),
        };
        if self.changes.is_done() {
            self.changes = self.engine.changes().fuse();
        }
        self.plan = Some(found.clone());
        Ok(found)
    }

    async fn found(&mut self) -> Result<Plan, EngineError> {
        let bridges = self.engine.bridges().await?;
        let resolvers = self.engine.resolvers().await?;
        let carrier = if self.ways.borrow().are_carried() {
            Some(SocketAddrV4::new(self.engine.names_address().await?, carrier::PORT))
        } else {
            None
        };
        let reached = match &self.wanted {
            Wanted::Wall { public, openings } => {
                let (public, openings) = (public.clone(), openings.clone());
                Some(Reached { resolvers, public, openings })
            }
            Wanted::Nothing => None,
        };
        Ok(Plan { bridges, carrier, reached })
    }

    /// Has it stand, and says how it does.
    async fn ensure(&mut self, plan: &Plan) -> String {
        let made = self.wall.ensure(plan).await;
        match (&self.wanted, made) {
            (Wanted::Wall { .. }, Err(error)) => return self.open(&chain(&error)),
            (Wanted::Nothing, Err(error)) => self.left(&error),
            (_, Ok(Work::Repaired)) => {
                tracing::warn!("rules of the firewall were gone; they are back");
            }
            (Wanted::Wall { .. }, Ok(Work::Built)) => {
                tracing::info!("containers are kept from this machine's services");
            }
            (Wanted::Nothing, Ok(Work::Built)) | (_, Ok(Work::Stood)) => {}
        }
        match self.wanted {
            Wanted::Wall { .. } => ON.to_owned(),
            Wanted::Nothing => OFF.to_owned(),
        }
    }

    /// There is none, which is said once.
    fn open(&self, fault: &str) -> String {
        let status = format!("containers reach this machine's own services: {fault}");
        if *self.status.borrow() != status {
            tracing::warn!(fault, hint = HINT, "containers reach this machine's own services");
        }
        status
    }

    /// What is not wanted may still be there, and what leads to other machines is not; said once. Where there
    /// is no program for it, nothing was ever made.
    fn left(&self, error: &WallError) {
        let is_known = *self.status.borrow() == OFF;
        if !is_known && !matches!(error, WallError::Missing { .. }) {
            tracing::warn!(error = %chain(error), "private names lead to this machine's instances alone");
        }
    }
}

const ON: &str = "on";
const OFF: &str = "off, by the settings";
const HINT: &str = "the daemon has to be root, with CAP_NET_ADMIN; whoever does without it says \
                    `firewall = \"off\"` in config.toml";
/// Between two looks at what stands. Each starts two programs that end at once.
const PERIOD: Duration = Duration::from_secs(10);

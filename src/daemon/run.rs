//! A daemon, from its configuration to its end: one life after another.
//!
//! It lives as a control (`lead`) or as a node (`follow`). Where several machines keep the records it becomes the one or
//! the other as they elect; the edge of the former life goes on until that of the next one serves.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    config::Config,
    daemon::{
        error::RunError,
        follow,
        holdings::{Holdings, Part},
        lead::{self, EDGE_DRAINS},
        signals::Signals,
        tasks::Tasks,
        upgrade::{self, From, Legacy, Start},
    },
    node::Past,
    telemetry::chain,
};

/// Runs the daemon until it is told to end, or until a successor serves in its place.
pub async fn run(config: Config, start: Start) -> Result<(), RunError> {
    let mut signals = Signals::take().map_err(RunError::Signals)?;
    let mut former = match start.from {
        From::Scratch => None,
        From::Predecessor => Some(upgrade::meet().await?),
    };
    // They belong to no life: the next attempt at an upgrade must not cut what they still answer.
    let mut formers = Tasks::new();
    let past = Past::default();
    // Whether an edge of this very process does.
    let mut serves = false;
    loop {
        let opened = open(&config, &start, &mut signals, serves).await?;
        let Some(holdings) = opened else { break };
        serves = true;
        let (signals, formers, past) = (&mut signals, &mut formers, past.clone());
        let mut process = Process { start: &start, signals, formers, past };
        match lives(holdings, &mut process, former.take()).await? {
            Ending::Over => break,
            Ending::Again(next) => former = Some(next),
        }
    }
    formers.stop_all(EDGE_DRAINS).await;
    Ok(())
}

/// What all lives have of the process.
pub(super) struct Process<'a> {
    pub(super) start: &'a Start,
    pub(super) signals: &'a mut Signals,
    pub(super) formers: &'a mut Tasks,
    /// What they did with this machine's instances.
    pub(super) past: Past,
}

/// How the lives ended that were on the same holdings.
pub(super) enum Ending {
    /// Nothing is left to do.
    Over,
    /// The holdings are to be opened anew: the successor failed, say. An edge still serves; whoever comes to the
    /// sockets beside it waits.
    Again(Box<Legacy>),
}

/// How one life ended.
pub(super) enum Turned {
    /// With the holdings.
    Ends(Ending),
    /// This machine is to be something else, on the same holdings; an edge still serves.
    Turns(Box<Holdings>, Box<Legacy>),
}

/// The holdings. While an edge serves that needs none of them, it is not given up for a disk that fails; `None` when
/// a signal ends that.
async fn open(
    config: &Config,
    start: &Start,
    signals: &mut Signals,
    serves: bool,
) -> Result<Option<Holdings>, RunError> {
    let mut wait = OPENS_AGAIN;
    loop {
        match Holdings::open(config, start).await {
            Err(error) if serves => {
                tracing::error!(error = %chain(&error), "the edge goes on without records");
            }
            opened => return opened.map(Some),
        }
        tokio::select! {
            biased;
            signal = signals.ended() => {
                tracing::info!(signal, "ending");
                return Ok(None);
            }
            () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
        }
    }
}

/// One life after another, as what this machine is elected to be, until the holdings are closed.
async fn lives(
    mut holdings: Holdings,
    process: &mut Process<'_>,
    mut former: Option<Box<Legacy>>,
) -> Result<Ending, RunError> {
    loop {
        let turn = match holdings.part() {
            Part::Leads(term) => lead::life(holdings, term, process, former).await?,
            Part::Follows => follow::life(holdings, process, former).await?,
        };
        match turn {
            Turned::Ends(ending) => return Ok(ending),
            Turned::Turns(back, next) if back.is_lost() => {
                back.close().await;
                return Ok(Ending::Again(next));
            }
            Turned::Turns(back, next) => {
                former = Some(next);
                holdings = *back;
            }
        }
    }
}

/// Until holdings are opened again that could not be.
const OPENS_AGAIN: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

//! The edge of a node, as whoever leads has it: tables and certificates come over the link and are
//! published here, and the directory and the public names beside them; what the edge does is told back.
//!
//! Who was asked and does not lead is not listened to, nor who did, from the moment that another is known to lead.
//! While the control is away the edge goes on with what it was told last, led to whoever it still reaches; one
//! that begins then waits for its control a little, and goes on with what an earlier one was told.
//! Its own tables are numbered
//! here, since a control that begins anew counts from the beginning; what is told back is the number of
//! the control that is spoken to.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::FutureExt;
use hyper::{Method, Request, Response, StatusCode};
use proxy::{Certificates, Edge, Table, Traffic};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    addresses,
    feed::{self, FeedError, FromControl, FromNode, Lines},
    gateway::Gateway,
    leading::{Leader, Leading, Unled},
    link::{Answered, Body, Link, LinkError, whole},
    memory::Notes,
};
use crate::{
    model::{Directory, NodeName, PublicNames, Roster},
    telemetry::chain,
};

/// Where the feed is asked for, over the link.
pub(super) const FEED: &str = "/edge";

/// What leads the edge.
#[derive(Debug)]
pub struct Follower {
    link: Link,
    leading: Leading,
    gateway: Gateway,
    edge: Weak<Edge>,
    found: Found,
    outlets: Outlets,
    notes: Notes,
    /// When what an earlier daemon was told is gone on with, unless the control says something before.
    recall: Option<Instant>,
    /// What was told last.
    led: Option<Arc<Table>>,
    tables: Numbers,
    presented: Numbers,
}

/// What the control's word is passed on to.
#[derive(Debug)]
pub struct Outlets {
    /// What the edge routes by.
    pub table: watch::Sender<Arc<Table>>,
    /// What it presents.
    pub certificates: watch::Sender<Arc<Certificates>>,
    /// The instances that private names lead to, and which node has them.
    pub directory: watch::Sender<Arc<Directory>>,
    /// The nodes that there are.
    pub roster: watch::Sender<Arc<Roster>>,
    /// What a DNS server answers from.
    pub names: watch::Sender<Arc<PublicNames>>,
}

/// Where others find this machine.
#[derive(Debug)]
pub struct Found {
    /// Where the world does, if the settings say so; else at the machine's own addresses.
    pub given: Vec<IpAddr>,
    /// Where its link listens, if it is reached at whatever address the machine has on its way to its control.
    pub link: Option<SocketAddr>,
    /// Where the control is.
    pub control: Vec<SocketAddr>,
    /// The serial number of what its DNS server answers from, 0 of nothing yet; if it has one.
    pub answers: watch::Receiver<Option<u32>>,
}

/// Why nobody leads.
#[derive(Debug, thiserror::Error)]
enum Astray {
    #[error("the control is not reached")]
    Link(#[from] LinkError),
    #[error("the call cannot be made")]
    Unfit(#[from] hyper::http::Error),
    #[error("`{name}` refuses to lead: {why}")]
    Refused { name: NodeName, why: String },
    #[error(transparent)]
    Unled(#[from] Unled),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("a door to an instance cannot be opened")]
    Door(#[from] std::io::Error),
    #[error("the control has ended the call")]
    Ended,
}

impl Follower {
    /// Leads the edge that reads the other ends of these. What it is told goes to the notes, and what they know
    /// is gone on with if nobody tells it anything.
    pub fn new(
        (link, leading): (Link, Leading),
        gateway: Gateway,
        (edge, found): (&Arc<Edge>, Found),
        (outlets, notes): (Outlets, Notes),
    ) -> Self {
        let edge = Arc::downgrade(edge);
        let (tables, presented) = (Numbers::default(), Numbers::default());
        let recall = notes.told().table.is_some().then(|| Instant::now() + PATIENCE);
        Self {
            link,
            leading,
            gateway,
            edge,
            found,
            outlets,
            notes,
            recall,
            led: None,
            tables,
            presented,
        }
    }

    /// Follows until it is told to stop.
    pub async fn follow(mut self, stop: CancellationToken) {
        let mut said = None;
        loop {
            let told = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Err(astray) = self.call() => chain(&astray),
            };
            if said.as_ref() != Some(&told) {
                tracing::warn!(error = %told, "the edge goes on with what it was told last");
                said = Some(told);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(TRY_AGAIN) => {}
            }
        }
    }

    /// Goes on with what an earlier daemon was told.
    async fn recall(&mut self) -> Result<(), Astray> {
        tracing::warn!("the control is not reached: the edge goes on with what is remembered");
        let told = self.notes.told();
        self.obey(told).await
    }

    /// One call, for as long as it lasts.
    async fn call(&mut self) -> Result<Infallible, Astray> {
        let (figures, told) = mpsc::channel(1);
        let request = Request::builder().method(Method::POST).uri(FEED);
        let request = request.body(feed::body(told))?;
        let response = self.answer(request).await?;
        let (leader, answer) = self.led_by(response).await?;
        let mut deposed = pin!(self.leading.deposed(&leader));
        self.tables.forget();
        self.presented.forget();
        tracing::info!(leader = %leader.name, "the edge is led");
        let mut lines = Lines::of(answer);
        let mut ticks = self.edge.upgrade().map(|edge| edge.changes()).ok_or(Astray::Ended)?;
        loop {
            let sent = figures.send(feed::line(&self.told())?);
            if sent.await.is_err() {
                return Err(Astray::Ended);
            }
            tokio::select! {
                unled = &mut deposed => return Err(unled.into()),
                told = lines.next::<FromControl>() => {
                    let told = told?.ok_or(Astray::Ended)?;
                    if let Some(unled) = deposed.as_mut().now_or_never() {
                        return Err(unled.into());
                    }
                    self.notes.tell(&told);
                    self.obey(told).await?;
                }
                () = self.gateway.moved() => self.lead_again().await?,
                Ok(()) = self.found.answers.changed() => {}
                changed = ticks.changed() => {
                    changed.map_err(|_| Astray::Ended)?;
                    // Under load something changes all the time.
                    sleep(BETWEEN).await;
                }
                () = sleep(SILENT) => {}
            }
        }
    }

    /// Who leads, if whoever has answered does, and what it tells.
    async fn led_by(&self, response: Response<Body>) -> Result<(Leader, Body), Astray> {
        let Answered { by, term } = response
            .extensions()
            .get::<Answered>()
            .cloned()
            .unwrap_or_else(|| Answered { by: self.link.peer(), term: None });
        if response.status() != StatusCode::OK {
            self.leading.denied(&by);
            let said = whole(response.into_body(), LONGEST_REFUSAL).await.unwrap_or_default();
            let why = String::from_utf8_lossy(&said).into_owned();
            return Err(Astray::Refused { name: by, why });
        }
        match self.leading.hears(&by, term) {
            Ok(leader) => Ok((leader, response.into_body())),
            Err(unled) => {
                self.leading.denied(&by);
                Err(unled.into())
            }
        }
    }

    /// What is answered. While it is away instances move all the same, and are led to.
    async fn answer(&mut self, request: Request<Body>) -> Result<Response<Body>, Astray> {
        let link = self.link.clone();
        let mut answer = pin!(link.call(request));
        let mut deposed = pin!(self.leading.deposed(&self.leading.leader()));
        loop {
            let due = self.recall;
            tokio::select! {
                biased;
                unled = &mut deposed => return Err(unled.into()),
                () = until(due) => self.recall().await?,
                answer = &mut answer => return Ok(answer?),
                () = self.gateway.moved() => self.lead_again().await?,
            }
        }
    }

    async fn obey(&mut self, told: FromControl) -> Result<(), Astray> {
        if let Some(certificates) = told.certificates {
            let generation = self.presented.next(certificates.generation);
            let certificates = Certificates { generation, ..Certificates::clone(&certificates) };
            self.outlets.certificates.send_replace(Arc::new(certificates));
        }
        if let Some(directory) = told.directory {
            self.outlets.directory.send_replace(directory);
        }
        if let Some(roster) = told.roster {
            self.outlets.roster.send_replace(roster);
        }
        if let Some(names) = told.names {
            self.outlets.names.send_replace(names);
        }
        if let Some(table) = told.table {
            self.lead(table).await?;
        }
        Ok(())
    }

    /// Has the edge route by a table of the control, each instance where it is from here.
    async fn lead(&mut self, table: Arc<Table>) -> Result<(), Astray> {
        self.recall = None;
        let led = self.gateway.lead(&table).await?;
        let generation = self.tables.next(table.generation);
        self.outlets.table.send_replace(Arc::new(Table { generation, ..led }));
        self.led = Some(table);
        Ok(())
    }

    /// The same by the table that was told last, if there is one: something has moved.
    async fn lead_again(&mut self) -> Result<(), Astray> {
        if let Some(table) = &self.led {
            let led = self.gateway.lead(table).await?;
            let generation = self.tables.again();
            self.outlets.table.send_replace(Arc::new(Table { generation, ..led }));
        }
        Ok(())
    }

    /// What the edge does, in the numbers of the control.
    fn told(&self) -> FromNode {
        let traffic = self.edge.upgrade().map(|edge| edge.traffic()).unwrap_or_default();
        let figures = Traffic {
            applied: self.tables.theirs(traffic.applied),
            presented: self.presented.theirs(traffic.presented),
            ..traffic
        };
        let Found { given, link, control, answers } = &self.found;
        let link = link.and_then(|listen| addresses::towards(control, listen));
        let (addresses, apart) = (addresses::public_or(given), self.gateway.apart());
        FromNode { figures, addresses, link, apart, answers: *answers.borrow() }
    }
}

/// Ends then, or never.
async fn until(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Our numbers for what a control numbers by itself.
#[derive(Debug, Default)]
struct Numbers {
    last: u64,
    /// Ours and theirs, of this call, the oldest first.
    known: VecDeque<(u64, u64)>,
}

impl Numbers {
    /// The next of ours, for that one of theirs.
    fn next(&mut self, theirs: u64) -> u64 {
        self.last += 1;
        if self.known.len() == REMEMBERED {
            self.known.pop_front();
        }
        self.known.push_back((self.last, theirs));
        self.last
    }

    /// The next of ours, for what the one before it is for.
    fn again(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Theirs, for one of ours; `None` for what another call brought.
    fn theirs(&self, ours: Option<u64>) -> Option<u64> {
        let ours = ours?;
        self.known.iter().rev().find(|(known, _)| *known <= ours).map(|(_, theirs)| *theirs)
    }

    /// Another call begins, perhaps with another control.
    fn forget(&mut self) {
        self.known.clear();
    }
}

/// Tables that were published and may not all be applied yet. An edge that is further behind has
/// applied none, as far as its control knows.
const REMEMBERED: usize = 64;
/// Between two figures while much changes.
const BETWEEN: Duration = Duration::from_millis(10);
/// Until figures are told though nothing changes.
const SILENT: Duration = Duration::from_secs(1);
/// How long an edge that begins waits for its control before it goes on with what is remembered: it may be about
/// instances that are gone. A link is up within a second if anybody is there.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of a refusal's text.
const LONGEST_REFUSAL: usize = 4 << 10;
/// Until the next call, after one that failed; the link has a back-off of its own.
const TRY_AGAIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

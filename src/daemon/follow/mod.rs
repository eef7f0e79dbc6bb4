//! The life of a daemon on a machine that has joined: an edge that is led, by whichever machine leads.
//!
//! Its engine does what whoever leads says. What it was told last it serves, and its DNS server, if there is one,
//! answers, also while nobody tells it anything, and after it began anew; instances of other machines are reached
//! through links, by visitors and by the containers of their app: straight, or by way of whoever leads. It has no
//! records; or, where it keeps them together with others, it changes nothing in them, and its API leads on to the
//! machine that may.

mod parts;

use std::{os::fd::OwnedFd, sync::Arc};

use proxy::{Edge, Feeds, Table};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::parts::{Ground, begin};
use super::{
    access, authority,
    council::Charges,
    dns::{self, Dns},
    edge,
    error::RunError,
    folders::Folders,
    forward::Forward,
    holdings::{Bench, Holdings, Records},
    joined::Joined,
    lead::{TASKS_END, TASKS_TURN, end_tasks, sole, wind_edge_down},
    notify::{self, Turn},
    run::{Ending, Process, Turned},
    signals::Asked,
    tasks::Tasks,
    upgrade::{self, Legacy, Predecessor, UpgradeError},
};
use crate::{clock, config::Config, dns::Server, pki::NodeRequest};

/// Lives as a node until the daemon is told to end, or is to be something else.
pub(super) async fn life(
    holdings: Holdings,
    process: &mut Process<'_>,
    former: Option<Box<Legacy>>,
) -> Result<Turned, RunError> {
    let (mut predecessor, (inherited, sockets, tickets)) = upgrade::parts(former);
    let Holdings { config, folders, records, .. } = &holdings;
    let joined = who(config, folders, records.as_ref())?;
    announce(folders, &joined);
    let (doors, dns, beside) = beside(&holdings, sockets).await?;
    let (table, tables) = watch::channel(Arc::default());
    let (certificates, presented) = watch::channel(Arc::default());
    let led = tables.clone();
    let (access_log, requests) = access::begin(config);
    let feeds = Feeds { table: tables, certificates: presented };
    let edge = Arc::new(edge::bind(config, &feeds, &access_log, inherited, tickets)?);
    let (mut tasks, mut followers) = (Tasks::new(), Tasks::new());
    followers.spawn("access log", access::write_all(requests, config.access_log, folders));
    let (charges, asked) = mpsc::channel(1);
    let anew = CancellationToken::new();
    let (identity, given) = (joined.identity.clone(), holdings.given.clone());
    let heeding = Charges { folders: folders.clone(), identity, given };
    let cut = followers.stop();
    let roster = records.as_ref().map(Records::roster).transpose()?;
    let past = process.past.clone();
    let ground = Ground {
        config,
        folders,
        joined,
        edge: &edge,
        dns,
        table,
        certificates,
        charges,
        roster,
        past,
        cut,
    };
    let (link, names) = begin(ground, &mut tasks).await?;
    tasks.spawn("charges", heeding.heed(asked, anew.clone(), tasks.stop()));
    let bench = records.as_ref().map(|records| records.bench.clone());
    if let Some((doors, bench)) = doors.zip(bench.as_ref()) {
        doors.open(&mut tasks, &link, bench);
    }

    let left = leave(&edge, (led, &mut predecessor), process, (&anew, bench)).await;
    drop((access_log, link));
    match left {
        Left::Ends => {
            end_tasks(tasks, TASKS_END).await;
            wind_edge_down(edge, followers).await;
            drop(names);
            holdings.close().await;
            tracing::info!("ended");
            Ok(Turned::Ends(Ending::Over))
        }
        Left::Turns | Left::Anew => {
            end_tasks(tasks, TASKS_TURN).await;
            let Some(edge) = sole(edge).await else {
                holdings.close().await;
                return Ok(Turned::Ends(Ending::Over));
            };
            // An edge that has not been led yet has taken nobody in: the former one still serves.
            let next = upgrade::ourselves(edge, beside, predecessor)?;
            if left == Left::Turns {
                return Ok(Turned::Turns(Box::new(holdings), next));
            }
            holdings.close().await;
            Ok(Turned::Ends(Ending::Again(next)))
        }
    }
}

/// Why the life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Somebody told the daemon to end.
    Ends,
    /// This machine leads, or has to sit down anew.
    Turns,
    /// It keeps records from now on, or none any more.
    Anew,
}

/// Opens the edge once it is led, and waits until the life ends.
async fn leave(
    edge: &Edge,
    (mut led, predecessor): (watch::Receiver<Arc<Table>>, &mut Option<Predecessor>),
    process: &mut Process<'_>,
    (anew, bench): (&CancellationToken, Option<Bench>),
) -> Left {
    let notify = process.start.notify.as_deref();
    let called_up = async {
        match bench {
            Some(bench) => bench.called_up().await,
            None => std::future::pending().await,
        }
    };
    let mut called_up = std::pin::pin!(called_up);
    let mut opened = false;
    loop {
        tokio::select! {
            biased;
            asked = process.signals.received() => match asked {
                Asked::End(signal) => {
                    tracing::info!(signal, "ending");
                    notify::tell(notify, Turn::Ends);
                    return Left::Ends;
                }
                Asked::Upgrade => tracing::warn!(
                    "a node does not hand over to a successor: end it and start it anew"
                ),
            },
            () = anew.cancelled() => return Left::Anew,
            () = &mut called_up => return Left::Turns,
            // Before there is a table every host would be unknown, so visitors wait at the door.
            _ = led.changed(), if !opened => {
                edge.open();
                opened = true;
                if let Some(former) = predecessor.take().and_then(Predecessor::relieve) {
                    process.formers.spawn("former edge", upgrade::drain(former));
                }
                notify::tell(notify, Turn::Serves);
            }
        }
    }
}

/// What listens beside the edge, and copies of all its sockets for the next life: the doors of a machine that keeps the
/// records, and the DNS server if there is one.
async fn beside(
    holdings: &Holdings,
    mut inherited: Vec<OwnedFd>,
) -> Result<(Option<Forward>, Dns, Vec<OwnedFd>), RunError> {
    let Holdings { config, folders, records, .. } = holdings;
    let (mut doors, mut sockets) = (None, Vec::new());
    if records.is_some() {
        let bound = Forward::bind(config, folders, &mut inherited).await?;
        sockets = bound.sockets().map_err(UpgradeError::from)?;
        doors = Some(bound);
    }
    let dns = dns::begin(config, inherited)?;
    for at in dns.server.as_ref().map_or(&[][..], Server::addresses) {
        tracing::info!(%at, "dns");
    }
    let copies = dns::sockets(dns.server.as_ref()).collect::<Result<Vec<_>, _>>();
    sockets.extend(copies.map_err(UpgradeError::from)?);
    Ok((doors, dns, sockets))
}

/// Who this machine is among nodes. One that keeps the records has the authority's key, and what it shows may have run
/// out while it led: it signs that anew itself.
fn who(config: &Config, folders: &Folders, records: Option<&Records>) -> Result<Joined, RunError> {
    let joined = Joined::read(folders)?.ok_or(RunError::NoRecords)?;
    if records.is_none() {
        return Ok(joined);
    }
    let (keys, lasts) = (folders.keys(), config.certificate_lasts);
    let authority = authority::of_nodes(&keys, lasts, clock::now())?;
    let request = NodeRequest::write(&joined.key).map_err(RunError::NodeCertificate)?;
    let request = NodeRequest::read(&request).map_err(RunError::NodeRequest)?;
    let chain = authority.sign(&joined.identity.name, &request, clock::now());
    let joined = Joined { chain: chain.map_err(RunError::NodeCertificate)?, ..joined };
    joined.keep_chain(folders)?;
    Ok(joined)
}

fn announce(folders: &Folders, joined: &Joined) {
    let version = env!("CARGO_PKG_VERSION");
    let (node, control) = (&joined.identity.name, &joined.identity.control.name);
    tracing::info!(version, data = %folders.root().display(), %node, %control, "paas server");
}

//! What a node does, put together: its edge is led, its engine works, public and private names are answered, and
//! links to all others are kept.

use std::{collections::BTreeSet, sync::Arc};

use proxy::{Certificates, Edge, Table};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    build::workshop::LAUNCHER,
    config::Config,
    control::{
        firewall::{Firewall, Wanted},
        names::FollowedNames,
        task,
    },
    daemon::{
        dns::Dns,
        edge,
        error::RunError,
        folders::Folders,
        joined::{Control, Joined},
        memory,
        plane::PlaneError,
        private::Private,
        reissue::Reissue,
        status,
        tasks::Tasks,
    },
    dns::{Server, system_resolvers},
    engine::docker::{Docker, Subnet},
    model::{Directory, NodeName, Roster},
    node::{
        Charged, Follower, Found, Gatekeeper, Gateway, Here, Leading, Machine, Notes, Outlets,
        Passage, Past, Peers, Programs, Reach, Seek, Straight, Ways, Worker,
        link::{Admitted, Credentials, Link, Listener},
        peers,
    },
};

/// What the parts are made of besides what this machine has.
pub(super) struct Ground<'a> {
    pub(super) config: &'a Config,
    pub(super) folders: &'a Folders,
    pub(super) joined: Joined,
    pub(super) edge: &'a Arc<Edge>,
    pub(super) dns: Dns,
    pub(super) table: watch::Sender<Arc<Table>>,
    pub(super) certificates: watch::Sender<Arc<Certificates>>,
    pub(super) charges: mpsc::Sender<Charged>,
    /// The nodes that there are, if this machine knows without being told.
    pub(super) roster: Option<Arc<Roster>>,
    /// What this process has done with the machine's instances.
    pub(super) past: Past,
    /// What ends when the edge has.
    pub(super) cut: CancellationToken,
}

/// Begins to obey whoever leads: the link to it, and the DNS server, if there is one.
pub(super) async fn begin(
    ground: Ground<'_>,
    tasks: &mut Tasks,
) -> Result<(Link, Option<Server>), RunError> {
    let Ground { config, folders, joined, edge, dns, .. } = ground;
    let Ground { table, certificates, charges, roster, past, cut, .. } = ground;
    let at = joined.identity.listen;
    let listener = Listener::bind(at).await.map_err(|source| RunError::Link { at, source })?;
    let (show, credentials) = watch::channel(Arc::new(joined.shown()?));
    let name = joined.identity.name.clone();
    let Control { name: control, addresses } = joined.identity.control.clone();
    let (notes, memory) = memory::begin(folders)?;
    tasks.spawn("memory", memory.keep(tasks.stop()));
    let (enrol, roster) = watch::channel(roster.unwrap_or_else(|| notes.roster()));
    let leading = Leading::new(name.clone(), control.clone(), roster.clone(), notes.clone());
    let leads = (leading.clone(), roster.clone());
    let seek = Seek::new((control, &addresses), leads, credentials.clone());
    let (link, leader) = (seek.link(), (seek.link(), leading.clone()));
    tasks.spawn("call", seek.keep(tasks.stop()));
    let (worker, hands) = work(config, folders, tasks, (notes.clone(), past))?;
    let (directory, directed) = watch::channel(Arc::default());
    let (own, told) = ((name, credentials.clone()), (roster, directed.clone()));
    let (elsewhere, admitted) = meet(tasks, own, leader.clone(), told);
    let (publish, names) = watch::channel(Arc::default());
    let gateway = Gateway::new(elsewhere.clone(), hands.here.clone(), cut);
    let found = Found {
        given: config.addresses.clone(),
        link: joined.identity.seen.then_some(at),
        control: addresses,
        answers: dns.answered.clone(),
    };
    let here = joined.identity.name.clone();
    let (server, answering) = dns.answering(names, (here, elsewhere.1.clone()));
    let (ways, led_by) = watch::channel(Arc::default());
    let private = private(config, (elsewhere, &hands), (directed, ways), tasks.stop())?;
    let known = gateway.known();
    let gatekeeper = Gatekeeper { leading, worker, known, ways: led_by.clone(), charges };
    let outlets = Outlets { table, certificates, directory, roster: enrol, names: publish };
    let follower = Follower::new(leader, gateway, (edge, found), (outlets, notes));
    let reissue = Reissue { folders: folders.clone(), joined, link: link.clone(), show };
    if let Some(answering) = answering {
        tasks.spawn("public names", task::run(answering, tasks.stop()));
    }
    tasks.spawn("private names", private);
    tasks.spawn("edge", follower.follow(tasks.stop()));
    tasks.spawn("certificate", reissue.keep(tasks.stop()));
    tasks.spawn("link", listener.serve(credentials, admitted, Arc::new(gatekeeper), tasks.stop()));
    let listening = edge::listening(config, edge, server.as_ref());
    let wanted = status::firewall(config, listening);
    tasks.spawn("firewall", wall(hands.docker, (wanted, led_by), tasks.stop()));
    Ok((link, server))
}

/// The way to other machines, and which of them are reached.
type Elsewhere = (Passage, watch::Receiver<Reach>);

/// Keeps links to all nodes that are told of, beside the link to whoever leads: the way that is thus there, and
/// who may come in.
fn meet(
    tasks: &mut Tasks,
    own: (NodeName, Credentials),
    (control, leading): (Link, Leading),
    (roster, directory): (watch::Receiver<Arc<Roster>>, watch::Receiver<Arc<Directory>>),
) -> (Elsewhere, watch::Receiver<Arc<Admitted>>) {
    let nobody_else = peers::admitted(leading.candidates(), &Roster::default());
    let (admit, admitted) = watch::channel(Arc::new(nobody_else));
    let (links, peers) = watch::channel(Arc::default());
    let (reaches, reach) = watch::channel(Reach::Nodes(BTreeSet::new()));
    let told = peers::Told { admitted: admit, links, reach: reaches };
    let keeper = Peers::new(own, (control.clone(), leading), roster, told);
    tasks.spawn("peers", keeper.keep(tasks.stop()));
    let passage = Passage::of_node(control, Straight { directory, peers });
    ((passage, reach), admitted)
}

/// What this machine's Docker, once it is known for whom it works, is to others.
struct Hands {
    docker: watch::Receiver<Option<Docker>>,
    here: watch::Receiver<Here>,
}

/// The work that the control has this machine do.
fn work(
    config: &Config,
    folders: &Folders,
    tasks: &mut Tasks,
    (notes, past): (Notes, Past),
) -> Result<(Arc<Worker>, Hands), RunError> {
    let subnets = config.subnets.parse().map_err(PlaneError::Subnets)?;
    let socket = config.docker.display().to_string();
    let (found, docker) = watch::channel(None);
    let (told, here) = watch::channel(Here::default());
    let (data, program) = (folders.root().to_owned(), LAUNCHER);
    let resolvers = system_resolvers();
    let reserve = config.builds.reserve;
    let machine = Machine { socket, subnets, resolvers, data, program, reserve, past };
    let programs = Programs::default();
    tasks.spawn("programs", programs.clone().tend(tasks.stop()));
    let worker = Arc::new(Worker::new(machine, (found, told), programs, notes));
    tasks.spawn("engine", worker.clone().look_around(tasks.stop()));
    Ok((worker, Hands { docker, here }))
}

/// Keeps containers from this machine, once there may be some.
async fn wall(
    docker: watch::Receiver<Option<Docker>>,
    (wanted, ways): (Wanted, watch::Receiver<Arc<Ways>>),
    stop: CancellationToken,
) {
    let (status, _) = watch::channel(String::new());
    if let Some(docker) = found(docker, &stop).await {
        task::run(Firewall::new(docker, wanted, ways, status), stop).await;
    }
}

/// Answers containers that ask for private names, and carries what they send, once there may be some.
fn private(
    config: &Config,
    ((passage, reach), hands): (Elsewhere, &Hands),
    (directory, ways): (watch::Receiver<Arc<Directory>>, watch::Sender<Arc<Ways>>),
    stop: CancellationToken,
) -> Result<impl Future<Output = ()> + use<>, RunError> {
    let subnets: Subnet = config.subnets.parse().map_err(PlaneError::Subnets)?;
    let (here, found) = (hands.here.clone(), hands.docker.clone());
    Ok(async move {
        let Some(docker) = self::found(found, &stop).await else { return };
        let private = Private { docker, clients: subnets.parts(), ways, passage: Some(passage) };
        let keeper = |desk| FollowedNames { directory, here, reach, desk };
        private.run(keeper, stop).await;
    })
}

/// This machine's Docker, once it is known for whom it works; `None` if the daemon is stopped before.
async fn found(
    mut docker: watch::Receiver<Option<Docker>>,
    stop: &CancellationToken,
) -> Option<Docker> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        found = docker.wait_for(Option::is_some) => found.ok().and_then(|found| found.clone()),
    }
}

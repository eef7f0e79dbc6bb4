//! An edge that is led, by one machine and then by another, and the numbers of its tables.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::{Request, Response, body::Frame};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{FEED, Follower, Found, Numbers, Outlets};
use crate::{
    clock,
    model::Roster,
    node::{
        Gateway, Leading, Memory, Notes, Passage, Reach, Seek,
        feed::{self, FromControl},
        leading::tests::roster,
        link::{
            Body, BodyError, Far, Handler, Identity, Listener, Peer, Refused,
            tests::world::{Authority, anybody, node, soon},
        },
    },
};

/// A machine that takes itself for the leader, and leads edges by this roster.
#[derive(Debug)]
struct Control {
    roster: Arc<Roster>,
    /// How many edges it leads now.
    leads: watch::Sender<usize>,
}

struct Led(watch::Sender<usize>);

impl Drop for Led {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Handler for Control {
    async fn call(&self, _: &Peer, request: Request<Body>) -> Response<Body> {
        assert_eq!(request.uri().path(), FEED);
        self.leads.send_modify(|count| *count += 1);
        let led = Led(self.leads.clone());
        let told = FromControl { roster: Some(self.roster.clone()), ..FromControl::default() };
        let line = Ok::<_, BodyError>(Frame::data(feed::line(&told).unwrap()));
        let lasts = stream::once(async move {
            let _led = led;
            std::future::pending::<Result<Frame<Bytes>, BodyError>>().await
        });
        Response::new(StreamBody::new(stream::iter([line]).chain(lasts)).boxed_unsync())
    }

    async fn tunnel(&self, _: &Peer, _: &str) -> Result<Far, Refused> {
        Err(Refused::nobody("nothing is here"))
    }
}

/// One that listens, until this is dropped.
struct Leads {
    at: SocketAddr,
    credentials: watch::Sender<Arc<Identity>>,
    count: watch::Receiver<usize>,
    _stop: DropGuard,
}

impl Leads {
    async fn start(identity: Arc<Identity>, names: &[&str]) -> Self {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (at, stop) = (listener.address(), CancellationToken::new());
        let (credentials, shown) = watch::channel(identity);
        let (leads, count) = watch::channel(0);
        let (_, admitted) = watch::channel(anybody(&["a"]));
        let control = Arc::new(Control { roster: roster(names), leads });
        tokio::spawn(listener.serve(shown, admitted, control, stop.clone()));
        Self { at, credentials, count, _stop: stop.drop_guard() }
    }

    async fn leads(&self, edges: usize) {
        let mut count = self.count.clone();
        soon("it leads so many", count.wait_for(|count| *count == edges)).await.unwrap();
    }
}

/// Node `a`, which joined `b`; beside it `c` may lead. It follows for as long as this is there.
struct World {
    leading: Leading,
    told: watch::Receiver<Arc<Roster>>,
    _known: watch::Sender<Arc<Roster>>,
    _edge: Arc<proxy::Edge>,
    _stop: DropGuard,
}

impl World {
    fn make(authority: &Authority, b: &Leads, c: &Leads) -> Self {
        let mut members = Roster::clone(&roster(&["b*", "c*"]));
        members.0.get_mut(&node("b")).unwrap().address = b.at;
        members.0.get_mut(&node("c")).unwrap().address = c.at;
        let (known, members) = watch::channel(Arc::new(members));
        let (notes, _) = Notes::from(Memory::default());
        let leading = Leading::new(node("a"), node("b"), members.clone(), notes.clone());
        let (_, shown) = watch::channel(authority.identity("a"));
        let seek = Seek::new((node("b"), &[b.at]), (leading.clone(), members), shown);
        let (link, stop) = (seek.link(), CancellationToken::new());
        let (_, here) = watch::channel(Arc::default());
        let (_, reach) = watch::channel(Reach::All);
        let gateway = Gateway::new((Passage::by(link.clone()), reach), here, stop.clone());
        let (table, tables) = watch::channel(Arc::default());
        let (certificates, _) = watch::channel(Arc::default());
        let (directory, _) = watch::channel(Arc::default());
        let (enrol, told) = watch::channel(Arc::default());
        let listen = vec![proxy::Listen::http("127.0.0.1:0".parse().unwrap())];
        let settings =
            proxy::Settings { workers: 1, ..proxy::Settings::new(listen, clock::system) };
        let (log, _) = proxy::access_log();
        let edge = proxy::Edge::bind(settings, &proxy::Feeds::plain(tables), &log).unwrap();
        let edge = Arc::new(edge);
        let (_, answers) = watch::channel(None);
        let given = vec![[203, 0, 113, 9].into()];
        let found = Found { given, link: None, control: vec![], answers };
        let (names, _) = watch::channel(Arc::default());
        let outlets = Outlets { table, certificates, directory, roster: enrol, names };
        let follower =
            Follower::new((link, leading.clone()), gateway, (&edge, found), (outlets, notes));
        tokio::spawn(seek.keep(stop.clone()));
        tokio::spawn(follower.follow(stop.clone()));
        Self { leading, told, _known: known, _edge: edge, _stop: stop.drop_guard() }
    }

    /// Waits until it has been told of these nodes last.
    async fn is_told(&self, names: &[&str]) {
        let (mut told, expected) = (self.told.clone(), roster(names));
        soon("it is told", told.wait_for(|told| *told == expected)).await.unwrap();
    }
}

#[tokio::test]
async fn an_edge_leaves_who_does_not_lead_any_more_and_finds_who_does() {
    let authority = Authority::new();
    let b = Leads::start(authority.leader("b", 3), &["b*", "c*", "of-b"]).await;
    let c = Leads::start(authority.leader("c", 7), &["b*", "c*", "of-c"]).await;
    let world = World::make(&authority, &b, &c);
    world.is_told(&["b*", "c*", "of-b"]).await;
    assert_eq!((world.leading.leader().name, world.leading.leader().term), (node("b"), 3));

    // It hears of another: the call to the one that led ends, whatever that one thinks.
    world.leading.hears(&node("c"), Some(7)).unwrap();
    b.leads(0).await;
    world.is_told(&["b*", "c*", "of-c"]).await;

    // That one is lost. The other still takes itself for the leader, and is asked and not obeyed.
    let mut denials = world.leading.denials();
    drop(c);
    let denied = denials.wait_for(|denied| *denied == Some(node("b")));
    soon("it is not obeyed", denied).await.unwrap();
    world.is_told(&["b*", "c*", "of-c"]).await;

    // It leads again, and cannot call: it is found.
    b.credentials.send_replace(authority.leader("b", 9));
    world.is_told(&["b*", "c*", "of-b"]).await;
    assert_eq!((world.leading.leader().name, world.leading.leader().term), (node("b"), 9));
    b.leads(1).await;
}

#[test]
fn numbers_are_those_of_the_control_that_is_spoken_to() {
    let mut numbers = Numbers::default();
    assert_eq!(numbers.theirs(Some(0)), None);
    assert_eq!((numbers.next(70), numbers.next(71)), (1, 2));
    assert_eq!(numbers.theirs(None), None);
    assert_eq!((numbers.theirs(Some(1)), numbers.theirs(Some(2))), (Some(70), Some(71)));
    assert_eq!(numbers.again(), 3);
    assert_eq!(numbers.theirs(Some(3)), Some(71), "another of ours for the same of theirs");
    numbers.forget();
    assert_eq!(numbers.theirs(Some(3)), None, "an earlier control's table says nothing");
    assert_eq!((numbers.again(), numbers.theirs(Some(4))), (4, None));
    assert_eq!(numbers.next(1), 5);
    assert_eq!((numbers.theirs(Some(4)), numbers.theirs(Some(5))), (None, Some(1)));
}

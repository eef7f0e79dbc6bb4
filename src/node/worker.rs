//! What a node does for its control: its engine starts and ends instances as it is told, and what it sees
//! it says. It decides nothing, also not whom it obeys: the [gate](super::Gatekeeper) does. While nobody tells it
//! anything, who ends is started again (`revival`).

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::{Method, Request, Response, StatusCode, body::Frame};
use proxy::UpstreamId;
use serde::de::DeserializeOwned;
use tokio::{
    net::TcpStream,
    sync::{Mutex, mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    feed::{self, Lines},
    files,
    gateway::Here,
    handout::Handout,
    hands::{Hands, Watcher},
    link::{Body, Far, Handler, Peer, Refused, full, reached, refusal, whole},
    memory::Notes,
    orders::{
        Answer, FILES, IMAGE, IMAGE_ID, ORDER, OUTPUT, Order, OutputOf, PROGRAM, RECEIVE, SEND,
        Sight, UNPACK, WATCH, Wish, Wrong,
    },
    parcels,
    past::Past,
    programs::Programs,
    remnants,
    steward::Steward,
};
use crate::{
    engine::{
        Engine,
        docker::{Docker, DockerSettings, InstallationId, Subnet},
    },
    model::{ByteSize, ImageId},
    telemetry::chain,
    volumes::VolumeFolders,
};

/// The engine of a node, as its control has it.
#[derive(Debug)]
pub struct Worker {
    machine: Machine,
    hands: Mutex<Option<Arc<Hands>>>,
    docker: watch::Sender<Option<Docker>>,
    here: watch::Sender<Here>,
    programs: Programs,
    notes: Notes,
}

/// What is to be known of a machine to have its engine work.
#[derive(Debug)]
pub struct Machine {
    /// The path of Docker's unix socket.
    pub socket: String,
    /// Where the apps' networks get their addresses from.
    pub subnets: Subnet,
    /// Whom instances ask for names when this daemon does not answer.
    pub resolvers: Vec<IpAddr>,
    /// The data folder.
    pub data: PathBuf,
    /// The program by which instances read their secrets.
    pub program: &'static [u8],
    /// What is to stay free of the disk when a volume is copied.
    pub reserve: ByteSize,
    /// What this process has done with its instances.
    pub past: Past,
}

impl Worker {
    /// The engine of this machine; whose containers it is about, the control says. `docker` is told of it
    /// then, and `here` where instances are. Whoever talks to programs does so by `programs`; the notes say
    /// whose containers they were.
    pub fn new(
        machine: Machine,
        (docker, here): (watch::Sender<Option<Docker>>, watch::Sender<Here>),
        programs: Programs,
        notes: Notes,
    ) -> Self {
        Self { machine, hands: Mutex::default(), docker, here, programs, notes }
    }

    /// Knows where instances are also while nobody watches: from the beginning, if an earlier daemon knew whose
    /// they are, until it is told to stop.
    pub async fn look_around(self: Arc<Self>, stop: CancellationToken) {
        let mut docker = self.docker.subscribe();
        loop {
            let looking = async {
                docker.mark_unchanged();
                match self.known().await {
                    // Another installation may take the machine over, and then it is another engine.
                    Some(hands) => tokio::select! {
                        _ = docker.changed() => {}
                        () = hands.look_around() => {}
                    },
                    None => self.recall(&mut docker).await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = looking => {}
            }
        }
    }

    /// Begins with the engine as it was before, or waits until somebody says whose it is.
    async fn recall(&self, docker: &mut watch::Receiver<Option<Docker>>) {
        let begun = match self.notes.wish() {
            Some(wish) => self.begin(&wish).await.map(|begun| begun.is_ok()),
            None => Ok(false),
        };
        match begun {
            Ok(true) => {}
            // Nobody's, or the control's own.
            Ok(false) => docker.changed().await.unwrap_or_default(),
            Err(error) => {
                tracing::debug!(%error, "the engine is not there yet");
                sleep(AGAIN).await;
            }
        }
    }

    /// The engine, as the control wishes it; or, if it is the control's own, which that is.
    async fn begin(&self, wish: &Wish) -> Result<Result<Arc<Hands>, String>, String> {
        let mut hands = self.hands.lock().await;
        let same = |hands: &&Arc<Hands>| {
            hands.docker.installation().as_str() == wish.installation && hands.engine != wish.engine
        };
        if let Some(known) = hands.as_ref().filter(same) {
            return Ok(Ok(known.clone()));
        }
        let installation = &wish.installation;
        let installation: InstallationId =
            installation.parse().map_err(|error| format!("{error}"))?;
        let Machine { socket, subnets, resolvers, data, program, reserve, past } = &self.machine;
        let handout = Handout::of_node(installation.as_str(), data, program).remembered_by(past);
        let settings = DockerSettings {
            socket: socket.clone(),
            subnet_pool: *subnets,
            resolvers: Some(resolvers.clone()),
            ..DockerSettings::new(installation)
        };
        let docker = Docker::connect(settings).await.map_err(|error| chain(&error))?;
        let engine = docker.engine().await.map_err(|error| chain(&error))?;
        if engine == wish.engine {
            return Ok(Err(engine));
        }
        tracing::info!("the control has this machine's Docker");
        self.notes.wish_for(wish);
        self.docker.send_replace(Some(docker.clone()));
        let lost = docker.clone();
        tokio::spawn(async move { lost.end_lost_programs().await });
        let steward = Steward::new(docker.clone(), VolumeFolders::new(data), *reserve).of_node();
        let past = (past.clone(), self.notes.clone());
        let own = (handout, steward);
        let begun = Arc::new(Hands::new((docker, engine), own, self.here.clone(), past));
        *hands = Some(begun.clone());
        Ok(Ok(begun))
    }

    async fn known(&self) -> Option<Arc<Hands>> {
        self.hands.lock().await.clone()
    }

    /// Says what it sees for as long as the call lasts.
    async fn watched(&self, body: Body) -> Response<Body> {
        let mut wishes = Lines::of(body);
        let wish: Wish = match wishes.next().await {
            Ok(Some(wish)) => wish,
            Ok(None) | Err(_) => return refusal(StatusCode::BAD_REQUEST, "nothing was wished for"),
        };
        let (told, lines) = mpsc::channel(1);
        match self.begin(&wish).await {
            Ok(Ok(hands)) => {
                tokio::spawn(async move {
                    let _watcher = Watcher::of(&hands);
                    let said = tokio::select! {
                        said = hands.say(wishes, wish, told) => said,
                        never = remnants::clear(&hands.docker) => match never {},
                    };
                    if let Err(error) = said {
                        tracing::debug!(error = %chain(&error), "nobody watches the engine");
                    }
                });
            }
            Ok(Err(engine)) => {
                let only = feed::line(&Sight { number: 1, engine, ..Sight::default() });
                tokio::spawn(async move {
                    if let Ok(only) = only {
                        told.send(only).await.ok();
                    }
                    told.closed().await;
                });
            }
            Err(why) => return refusal(StatusCode::SERVICE_UNAVAILABLE, &why),
        }
        Response::new(feed::body(lines))
    }

    async fn ordered(&self, body: Body) -> Response<Body> {
        let Some(hands) = self.known().await else { return refusal_unknown() };
        let order: Order = match read(body).await {
            Ok(order) => order,
            Err(refused) => return refused,
        };
        answer(&match hands.obey(order).await {
            Ok(answer) => answer,
            Err(error) => Answer::Wrong(Wrong::of(&error)),
        })
    }

    async fn output(&self, body: Body) -> Response<Body> {
        let Some(hands) = self.known().await else { return refusal_unknown() };
        let OutputOf { id, since } = match read(body).await {
            Ok(wanted) => wanted,
            Err(refused) => return refused,
        };
        let lines = hands.docker.output(&id, since).map(|line| {
            let line = line.map_err(|error| Wrong::of(&error));
            feed::line(&line).map(Frame::data).map_err(Into::into)
        });
        Response::new(StreamBody::new(lines).boxed_unsync())
    }

    async fn program(&self, body: Body) -> Response<Body> {
        match self.known().await {
            Some(hands) => self.programs.begin(hands.docker.clone(), body),
            None => refusal_unknown(),
        }
    }

    async fn files(&self, body: Body) -> Response<Body> {
        let Some(hands) = self.known().await else { return refusal_unknown() };
        match read(body).await {
            Ok(place) => files::give(&hands.docker, &place).await,
            Err(refused) => refused,
        }
    }

    async fn unpack(&self, body: Body) -> Response<Body> {
        let Some(hands) = self.known().await else { return refusal_unknown() };
        answer(&match files::take(&hands.docker, body).await {
            Ok(()) => Answer::Heeded,
            Err(wrong) => Answer::Wrong(wrong),
        })
    }

    async fn send(&self, body: Body) -> Response<Body> {
        let Some(hands) = self.known().await else { return refusal_unknown() };
        match read(body).await {
            Ok(wanted) => parcels::send(&hands.steward, wanted).await,
            Err(refused) => refused,
        }
    }

    async fn receive(&self, body: Body) -> Response<Body> {
        let Some(hands) = self.known().await else { return refusal_unknown() };
        answer(&match parcels::receive(&hands.steward, body).await {
            Ok(()) => Answer::Heeded,
            Err(wrong) => Answer::Wrong(wrong),
        })
    }

    async fn image(&self, request: Request<Body>) -> Response<Body> {
        let Some(hands) = self.known().await else { return refusal_unknown() };
        let id = request.headers().get(IMAGE_ID).and_then(|id| id.to_str().ok());
        let Some(id) = id.and_then(|id| id.parse::<ImageId>().ok()) else {
            return refusal(StatusCode::BAD_REQUEST, "which image it is was not said");
        };
        let pieces = request.into_body().into_data_stream();
        answer(&match hands.load(&id, pieces.map_err(std::io::Error::other).boxed()).await {
            Ok(()) => Answer::Done(hands.look().await),
            Err(error) => Answer::Wrong(Wrong::of(&error)),
        })
    }
}

impl Handler for Worker {
    async fn call(&self, _: &Peer, request: Request<Body>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, WATCH) => self.watched(request.into_body()).await,
            (&Method::POST, ORDER) => self.ordered(request.into_body()).await,
            (&Method::POST, OUTPUT) => self.output(request.into_body()).await,
            (&Method::POST, IMAGE) => self.image(request).await,
            (&Method::POST, PROGRAM) => self.program(request.into_body()).await,
            (&Method::POST, FILES) => self.files(request.into_body()).await,
            (&Method::POST, UNPACK) => self.unpack(request.into_body()).await,
            (&Method::POST, SEND) => self.send(request.into_body()).await,
            (&Method::POST, RECEIVE) => self.receive(request.into_body()).await,
            _ => refusal(StatusCode::NOT_FOUND, "a node is not asked for that"),
        }
    }

    /// `CONTAINER:PORT`, of an instance of this machine.
    async fn tunnel(&self, _: &Peer, target: &str) -> Result<Far, Refused> {
        let address = target.rsplit_once(':').and_then(|(id, port)| {
            let address = self.here.borrow().get(&UpstreamId::new(id)).copied()?;
            Some(SocketAddr::new(address, port.parse().ok()?))
        });
        let address = address.ok_or_else(|| Refused::nobody("no such instance is here"))?;
        reached(TcpStream::connect(address)).await
    }
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Response<Body>> {
    let body = whole(body, LARGEST_ORDER).await;
    let body = body.map_err(|_| refusal(StatusCode::BAD_REQUEST, "the order is cut off"))?;
    serde_json::from_slice(&body)
        .map_err(|error| refusal(StatusCode::BAD_REQUEST, &format!("not understood: {error}")))
}

fn answer(answer: &Answer) -> Response<Body> {
    match serde_json::to_vec(answer) {
        Ok(answer) => Response::new(full(answer)),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refusal_unknown() -> Response<Body> {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "nobody has watched this engine yet")
}

/// Until Docker is looked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// An order has less, in bytes: environments and secrets have bounds of their own.
const LARGEST_ORDER: usize = 16 << 20;

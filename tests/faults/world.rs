//! A server with one app of two instances under a trickle of requests, and what must be true of it
//! whenever the dust has settled.

use std::{
    path::Path,
    process::{Child, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{runtime::Runtime, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{DEADLINE, ledger::Ledger, server::Server, sources, trickle};

const APP: &str = "shop";
const INSTANCES: [&str; 2] = ["web.1", "web.2"];

pub(crate) struct World {
    pub(crate) server: Server,
    ledger: Arc<Ledger>,
    stop: CancellationToken,
    trickle: JoinSet<()>,
    runtime: Runtime,
    /// What serves.
    old: u32,
    /// What was deployed last.
    new: u32,
}

/// What a deploy that the daemon died of has promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The new release will not come.
    Old,
    /// The upload was acknowledged: the new release will come.
    New,
    /// The answer was lost; either is right.
    Either,
}

/// A `paas deploy` under way, with the folder that it uploads.
pub(crate) struct Deploy {
    client: Child,
    _folder: tempfile::TempDir,
}

impl Deploy {
    /// What the client was told before it ended.
    pub(crate) fn promise(mut self) -> Promise {
        if self.client.wait().unwrap().success() { Promise::New } else { Promise::Either }
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let server = Server::start();
        let folder = sources::server("mark 1");
        server.deploy(APP, folder.path()).ok();
        server.paas(&["scale", "web=2", "-a", APP]).ok();
        server.until_runs(APP, &INSTANCES);
        let ledger = Arc::new(Ledger::default());
        ledger.begin(1);
        let (stop, runtime) = (CancellationToken::new(), Runtime::new().unwrap());
        let aim = trickle::Aim {
            edge: ([127, 0, 0, 1], server.edge()).into(),
            host: format!("{APP}.localhost"),
            ledger: Arc::clone(&ledger),
            data: server.data().display().to_string(),
            stop: stop.clone(),
        };
        let trickle = {
            let _inside = runtime.enter();
            trickle::start(&aim)
        };
        Self { server, ledger, stop, trickle, runtime, old: 1, new: 1 }
    }

    pub(crate) fn kill(&mut self) {
        self.server.kill9();
    }

    pub(crate) fn start(&mut self, environment: &[(&str, &str)]) {
        self.server.start_again(environment);
    }

    /// Begins to deploy the next version; the client does not wait for the build.
    pub(crate) fn begin_deploy(&mut self) -> Deploy {
        self.new += 1;
        self.ledger.begin(self.new);
        let folder = sources::server(&format!("mark {}", self.new));
        let mut client = self.server.command(&["deploy", "--detach", "-a", APP]);
        client.arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        Deploy { client: client.spawn().unwrap(), _folder: folder }
    }

    /// One more deploy, which nothing disturbs.
    #[track_caller]
    pub(crate) fn deploys(&mut self) {
        let deploy = self.begin_deploy();
        let promise = deploy.promise();
        assert_eq!(promise, Promise::New, "the upload was refused");
        self.until_settled(promise);
    }

    /// Waits until exactly one release serves, the right one, and nothing else is there.
    #[track_caller]
    pub(crate) fn until_settled(&mut self, promise: Promise) {
        let started = Instant::now();
        let mark = loop {
            match self.settled(promise) {
                Ok(mark) => break mark,
                Err(why) => assert!(started.elapsed() < DEADLINE, "{promise:?}: {why}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        self.ledger.done(mark);
        (self.old, self.new) = (mark, self.new.max(mark));
        let faults = self.ledger.faults();
        assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
    }

    /// The mark that serves, or what is not yet in order.
    fn settled(&self, promise: Promise) -> Result<u32, String> {
        let builds = self.list("builds");
        let open = |build: &&Value| matches!(build["status"].as_str(), Some("queued" | "running"));
        if let Some(build) = builds.iter().find(open) {
            return Err(format!("a build is not finished: {build}"));
        }
        let app = self.server.api("GET", &format!("/v1/apps/{APP}"), b"").json();
        if app["state"] != "running" || !app["reason"].is_null() {
            return Err(format!("the app is not well: {app}"));
        }
        let instances = self.list("ps");
        let well = |one: &Value| one["state"] == "running" && one["health"] == "ready";
        let names: Vec<_> = instances.iter().filter_map(|one| one["name"].as_str()).collect();
        let release = app["release"].as_str().unwrap_or_default();
        let of_release = |one: &Value| one["release"] == release;
        if names != INSTANCES || !instances.iter().all(|one| well(one) && of_release(one)) {
            return Err(format!("the instances of {release} are {instances:?}"));
        }
        let releases = self.list("releases");
        let serving: Vec<_> = releases.iter().filter(|one| one["current"] == true).collect();
        if serving.len() != 1 || serving[0]["version"] != release {
            return Err(format!("{release} serves, and the releases are {releases:?}"));
        }
        self.only_containers_of(release)?;
        self.mark(promise)
    }

    /// Docker has the instances of that release and nothing else of ours, but for one container that
    /// may wait for the next build.
    fn only_containers_of(&self, release: &str) -> Result<(), String> {
        let containers = self.server.containers();
        let expected = INSTANCES.map(|name| format!(".{APP}.{name}.{release}."));
        let right = containers.len() == expected.len()
            && self.server.builders().len() <= 1
            && containers
                .iter()
                .zip(&expected)
                .all(|(is, wanted)| is.running && is.name.contains(wanted));
        if right { Ok(()) } else { Err(format!("{release} serves; Docker has {containers:?}")) }
    }

    fn mark(&self, promise: Promise) -> Result<u32, String> {
        let page = self.server.page(APP, "/");
        let mark: u32 = page.trim_end().strip_prefix("mark ").unwrap().parse().unwrap();
        let right = match promise {
            Promise::Old => mark == self.old,
            Promise::New => mark == self.new,
            Promise::Either => mark == self.old || mark == self.new,
        };
        if right { Ok(mark) } else { Err(format!("{page:?} serves")) }
    }

    fn list(&self, command: &str) -> Vec<Value> {
        let listed = self.server.paas(&[command, "-a", APP, "--json"]).json();
        listed.as_array().cloned().unwrap_or_default()
    }

    /// Ends the trickle, and looks a last time whether anything failed.
    pub(crate) fn end(mut self) {
        self.stop.cancel();
        self.runtime.block_on(async {
            while let Some(ended) = self.trickle.join_next().await {
                ended.unwrap();
            }
        });
        let faults = self.ledger.faults();
        assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
        assert!(Path::new(&self.server.socket()).exists());
        println!("requests answered: {}", self.ledger.requests());
    }
}

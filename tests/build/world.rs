//! A small world for builds: the real stack, the real toolchains and the real Docker.
//!
//! The stack and the toolchains are kept between runs, because making them takes a minute and
//! megabytes; images and containers of a test go with it, the two base images stay.

use std::{
    collections::BTreeMap,
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use paas::{
    build::{
        BuildError, BuildLimits, BuildRequest, Builder, Progress, Settings, UnpackLimits,
        load_base,
        stack::{self, Flavour, Origin, Stack},
        toolchains::{Sources, Toolchains, ca_environment},
        unpack::unpack,
    },
    engine::{
        Engine, InstanceSpec,
        docker::{Docker, DockerSettings},
    },
    model::{Artifact, BuildNumber, ByteSize, Incarnation, ReleaseVersion, Slot},
};
use tokio::{net::UnixListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

pub(crate) struct World {
    pub(crate) home: PathBuf,
    pub(crate) docker: Docker,
    pub(crate) builder: Builder<Docker>,
    pub(crate) installation: String,
    pub(crate) settings: Settings,
    number: u32,
    stop: CancellationToken,
}

/// What a build came to, and what it said.
pub(crate) struct Told {
    pub(crate) result: Result<Artifact, BuildError>,
    pub(crate) log: Vec<String>,
    pub(crate) took: Duration,
}

impl World {
    /// In a folder of its own.
    pub(crate) async fn new() -> Self {
        let random = RandomState::new().build_hasher().finish() >> 16;
        Self::at(tempfile::tempdir().unwrap().keep(), format!("b{random:012x}")).await
    }

    /// In a folder where there was one before.
    pub(crate) async fn at(home: PathBuf, installation: String) -> Self {
        let docker =
            Docker::connect(DockerSettings::new(installation.parse().unwrap())).await.unwrap();
        let lent = home.clone();
        tokio::task::spawn_blocking(move || crate::kept::lend(&lent)).await.unwrap();
        let stack = Stack::at(&home.join("stack"));
        let set = stack.ensure(Origin::Host { apt: "/etc/apt".into() }, &|_| ()).await.unwrap();
        let run = load_base(&docker, Flavour::Run, &set.run).await.unwrap();
        let build = load_base(&docker, Flavour::Build, &set.build).await.unwrap();

        let (shelf, sources) = (home.join("toolchains"), Sources::official());
        let ca_bundle = sources.ca_bundle.clone();
        let toolchains = Toolchains::open(&shelf, sources).unwrap();
        let sockets = home.join("sockets");
        fs::create_dir_all(&sockets).unwrap();
        let _ = fs::remove_file(sockets.join("toolchains.sock"));
        let listener = UnixListener::bind(sockets.join("toolchains.sock")).unwrap();
        std::os::unix::fs::chown(sockets.join("toolchains.sock"), Some(1000), Some(1000)).unwrap();
        let stop = CancellationToken::new();
        let mut environment = toolchains.registries().await.environment();
        if ca_bundle.is_some() {
            environment.extend(ca_environment("/etc/ssl/certs/ca-certificates.crt".as_ref()));
        }
        let serving = (toolchains, stop.clone());
        tokio::spawn(async move {
            serving.0.serve(listener, "/toolchains".as_ref(), serving.1).await;
        });

        let binary = PathBuf::from(env!("CARGO_BIN_EXE_paas"));
        let cnb = home.join("cnb");
        buildpacks::cnb::materialise(&cnb, &binary, paas::build::workshop::LAUNCHER).unwrap();
        let settings = Settings {
            installation: installation.clone(),
            apps: home.join("apps"),
            cache: home.join("cache"),
            launcher: cnb.join("lifecycle/launcher"),
            cnb,
            toolchains: shelf,
            toolchain_socket: (sockets, "toolchains.sock".to_owned()),
            ca_bundle,
            environment,
            run,
            build,
            variants: home.join("variants"),
            apt: "/etc/apt".into(),
            target: buildpacks::Target {
                os: stack::TARGET_OS.to_owned(),
                arch: stack::TARGET_ARCH.to_owned(),
                arch_variant: String::new(),
                distro_name: set.distro_name.to_owned(),
                distro_version: set.distro_version.to_owned(),
            },
            keep: Duration::from_mins(15),
        };
        let builder = Builder::new(docker.clone(), settings.clone());
        Self { home, docker, builder, installation, settings, number: 0, stop }
    }

    /// A folder as an upload would have it.
    pub(crate) fn source(&self, name: &str, folder: &Path) -> PathBuf {
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_dir_all(".", folder).unwrap();
        let into = self.home.join(name);
        unpack(tar.into_inner().unwrap().as_slice(), &into, &UnpackLimits::default()).unwrap();
        into
    }

    /// An app of a few files.
    pub(crate) fn app(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = tempfile::tempdir().unwrap();
        for (path, contents) in files {
            fs::write(folder.path().join(path), contents).unwrap();
        }
        self.source(name, folder.path())
    }

    pub(crate) fn request(
        &mut self,
        app: &str,
        source: &Path,
    ) -> (BuildRequest, mpsc::Receiver<Progress>) {
        self.number += 1;
        let (progress, news) = mpsc::channel(1000);
        let request = BuildRequest {
            secrets: BTreeMap::new(),
            app: app.parse().unwrap(),
            number: BuildNumber(self.number),
            source: source.to_owned(),
            limits: BuildLimits::default(),
            environment: BTreeMap::new(),
            cancel: CancellationToken::new(),
            progress,
        };
        (request, news)
    }

    pub(crate) async fn build(&mut self, app: &str, source: &Path) -> Told {
        let (request, news) = self.request(app, source);
        let started = Instant::now();
        let (result, log) = tokio::join!(self.builder.build(request), lines(news));
        Told { result, log, took: started.elapsed() }
    }

    /// Runs the `web` process of an artifact and asks it for its page.
    pub(crate) async fn answer(&self, app: &str, artifact: &Artifact) -> String {
        let process = artifact.processes.get("web").unwrap().clone();
        let port = process.port.unwrap();
        let spec = InstanceSpec {
            app: app.parse().unwrap(),
            slot: Slot { process: process.name.clone(), index: 1 },
            incarnation: Incarnation { release: ReleaseVersion(self.number), restart: 0 },
            attempt: 0,
            node: None,
            image: artifact.image.clone(),
            process,
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            files: BTreeMap::new(),
            handed: None,
            sent: [].into(),
            disks: Vec::new(),
        };
        let id = self.docker.start(&spec).await.unwrap();
        let started = Instant::now();
        let page = loop {
            let all = self.docker.instances().await.unwrap();
            let own = all.into_iter().find(|instance| instance.id == id).unwrap();
            let page = own.address.and_then(|address| {
                let mut stream = TcpStream::connect((address, port)).ok()?;
                stream.write_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n").ok()?;
                let mut page = String::new();
                stream.read_to_string(&mut page).ok()?;
                Some(page)
            });
            match page {
                Some(page) => break page,
                None if own.is_gone() => panic!("the instance ended: {:?}", own.state),
                None => assert!(started.elapsed() < Duration::from_mins(1), "no answer"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.docker.remove(&id).await.unwrap();
        page
    }

    /// Removes what the test made.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        let installation = self.installation.clone();
        tokio::task::spawn_blocking(move || crate::docker::sweep(&installation)).await.unwrap();
        crate::kept::keep(&self.home);
        fs::remove_dir_all(&self.home).unwrap();
    }
}

async fn lines(mut news: mpsc::Receiver<Progress>) -> Vec<String> {
    let mut log = Vec::new();
    while let Some(progress) = news.recv().await {
        log.push(match progress {
            Progress::Stage(stage) => format!("== {}", stage.word()),
            Progress::Line(line) => line,
        });
    }
    log
}

impl Told {
    /// The artifact of a build that succeeded.
    pub(crate) fn artifact(self) -> Artifact {
        match self.result {
            Ok(artifact) => artifact,
            Err(error) => panic!(
                "{} {:?}\n{}",
                paas::telemetry::chain(&error),
                error.hint(),
                self.log.join("\n")
            ),
        }
    }

    /// Reason and hint of one that failed.
    pub(crate) fn failure(self) -> String {
        let error = self.result.expect_err("the build should have failed");
        format!("{}\nhint: {}", paas::telemetry::chain(&error), error.hint().unwrap_or_default())
    }
}

/// The most that a small app may add to the base image.
pub(crate) const SMALL: ByteSize = ByteSize::mib(400);

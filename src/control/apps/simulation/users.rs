//! Random users. Everything they do goes through the real verbs; a refusal is an answer like any.

use std::collections::BTreeMap;

use super::world::{Disks, World, span};
use crate::{
    control::builds,
    model::{
        Actor, App, AppName, Artifact, Build, ByteSize, HealthCheck, HttpSettings, Process,
        ProcessName, Queueing, ReleaseVersion, Strategy, Takeover, VolumeName,
        build::DeploySettings, process::Limits, volume::Mounting,
    },
    ops::{self, Refusal, RefusalKind, upload::Uploaded},
    store::{SealingKey, View},
};

impl World {
    /// Somebody does something to some app.
    pub(super) async fn user(&mut self) {
        let name = self.dice.choice(&self.apps).expect("there are some").clone();
        let verb = self.dice.u8(..100);
        let (what, refused) = match verb {
            0..35 => ("deploy", self.deploy(&name).await),
            35..60 => ("scale", self.scale(&name).await),
            60..70 => ("restart", self.restart(&name).await),
            70..80 => ("config", self.configure(&name).await),
            80..87 => ("rollback", self.roll_back(&name).await),
            87..90 => ("abort", self.abort(&name).await),
            90..93 => ("promote", self.promote(&name).await),
            _ => ("destroy", self.destroy(&name).await),
        };
        match refused {
            Ok(()) => self.tell(format!("user: {what} {name}")),
            Err(refusal) => {
                let ours = matches!(refusal.kind, RefusalKind::Internal | RefusalKind::Unavailable);
                assert!(!ours, "{what} {name}: {refusal}");
                self.tell(format!("user: {what} {name}, refused: {refusal}"));
            }
        }
    }

    pub(super) async fn destroy(&mut self, name: &AppName) -> Result<(), Refusal> {
        let (name, now) = (name.clone(), self.now);
        let confirmed = name.as_str().to_owned();
        self.store()
            .transact(move |tx| {
                let how = (confirmed.as_str(), ops::destroy::Remains::Nothing);
                ops::destroy::destroy(tx, &name, how, &user(), now).map(drop)
            })
            .await
    }

    /// An upload and its build, which takes no time.
    async fn deploy(&mut self, name: &AppName) -> Result<(), Refusal> {
        self.deploys += 1;
        let digest = format!("sha256:{:064x}", self.deploys);
        let artifact = self.artifact(&digest);
        let (name, now) = (name.clone(), self.now);
        self.store()
            .transact(move |tx| {
                if tx.get::<App>(&name.as_str().to_owned())?.is_none() {
                    ops::create::create(tx, &name, &user(), now)?;
                }
                let digest = digest.parse().expect("a digest");
                let upload = ops::upload::Upload {
                    digest,
                    bytes: ByteSize::mib(1),
                    meaning: ops::upload::Meaning::Fixed,
                    commit: None,
                    pushed: None,
                    queueing: Queueing::All,
                };
                let queued = ops::upload::upload(tx, &name, &upload, &user(), now)?;
                let Uploaded::Queued(number) = queued else { return Ok(()) };
                let build = tx.get::<Build>(&(name.as_str().to_owned(), number.0.into()))?;
                let sealing = SealingKey::new([7; 32]);
                builds::finish(tx, &sealing, &build.expect("just made"), Ok(artifact), now)?;
                Ok(())
            })
            .await
    }

    fn artifact(&mut self, digest: &str) -> Artifact {
        let mut processes = BTreeMap::new();
        let kinds = [
            ("web", Some(8080), 90),
            ("worker", None, 40),
            ("release", None, 30),
            ("post_deploy", None, 30),
        ];
        for (name, port, odds) in kinds {
            if self.dice.u8(..100) < odds {
                let mut process = self.process(name.parse().expect("a name"), port);
                if self.disks == Disks::Some && !process.name.runs_once() && self.dice.bool() {
                    process.volumes = disk(&mut processes);
                }
                processes.insert(process.name.clone(), process);
            }
        }
        Artifact {
            image: digest.parse().expect("an image"),
            size: ByteSize::mib(1),
            processes,
            deploy: DeploySettings {
                timeout: span(&mut self.dice, 5_000..30_000),
                drain: span(&mut self.dice, 1..6_000),
                takeover: Box::new(self.takeover()),
                http: Box::new(self.http()),
                ..DeploySettings::default()
            },
        }
    }

    /// Half of them have files that earlier releases are asked for, for less than a storm.
    fn http(&mut self) -> HttpSettings {
        if self.dice.bool() {
            return HttpSettings::default();
        }
        HttpSettings {
            assets: vec!["/assets/".parse().expect("a beginning of a path")],
            assets_for: Some(span(&mut self.dice, 1..60_000)),
            ..HttpSettings::default()
        }
    }

    fn takeover(&mut self) -> Takeover {
        let strategies = [Strategy::Rolling, Strategy::BlueGreen, Strategy::Recreate];
        let strategies = [strategies, [Strategy::Rolling; 3], [Strategy::Canary; 3]].concat();
        let mut any = || *self.dice.choice(&strategies).expect("there are some");
        Takeover {
            strategy: any(),
            of: [("worker".parse().expect("a name"), any())].into(),
            batch: None,
            max_fail: self.dice.u16(..8).saturating_sub(5),
            watch: span(&mut self.dice, 0..5_000),
            canary: "20%".parse().expect("a share"),
            canary_for: span(&mut self.dice, 0..30_000),
            release_timeout: span(&mut self.dice, 300..10_000),
        }
    }

    fn process(&mut self, name: ProcessName, port: Option<u16>) -> Process {
        Process {
            command: format!("run {name}"),
            entrypoint: vec!["run".to_owned()],
            name,
            port,
            scale: self.dice.u16(1..=2),
            health: HealthCheck {
                grace: span(&mut self.dice, 3_000..15_000),
                ..HealthCheck::default()
            },
            liveness: crate::model::Liveness::default(),
            stop_timeout: span(&mut self.dice, 1..5_000),
            limits: Limits::default(),
            privileges: crate::model::Privileges::Plain,
            volumes: [].into(),
            place: [].into(),
        }
    }

    async fn scale(&mut self, name: &AppName) -> Result<(), Refusal> {
        let process = if self.dice.u8(..4) > 0 { "web" } else { "worker" };
        let wish = ops::scale::Wish::Exactly(self.dice.u16(0..=3));
        let wishes = BTreeMap::from([(process.parse::<ProcessName>()?, wish)]);
        let (name, now) = (name.clone(), self.now);
        self.store()
            .transact(move |tx| ops::scale::scale(tx, &name, &wishes, &user(), now).map(drop))
            .await
    }

    async fn restart(&mut self, name: &AppName) -> Result<(), Refusal> {
        let (name, now) = (name.clone(), self.now);
        self.store()
            .transact(move |tx| ops::restart::restart(tx, &name, &user(), now).map(drop))
            .await
    }

    async fn configure(&mut self, name: &AppName) -> Result<(), Refusal> {
        let value = (self.dice.u8(..4) > 0).then(|| self.dice.u8(..3).to_string());
        let patch = BTreeMap::from([("KEY".parse()?, value)]);
        let (name, now) = (name.clone(), self.now);
        self.store()
            .transact(move |tx| {
                let when = ops::pending::When::Now;
                ops::configure::configure(tx, &name, &patch, when, (&user(), now)).map(drop)
            })
            .await
    }

    async fn abort(&mut self, name: &AppName) -> Result<(), Refusal> {
        let (name, now) = (name.clone(), self.now);
        self.store().transact(move |tx| ops::abort::abort(tx, &name, &user(), now).map(drop)).await
    }

    async fn promote(&mut self, name: &AppName) -> Result<(), Refusal> {
        let (name, now) = (name.clone(), self.now);
        self.store()
            .transact(move |tx| ops::promote::promote(tx, &name, &user(), now).map(drop))
            .await
    }

    async fn roll_back(&mut self, name: &AppName) -> Result<(), Refusal> {
        let to = self.dice.bool().then(|| ReleaseVersion(self.dice.u32(1..6)));
        let (name, now) = (name.clone(), self.now);
        self.store()
            .transact(move |tx| ops::rollback::rollback(tx, &name, to, &user(), now).map(drop))
            .await
    }
}

/// The one disk, which goes from process to process: whoever had it in this release gives it up.
fn disk(processes: &mut BTreeMap<ProcessName, Process>) -> BTreeMap<VolumeName, Mounting> {
    for process in processes.values_mut() {
        process.volumes.clear();
    }
    let mounting = Mounting::at("/data".parse().expect("a path"));
    [("data".parse().expect("a name"), mounting)].into()
}

fn user() -> Actor {
    "user".parse().expect("a name")
}

//! A volume on another machine: it goes there and comes back, and whatever is done to one is done where it is.

use std::{path::PathBuf, time::Instant};

use crate::{
    Stage,
    machine::Machine,
    server::{Output, Server, says, until},
    sources,
};

/// Shows what it finds on its disk, or what that says once somebody has told it something: `/set/TEXT`. Beside it lies
/// what nobody can guess or press: `/fill/MEGABYTES` makes it, `/digest` says what it is.
const KEEPER: &str = r"
const fs = require('node:fs');
require('node:http').createServer((request, response) => {
  const text = request.url.split('/set/')[1];
  if (text) fs.writeFileSync('/data/file', text);
  const { createHash, randomBytes } = require('node:crypto');
  const megabytes = Number(request.url.split('/fill/')[1] ?? 0);
  for (let i = 0; i < megabytes; i++) fs.appendFileSync('/data/bulk', randomBytes(1 << 20));
  if (megabytes || request.url === '/digest') {
    return response.end(createHash('sha256').update(fs.readFileSync('/data/bulk')).digest('hex'));
  }
  let found = 'nothing';
  try { found = fs.readFileSync('/data/file', 'utf8'); } catch {}
  response.end(found);
}).listen(process.env.PORT, '0.0.0.0');
";

const MANIFEST: &str = "[volume.data]\npath = \"/data\"\n[deploy]\nwatch = \"200ms\"\n";

pub(crate) const KEEPS: &str = "keeps";

/// An app that has a volume, and two machines that it may be on.
pub(crate) struct Kept {
    pub(crate) one: Machine,
    // Machines go before the bridge that they are plugged into.
    pub(crate) stage: Stage,
    _place: tempfile::TempDir,
}

impl Kept {
    /// An app with a disk that says `one`, and another machine, which may run it as well.
    pub(crate) fn with(mut settings: Vec<(&'static str, String)>) -> Self {
        let place = tempfile::tempdir().unwrap();
        settings.push(("PAAS_BACKUP_TO", place.path().display().to_string()));
        let stage = Stage::with(settings);
        let folder = sources::node(KEEPER);
        sources::write(folder.path(), "paas.toml", MANIFEST);
        stage.server.deploy(KEEPS, folder.path()).ok();
        assert_eq!(stage.server.page(KEEPS, "/set/one"), "one");
        let one = Machine::join_to_work(&stage.server, "edge-1", stage.bed.plug(1));
        stage.until_is("edge-1", "up");
        let kept = Self { one, stage, _place: place };
        until("it can have instances", || {
            let nodes = kept.stage.server.paas(&["nodes", "--json"]).json();
            let is_idle =
                |one: &serde_json::Value| one["name"] == "edge-1" && one["instances"] == 0;
            nodes.as_array().unwrap().iter().any(is_idle).then_some(())
        });
        kept
    }

    pub(crate) fn server(&self) -> &Server {
        &self.stage.server
    }

    pub(crate) fn volumes(&self, arguments: &[&str]) -> Output {
        self.server().paas(&[&["volumes"], arguments, &["-a", KEEPS]].concat())
    }

    /// Waits until it says that, at the edge of either machine.
    #[track_caller]
    pub(crate) fn until_says(&self, expected: &str) {
        until(&format!("it says {expected}"), || {
            let answers = [self.server().try_get(KEEPS, "/"), self.one.get(KEEPS)];
            let says = |answer: std::io::Result<crate::http::Answer>| {
                answer.is_ok_and(|answer| answer.status == 200 && answer.text() == expected)
            };
            answers.into_iter().all(says).then_some(())
        });
    }

    /// Waits until the volume is there, and nothing is done to it.
    #[track_caller]
    fn until_on(&self, node: &str) {
        until(&format!("the volume is on {node}"), || {
            let shown = self.volumes(&["show", "data", "--json"]);
            let shown = (shown.code == 0).then(|| shown.json())?;
            (shown["node"] == node && shown["job"].is_null()).then_some(())
        });
    }

    pub(crate) fn folder(&self, node: &str) -> PathBuf {
        let data = if node == "box" { self.server().data() } else { &self.one.data() };
        data.join("volumes").join(KEEPS).join("data")
    }

    #[track_caller]
    pub(crate) fn until_gone_from(&self, node: &str) {
        until(&format!("nothing is left on {node}"), || {
            (!self.folder(node).exists()).then_some(())
        });
    }
}

#[test]
fn a_volume_goes_to_another_machine_and_is_cared_for_there() {
    let mut kept = Kept::with(Vec::new());
    kept.volumes(&["snapshot", "data"]).ok();
    kept.server().page(KEEPS, "/set/two");
    let begun = Instant::now();
    let told = kept.volumes(&["move", "data", "--to", "edge-1"]).ok();
    says(&told, &["Moving data to edge-1... done"]);
    println!("{:?} until the volume was on the other machine", begun.elapsed());
    kept.until_says("two");
    println!("{:?} until who has it was there, too", begun.elapsed());
    kept.until_gone_from("box");
    says(&kept.volumes(&["list"]).ok(), &["NODE", "edge-1", "attached"]);
    says(&kept.server().paas(&["ps", "-a", KEEPS]).ok(), &["edge-1"]);
    let refused = kept.volumes(&["move", "data", "--to", "edge-1"]).ended(1);
    says(&refused, &["it is on edge-1 already", "hint:"]);

    // What belongs to it came along, and what is asked for is done there.
    kept.volumes(&["restore", "data", "s1"]).ok();
    kept.until_says("one");
    kept.volumes(&["restore", "data", "s2"]).ok();
    kept.until_says("two");
    says(&kept.volumes(&["snapshot", "data"]).ok(), &["done: s4"]);
    says(&kept.volumes(&["backup", "data"]).ok(), &["done: b1"]);
    kept.server().page(KEEPS, "/set/three");
    kept.volumes(&["restore", "data", "b1"]).ok();
    kept.until_says("two");
    kept.server().paas(&["restart", "-a", KEEPS]).ok();
    kept.until_says("two");

    // A drained machine keeps it, and says what to do.
    let told = kept.server().paas(&["nodes", "drain", "edge-1"]).ok();
    says(
        &told,
        &["keeps does not move by this: its volume data is on edge-1: `paas volumes move data"],
    );
    kept.server().paas(&["restart", "-a", KEEPS]).ok();
    kept.until_says("two");
    kept.server().paas(&["nodes", "undrain", "edge-1"]).ok();

    // Its machine is lost: nobody is started on an empty disk, which is said, and all is as it was when it is back.
    kept.one.kill9();
    kept.stage.until_is("edge-1", "down");
    until("it is said why it does not run", || {
        let shown = kept.server().paas(&["ps", "-a", KEEPS]).ok();
        shown.contains("its volume is on edge-1").then_some(())
    });
    assert!(!kept.folder("box").exists());
    kept.one.start(&kept.stage.server);
    kept.until_says("two");

    // The control dies when all of it is back here, and nobody knows.
    kept.stage.server.kill9();
    kept.stage.server.start_again(&[("PAAS_FAULT", "volumes.carried")]);
    until("it is there", || kept.server().info());
    kept.stage.until_is("edge-1", "up");
    kept.volumes(&["move", "data", "--to", "box"]);
    kept.stage.server.ended();
    kept.stage.server.start_again(&[]);
    kept.until_on("box");
    kept.until_says("two");
    kept.until_gone_from("edge-1");
    says(&kept.volumes(&["snapshots", "data"]).ok(), &["s1", "s2", "s3", "s4", "s5"]);

    // It goes with its app, wherever it is.
    kept.volumes(&["move", "data", "--to", "edge-1"]).ok();
    kept.until_says("two");
    kept.server().paas(&["destroy", KEEPS, "--confirm", KEEPS]).ok();
    kept.until_gone_from("edge-1");
    let apps = || kept.server().paas(&["apps", "--json"]).json();
    until("its records are gone", || apps().as_array().is_some_and(Vec::is_empty).then_some(()));
}

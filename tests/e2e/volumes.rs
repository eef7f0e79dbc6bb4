//! Volumes: what an app wrote is there whatever happens to its instances, and nobody else writes there.

use std::{fs, path::Path};

use crate::{
    docker,
    server::{Server, says, until},
    sources,
};

/// Counts its visits in a file, `COUNT` in this release. A socket in the volume tells who else is alive
/// there: whoever can be reached by it writes to the same disk.
const COUNTER: &str = r"
const fs = require('node:fs'), net = require('node:net'), http = require('node:http');
const read = name => { try { return fs.readFileSync('/data/' + name, 'utf8'); } catch { return ''; } };
const begin = () => {
  try { fs.unlinkSync('/data/alive'); } catch {}
  net.createServer().listen('/data/alive');
  http.createServer((request, response) => {
    const count = Number(read('count')) + 1;
    fs.writeFileSync('/data/count', String(count));
    response.end(`NAME ${count}${read('met')}\n`);
  }).listen(PORT, '0.0.0.0');
};
net.connect('/data/alive')
  .on('connect', () => { fs.appendFileSync('/data/met', ' another'); begin(); })
  .on('error', begin);
process.on('SIGTERM', () => setTimeout(() => process.exit(0), 300));
";

const MANIFEST: &str =
    "[volume.data]\npath = \"/data\"\nsize = \"1g\"\n[deploy]\nwatch = \"200ms\"\n";

fn write(folder: &Path, name: &str) {
    let script = COUNTER.replace("NAME", name);
    let script = format!("const PORT = Number(process.env.PORT);\n{script}\n");
    sources::write(folder, "app.js", &script);
    sources::write(folder, "paas.toml", MANIFEST);
}

/// Whether it does, and says that; the first answer decides, as every one is counted.
fn answers(server: &Server, expected: &str) -> Option<()> {
    let answer = server.try_get("shop", "/").ok().filter(|answer| answer.status == 200)?;
    assert_eq!(answer.text(), expected);
    Some(())
}

#[test]
fn what_an_app_writes_outlives_everything_but_its_end() {
    let mut server = Server::start();
    let folder = sources::node("");
    write(folder.path(), "one");
    let told = server.deploy("shop", folder.path()).ok();
    says(&told, &["New volume data for web at /data"]);
    let plan = server.paas(&["plan", "-a", "shop", &folder.path().display().to_string()]).ok();
    assert!(!plan.contains("volumes"), "what was deployed is no change: {plan}");
    let visit = |server: &Server| server.page("shop", "/").trim_end().to_owned();
    assert_eq!(visit(&server), "one 1");

    // Its container goes, and so does the name that Docker has for the volume.
    for container in server.containers() {
        docker::remove(&container.id);
    }
    docker::remove_volumes(&server.installation());
    server.until_runs("shop", &["web.1"]);
    until("it answers again", || answers(&server, "one 2\n"));

    write(folder.path(), "two");
    server.deploy("shop", folder.path()).ok();
    assert_eq!(visit(&server), "two 3");
    server.paas(&["rollback", "-a", "shop"]).ok();
    assert_eq!(visit(&server), "one 4");
    server.paas(&["restart", "-a", "shop"]).ok();
    assert_eq!(visit(&server), "one 5");
    server.kill9();
    server.start_again(&[]);
    until("it answers again", || answers(&server, "one 6\n"));

    // What was in it before comes back, and what is in it now can come back too.
    server.paas(&["volumes", "snapshot", "data", "-a", "shop"]).ok();
    assert_eq!(visit(&server), "one 7");
    let told = server.paas(&["volumes", "restore", "data", "s1", "-a", "shop"]).ok();
    says(&told, &["Restoring data from s1... done"]);
    until("it answers again", || answers(&server, "one 7\n"));
    server.paas(&["volumes", "restore", "data", "s2", "-a", "shop"]).ok();
    until("it answers again", || answers(&server, "one 8\n"));

    // The daemon dies while the app stands still, and when nothing is in the volume.
    for (point, verb, then) in [
        ("volumes.frozen", ["snapshot", "data", "-a", "shop"].as_slice(), "one 9\n"),
        ("volumes.put_by", ["restore", "data", "s1", "-a", "shop"].as_slice(), "one 7\n"),
    ] {
        server.kill9();
        server.start_again(&[("PAAS_FAULT", point)]);
        until("it is there", || server.info());
        server.paas(&[&["volumes"], verb].concat());
        server.ended();
        server.start_again(&[]);
        until("the volume is as it was wanted", || {
            let shown = server.paas(&["volumes", "show", "data", "-a", "shop", "--json"]);
            (shown.code == 0 && shown.json()["job"].is_null()).then_some(())
        });
        until("it answers again", || answers(&server, then));
    }
    let snapshots = server.paas(&["volumes", "snapshots", "data", "-a", "shop", "--json"]).json();
    let causes: Vec<_> = snapshots.as_array().unwrap().iter().map(|one| &one["cause"]).collect();
    assert_eq!(
        causes,
        ["replaced by s1", "asked for", "replaced by s2", "replaced by s1", "asked for"]
    );

    // What would be a second writer is refused, and so is taking the disk away.
    let refused = server.paas(&["scale", "web=2", "-a", "shop"]).ended(1);
    says(&refused, &["it has the volume data", "hint:"]);
    let refused =
        server.paas(&["volumes", "destroy", "data", "-a", "shop", "--confirm", "data"]).ended(1);
    says(&refused, &["web of v", "/data", "take [volume.data] out"]);
    let beside = server.paas(&["run", "-a", "shop", "--", "sh", "-c", "ls /data || echo none"]);
    assert!(!beside.ok().contains("count"), "a run has the disk");

    // One that nobody has can go.
    server.paas(&["volumes", "create", "spare", "--size", "1g", "-a", "shop"]).ok();
    let listed = server.paas(&["volumes", "-a", "shop", "--json"]).json();
    let shown = |at: usize| (listed[at]["name"].as_str(), listed[at]["state"].as_str());
    assert_eq!(
        (shown(0), shown(1)),
        ((Some("data"), Some("attached")), (Some("spare"), Some("free")))
    );
    server.paas(&["volumes", "destroy", "spare", "-a", "shop", "--confirm", "spare"]).ok();
    until("the spare one is gone", || {
        let listed = server.paas(&["volumes", "-a", "shop", "--json"]).json();
        (listed.as_array().is_some_and(|all| all.len() == 1)).then_some(())
    });

    let lies = server.data().join("volumes/shop/data/data/count");
    assert!(lies.exists());
    server.paas(&["destroy", "shop", "--confirm", "shop"]).ok();
    until("its bytes are gone", || {
        let left = fs::read_dir(server.data().join("volumes")).map_or(0, Iterator::count);
        (left == 0).then_some(())
    });
    assert_eq!(docker::volumes(&server.installation()), Vec::<String>::new());
}

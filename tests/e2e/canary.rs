//! A release that is tried with a share of the requests before it takes over.

use std::path::Path;

use serde_json::Value;

use crate::{
    server::{Server, says, until},
    sources,
    traffic::Traffic,
};

fn write(folder: &Path, text: &str, lasts: &str) {
    let deploy = format!("strategy = \"canary\"\ncanary = \"50%\"\ncanary_for = \"{lasts}\"");
    let manifest = format!("[process.web]\nscale = 2\n[deploy]\nwatch = \"200ms\"\n{deploy}\n");
    sources::write(folder, "paas.toml", &manifest);
    let script = std::fs::read_to_string(sources::server(text).path().join("app.js")).unwrap();
    sources::write(folder, "app.js", &script);
}

#[test]
fn a_canary_is_compared_and_then_taken_or_dropped() {
    let mut server = Server::start();
    let folder = sources::server("one");
    let folder = folder.path();
    write(folder, "one", "60s");
    server.deploy("app", folder).ok();
    server.until_runs("app", &["web.1", "web.2"]);
    let last = |server: &Server| server.paas(&["deploys", "-a", "app", "--json"]).json()[0].clone();

    // One that fails is found out long before its time, and was one instance of two.
    let traffic = Traffic::to(&server, "app");
    let broken = "console.log('tried'); require('node:http').createServer((_, answer) => {
        answer.statusCode = 500; answer.end('no'); }).listen(PORT, '0.0.0.0');";
    sources::write(folder, "app.js", &format!("const PORT = Number(process.env.PORT);\n{broken}"));
    let told = server.deploy("app", folder).ended(1);
    drop(traffic);
    says(&told, &["Canary: web.1 gets 50% of the requests", "the canary is worse", "v1 serves on"]);
    let rollout = last(&server);
    let count = |side: &str, what: &str| rollout["canary"][side][what].as_u64().unwrap();
    assert_eq!((&rollout["phase"], &rollout["wave"]), (&"failed".into(), &1.into()));
    assert!(count("canary", "errors") >= 3, "{rollout}");
    assert_eq!(count("canary", "errors"), count("canary", "requests"), "{rollout}");
    assert_eq!(count("control", "errors"), 0, "{rollout}");
    let tried = server.paas(&["logs", "--release", "v2", "-a", "app"]).ok();
    assert!(tried.matches("tried").count() == 1 && !tried.contains("web.2"), "{tried}");
    assert_eq!(server.page("app", "/"), "one\n");

    // A good one takes over by itself.
    let traffic = Traffic::to(&server, "app");
    write(folder, "two", "2s");
    says(&server.deploy("app", folder).ok(), &["v3 serves"]);
    let pages = traffic.all_were_answered();
    assert!(pages.len() > 2, "both answered for a while: {pages:?}");
    assert_eq!(server.page("app", "/"), "two\n");
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["v3 is tried: web.1 of it gets 50%", "takes over in wave 1 of 2: 0 of"]);

    // It outlives the daemon, and ends when somebody has seen enough.
    write(folder, "three", "10m");
    let to = folder.to_str().unwrap();
    server.paas(&["deploy", to, "-a", "app", "--detach"]).ok();
    let since = until("it is tried", || {
        let rollout = last(&server);
        (rollout["phase"] == "canary").then(|| rollout["phase_at"].clone())
    });
    server.kill9();
    server.start_again(&[]);
    server.until_ready();
    let still: Value = last(&server);
    assert_eq!((&still["phase"], &still["phase_at"]), (&"canary".into(), &since));
    server.until_page("app", "three\n");
    says(&server.paas(&["deploys", "promote", "-a", "app"]).ok(), &["v4 of app goes on"]);
    until("it serves", || (last(&server)["phase"] == "done").then_some(()));
    assert_eq!(server.page("app", "/"), "three\n");
}

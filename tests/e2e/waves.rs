//! How releases take over: one first, all at once, back again; and what runs before them.

use std::path::Path;

use crate::{
    server::{Server, says, until},
    sources,
    traffic::Traffic,
};

/// Writes the app's text, or its whole script, and what its manifest says under `[deploy]`.
fn write(folder: &Path, script: &str, deploy: &str) {
    let manifest = format!("[process.web]\nscale = 3\n[deploy]\n{deploy}\n");
    sources::write(folder, "paas.toml", &manifest);
    sources::write(folder, "app.js", script);
}

fn script(text: &str) -> String {
    std::fs::read_to_string(sources::server(text).path().join("app.js")).unwrap()
}

#[test]
fn a_release_takes_over_in_waves_and_goes_back_when_it_dies() {
    let server = Server::start();
    let folder = sources::server("one");
    let folder = folder.path();
    let deploy = |text: &str, how: &str| {
        write(folder, &script(text), how);
        server.deploy("app", folder)
    };
    let page = || server.page("app", "/");
    let rollouts = || server.paas(&["deploys", "-a", "app", "--json"]).json();
    deploy("one", "watch = \"1s\"").ok();
    server.until_runs("app", &["web.1", "web.2", "web.3"]);

    // A broken release touches one of three.
    write(folder, "console.log('tried'); process.exit(3);", "watch = \"1s\"");
    let told = server.deploy("app", folder).ended(1);
    says(&told, &["web.1 exited with code 3", "v1 serves on"]);
    let last = rollouts()[0].clone();
    assert_eq!(
        (&last["phase"], &last["wave"], &last["waves"]),
        (&"failed".into(), &1.into(), &2.into())
    );
    let tried = server.paas(&["logs", "--release", "v2", "-a", "app"]).ok();
    assert!(tried.matches("tried").count() == 1 && !tried.contains("web.2"), "{tried}");

    // All at once: whoever has seen the new one never sees the old one again.
    let traffic = Traffic::to(&server, "app");
    let told = deploy("two", "strategy = \"blue-green\"\nwatch = \"30s\"").ok();
    says(&told, &["v3 serves", "if it dies, v1 takes over again"]);
    assert_eq!(page(), "two\n");
    assert_eq!(traffic.all_were_answered(), ["one\n", "two\n"]);

    // It dies while it is watched.
    server.try_get("app", "/exit/7").ok();
    server.until_page("app", "one\n");
    until("the release is known to have failed", || {
        (rollouts()[0]["phase"] == "failed").then_some(())
    });
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["had taken over and exited with code 7; v1 takes over again"]);
    let releases = server.paas(&["releases", "-a", "app", "--json"]).json();
    assert_eq!(
        (&releases[0]["status"], &releases[0]["current"]),
        (&"failed".into(), &false.into())
    );
    assert_eq!(releases[2]["current"], true, "{releases}");

    // A rollback while the old stand by makes no new release; without them it would.
    deploy("four", "strategy = \"blue-green\"\nwatch = \"30s\"").ok();
    assert_eq!(page(), "four\n");
    says(&server.paas(&["rollback", "-a", "app"]).ok(), &["done, v1"]);
    assert_eq!(page(), "one\n");

    // Nobody waits for a watch that somebody ends.
    deploy("five", "strategy = \"blue-green\"\nwatch = \"30s\"").ok();
    says(&server.paas(&["deploys", "promote", "-a", "app"]).ok(), &["v5 of app goes on"]);
    server.until_runs("app", &["web.1", "web.2", "web.3"]);
    server.paas(&["deploys", "abort", "-a", "app"]).ended(1);
    assert_eq!(page(), "five\n");
}

#[test]
fn a_release_command_runs_once_before_anything_of_its_release() {
    let server = Server::start();
    let folder = sources::server("one");
    let folder = folder.path();
    server.deploy("app", folder).ok();
    let manifest = |command: &str| {
        let text = format!("[deploy]\nwatch = \"200ms\"\nrelease = \"{command}\"\n");
        sources::write(folder, "paas.toml", &text);
    };
    manifest("echo migrating to $COLOUR; exit 4");
    let told = server.deploy("app", folder).ended(1);
    says(&told, &["the release command exited with code 4", "migrating to", "v1 serves on"]);
    assert_eq!(server.page("app", "/"), "one\n");
    let written = server.paas(&["logs", "-p", "release", "-a", "app"]).ok();
    assert_eq!(written.matches("migrating").count(), 1, "{written}");
    server.until_runs("app", &["web.1"]);

    manifest("echo migrated to $COLOUR\"\npost_deploy = \"echo warmed; exit 3");
    let told = server.deploy("app", folder).ok();
    says(&told, &["Running the release command", "migrated to", "v3 serves"]);
    // What runs afterwards is told, and changes nothing.
    says(&told, &["Running the post_deploy command", "warmed"]);
    assert_eq!(server.page("app", "/"), "one\n");
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["the post_deploy command exited with code 3; v3 serves on"]);
    // It depends on the config, and runs for that too; not for what has been released before.
    server.paas(&["config", "set", "COLOUR=blue", "-a", "app"]).ok();
    server.paas(&["restart", "-a", "app"]).ok();
    let written = until("what it wrote is kept", || {
        let written = server.paas(&["logs", "-p", "release", "-a", "app"]).ok();
        written.contains("migrated to blue").then_some(written)
    });
    assert_eq!(written.matches("migrated").count(), 2, "{written}");
    says(&server.paas(&["scale", "release=1", "-a", "app"]).ended(1), &["runs once"]);
}

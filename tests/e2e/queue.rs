//! Builds that wait, run and are stopped: who is where, and that stopping works at any moment.

use std::{fs, path::Path};

use crate::{
    repository::World,
    server::{Server, says, until},
    sources,
};

/// An app whose build waits for a file that only the test makes.
pub(crate) fn gated(text: &str) -> tempfile::TempDir {
    let folder = sources::server(text);
    let package = r#"{"name":"app","version":"1.0.0","private":true,"scripts":{"start":"exec node app.js","build":"echo begun; while [ ! -e gate ]; do sleep 0.05; done; rm gate"}}"#;
    sources::write(folder.path(), "package.json", package);
    folder
}

pub(crate) fn open_gate(server: &Server, app: &str) {
    fs::write(server.data().join("apps").join(app).join("workspace/gate"), "").unwrap();
}

pub(crate) fn begin(server: &Server, app: &str, folder: &Path) {
    server.api("POST", "/v1/apps", format!(r#"{{"name":"{app}"}}"#).as_bytes());
    let folder = folder.as_os_str();
    server
        .paas(&["deploy".as_ref(), folder, "--detach".as_ref(), "-a".as_ref(), app.as_ref()])
        .ok();
}

fn status(server: &Server, app: &str) -> String {
    let builds = server.paas(&["builds", "-a", app, "--json"]).json();
    builds[0]["status"].as_str().unwrap().to_owned()
}

pub(crate) fn until_begun(server: &Server, app: &str, build: &str) {
    until("the build has begun", || {
        let log = server.paas(&["builds", "log", build, "-a", app]);
        log.stdout.contains("begun").then_some(())
    });
}

fn until_no_builder(server: &Server) {
    until("no build container is left", || server.builders().is_empty().then_some(()));
}

#[test]
fn a_build_can_be_stopped_wherever_it_is_and_one_that_waits_says_where() {
    let mut server = Server::start();
    begin(&server, "slow", gated("slow").path());
    until_begun(&server, "slow", "1");
    begin(&server, "blog", sources::server("blog").path());
    let listed = server.paas(&["builds", "-a", "blog"]).ok();
    says(&listed, &["queued", "2nd in the queue, behind slow #1"]);

    // Waiting.
    says(&server.paas(&["builds", "cancel", "-a", "blog"]).ok(), &["build 1 of blog is cancelled"]);
    assert_eq!(status(&server, "blog"), "cancelled");
    let told = server.paas(&["builds", "follow", "1", "-a", "blog"]).ended(1);
    says(&told, &["the build was cancelled", "hint:"]);
    says(&server.paas(&["builds", "cancel", "-a", "blog"]).ended(1), &["no build of blog waits"]);

    // Running.
    server.paas(&["builds", "cancel", "1", "-a", "slow"]).ok();
    assert_eq!(status(&server, "slow"), "cancelled");
    until_no_builder(&server);
    says(&server.paas(&["builds", "log", "-a", "slow"]).ok(), &["the build was cancelled"]);

    // What was stopped is in nobody's way; what has ended is not stopped any more.
    begin(&server, "slow", gated("slow").path());
    until_begun(&server, "slow", "2");
    open_gate(&server, "slow");
    server.until_page("slow", "slow\n");
    let refused = server.paas(&["builds", "cancel", "2", "-a", "slow"]).ended(1);
    says(&refused, &["it has ended and is v1", "paas rollback -a slow"]);

    // Stopped, and then the daemon dies before it could do anything about it.
    begin(&server, "slow", gated("slower").path());
    until_begun(&server, "slow", "3");
    server.paas(&["builds", "cancel", "-a", "slow"]).ok();
    server.kill9();
    server.start_again(&[]);
    server.until_ready();
    until_no_builder(&server);
    assert_eq!(status(&server, "slow"), "cancelled");
    assert_eq!(server.page("slow", "/"), "slow\n");
}

#[test]
fn so_many_builds_run_at_once_as_the_settings_say_and_one_of_an_app() {
    let settings = vec![("PAAS_BUILDS_AT_ONCE", "2".to_owned())];
    let server = Server::starting(crate::server::Setup { settings, ..Default::default() });
    server.until_ready();
    begin(&server, "one", gated("one").path());
    begin(&server, "one", gated("newer").path());
    begin(&server, "two", gated("two").path());
    until_begun(&server, "one", "1");
    until_begun(&server, "two", "1");
    let listed = server.paas(&["builds", "-a", "one"]).ok();
    says(&listed, &["queued", "2nd in the queue, behind one #1"]);
    open_gate(&server, "two");
    server.until_page("two", "two\n");
    assert_eq!(status(&server, "one"), "queued");
    open_gate(&server, "one");
    until("the newer build runs", || (status(&server, "one") == "running").then_some(()));
    until_begun(&server, "one", "2");
    open_gate(&server, "one");
    server.until_page("one", "newer\n");
}

#[test]
fn a_newer_push_takes_the_place_of_those_before_it() {
    let world = World::new();
    world.paas(&["launch", "-a", "site"]).ok();
    let manifest = |more: &str| format!("app = \"site\"\n[deploy]\nwatch = \"200ms\"\n{more}");
    let newest = manifest("queue = \"newest\"\n");
    let slow = gated("slow");
    for file in ["app.js", "package.json"] {
        let text = fs::read_to_string(slow.path().join(file)).unwrap();
        sources::write(world.folder.path(), file, &text);
    }
    fs::remove_file(world.folder.path().join("index.html")).unwrap();
    let told = tempfile::tempdir().unwrap();
    let told = |name: &str| told.path().join(name);
    let said = |name: &str| fs::read_to_string(told(name)).unwrap();
    let push = |name: &str| {
        let mut command = world.git_command(world.folder.path(), &["push", "paas", "HEAD:main"]);
        command.stderr(fs::File::create(told(name)).unwrap()).spawn().unwrap()
    };

    // One that builds, and one that waits; the second does not ask for more than its turn.
    world.commit("paas.toml", &manifest(""));
    let mut building = push("building");
    until_begun(&world.server, "site", "2");
    world.commit("note", "waits");
    let mut waiting = push("waiting");
    until("the second push waits", || {
        said("waiting").contains("waiting for the push of").then_some(())
    });

    sources::write(
        world.folder.path(),
        "package.json",
        r#"{"name":"app","private":true,"scripts":{"start":"exec node app.js"}}"#,
    );
    world.commit("paas.toml", &newest);
    let id = world.head();
    says(&world.git(&["push", "paas", "HEAD:main"]).ok(), &["site v2 serves"]);
    assert_eq!(
        (building.wait().unwrap().code(), waiting.wait().unwrap().code()),
        (Some(1), Some(1))
    );
    let by = format!("({}) takes the place of this one", &id[..7]);
    let words = [by.as_str(), "queue = \"newest\"", "hint:", "[remote rejected]"];
    says(&said("building"), &[&words[..], &["a newer push took its place"]].concat());
    says(&said("waiting"), &words);
    assert_eq!(world.kept("main"), id);
    let builds = world.paas(&["builds", "--json"]).json();
    assert_eq!(builds.as_array().unwrap().len(), 3, "who waited built nothing: {builds}");
    assert_eq!(builds[1]["status"], "cancelled");
    world.nothing_is_left();
}

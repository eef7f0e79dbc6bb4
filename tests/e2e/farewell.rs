//! Destroying an app: never by accident, and without a trace.

use crate::{
    docker,
    server::{Server, says, until},
    sources,
};

#[test]
fn a_destroyed_app_leaves_no_trace_and_frees_its_name() {
    let server = Server::start();
    server.deploy("app", sources::server("doomed").path()).ok();
    server.deploy("neighbour", sources::server("stays").path()).ok();
    server.paas(&["scale", "web=2", "-a", "app"]).ok();
    server.paas(&["config", "set", "SECRET=s3kr3t-value", "-a", "app"]).ok();
    server.page("app", "/log/last-words-of-doomed");

    let told = server.paas(&["destroy", "app"]).ended(2);
    says(
        &told,
        &["nothing is destroyed without `--confirm`", "hint:", "paas destroy --confirm app"],
    );
    server.paas(&["destroy", "app", "--confirm", "neighbour"]).ended(2);
    assert_eq!(server.api("DELETE", "/v1/apps/app?confirm=other", b"").status, 400);
    assert_eq!(server.page("app", "/"), "doomed\n");

    let networks = docker::networks(&server.installation()).len();
    let images = docker::images(&server.installation()).len();
    says(&server.paas(&["destroy", "--confirm", "app"]).ok(), &["Destroying app... done"]);
    until("the app is gone", || {
        let apps = server.paas(&["apps", "--json"]).json();
        (apps.as_array().unwrap().len() == 1).then_some(())
    });
    let left = server.containers();
    assert_eq!(left.len(), 1, "{left:?}");
    until("nothing waits for a build of it", || {
        let builders = server.builders();
        builders.iter().all(|it| it.name.contains(".build.neighbour.")).then_some(())
    });
    assert_eq!(docker::networks(&server.installation()).len(), networks - 1);
    until("its image is gone", || {
        (docker::images(&server.installation()).len() == images - 1).then_some(())
    });
    assert_eq!(server.get("app", "/").status, 404);
    assert_eq!(server.page("neighbour", "/"), "stays\n");
    for question in ["logs", "releases", "config", "events", "ps", "builds"] {
        let told = server.paas(&[question, "-a", "app"]).ended(1);
        says(&told, &["error:", "app"]);
    }
    let traces = std::process::Command::new("find")
        .arg(server.data())
        .args(["-name", "app", "-not", "-path", "*/toolchains/*", "-not", "-path", "*/cnb/*"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&traces.stdout), "", "folders of the app are left");

    // The name is free, and nothing of the old app comes back with it.
    server.deploy("app", sources::server("reborn").path()).ok();
    assert_eq!(server.page("app", "/"), "reborn\n");
    assert_eq!(server.get("app", "/env/SECRET").status, 404);
    let releases = server.paas(&["releases", "-a", "app", "--json"]).json();
    assert_eq!(releases.as_array().unwrap().len(), 1);
    let logs = server.paas(&["logs", "-a", "app", "-n", "1000"]).ok();
    assert!(!logs.contains("doomed"), "{logs}");
}

#[test]
fn a_destroyed_app_is_kept_for_a_while_and_comes_back() {
    let mut server = Server::start();
    server.terminate();
    server.ended();
    server.start_again(&[("PAAS_UNDELETE_FOR", "1h")]);
    server.until_ready();
    server.deploy("app", sources::example("static-site").path()).ok();
    server.paas(&["config", "set", "NAME=kept", "-a", "app"]).ok();
    let page = server.page("app", "/");
    let destroy = |more: &[&str]| server.paas(&[&["destroy", "--confirm", "app"], more].concat());
    says(&destroy(&[]).ok(), &["done, kept until", "paas undelete app"]);
    assert!(server.containers().is_empty());
    assert_eq!(server.get("app", "/").status, 404);
    assert_eq!(server.paas(&["apps", "--json"]).json(), serde_json::json!([]));
    says(&server.paas(&["apps", "--destroyed"]).ok(), &["app", "destroyed", "kept until"]);
    let refused = server.deploy("app", sources::example("static-site").path()).ended(1);
    says(&refused, &["it was destroyed", "paas undelete app", "paas destroy --now --confirm app"]);
    // It is so over a death of the daemon.
    server.kill9();
    server.start_again(&[("PAAS_UNDELETE_FOR", "1h")]);
    server.until_ready();
    server.paas(&["undelete", "app"]).ok();
    until("it serves again", || (server.get("app", "/").status == 200).then_some(()));
    assert_eq!(server.page("app", "/"), page);
    says(&server.paas(&["config", "-a", "app"]).ok(), &["NAME", "kept"]);
    says(&server.paas(&["undelete", "app"]).ended(1), &["it was not destroyed"]);
    // What was destroyed can be let go.
    let destroy = |more: &[&str]| server.paas(&[&["destroy", "--confirm", "app"], more].concat());
    destroy(&[]).ok();
    says(&destroy(&["--now"]).ok(), &["Destroying app... done"]);
    says(&server.paas(&["undelete", "app"]).ended(1), &["nothing of it is left"]);
    until("nothing is left", || docker::images(&server.installation()).is_empty().then_some(()));
}

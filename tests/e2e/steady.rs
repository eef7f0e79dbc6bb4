//! What runs keeps running, whatever is done to it behind the daemon's back; and what need not
//! move does not.

use std::process::Command;

use crate::{
    docker::{self, Container},
    server::{Server, says, until},
    sources,
};

#[test]
fn a_container_that_is_removed_killed_or_stopped_comes_back() {
    let server = Server::start();
    server.deploy("app", sources::server("here").path()).ok();
    for meddle in [
        (|id| drop(docker::ask("DELETE", &format!("/v1.41/containers/{id}?force=true"))))
            as fn(&str),
        |id| drop(docker::ask("POST", &format!("/v1.41/containers/{id}/stop?t=5"))),
        |id| {
            let pid = docker::pid(id).to_string();
            assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        },
    ] {
        let before = only(&server);
        meddle(&before.id);
        until("another container runs in its place", || {
            let now = server.containers();
            (now.len() == 1 && now[0].running && now[0].id != before.id).then_some(())
        });
        server.until_runs("app", &["web.1"]);
        assert_eq!(server.page("app", "/"), "here\n");
    }
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["web.1 was killed (SIGKILL); starting it again"]);

    // Its network, too, once nothing holds it.
    let container = only(&server);
    let network = docker::networks(&server.installation());
    let network = network.iter().find(|name| !name.contains("--")).unwrap().clone();
    docker::ask("DELETE", &format!("/v1.41/containers/{}?force=true", container.id));
    docker::ask("DELETE", &format!("/v1.41/networks/{network}"));
    server.until_runs("app", &["web.1"]);
    server.until_page("app", "here\n");
}

#[test]
fn a_crash_loop_backs_off_and_can_be_seen() {
    let server = Server::start();
    server.deploy("looper", sources::server("well").path()).ok();
    // It was well for a moment, so that its deploy succeeded; then it ends whenever it is asked.
    for _ in 0..3 {
        until("it answers, and ends of it", || {
            let answer = server.try_get("looper", "/exit/7").ok()?;
            (answer.status == 200).then_some(())
        });
    }
    let seen = until("it waits for its next start", || {
        let text = server.paas(&["ps", "-a", "looper"]).ok();
        text.contains("waiting").then_some(text)
    });
    says(&seen, &["web.1", "exited with code 7", "starts again"]);
    let state = server.paas(&["apps", "--json"]).json();
    assert_eq!(state[0]["state"], "down", "{state}");
    let one = server.paas(&["describe", "web.1", "-a", "looper"]).ok();
    says(&one, &["exited with code 7"]);
    says(
        &server.paas(&["events", "-a", "looper"]).ok(),
        &["exited with code 7; starting it again"],
    );
    server.until_runs("looper", &["web.1"]);
    assert!(server.ps("looper")[0]["restarts"].as_u64().unwrap() >= 3);
    assert_eq!(server.page("looper", "/"), "well\n");
}

#[test]
fn an_instance_that_runs_out_of_memory_is_named_and_replaced() {
    let server = Server::start();
    let hungry = sources::server("full");
    sources::write(hungry.path(), "paas.toml", "[process.web]\nmemory = \"96m\"\n");
    server.deploy("hungry", hungry.path()).ok();
    server.deploy("modest", sources::server("calm").path()).ok();
    let modest = server.ps("modest");
    server.try_get("hungry", "/eat").ok();
    until("the event names it", || {
        let events = server.paas(&["events", "-a", "hungry"]).ok();
        events.contains("web.1 ran out of memory; starting it again").then_some(())
    });
    server.until_runs("hungry", &["web.1"]);
    assert_eq!(server.page("hungry", "/"), "full\n");
    // Nobody else was touched.
    assert_eq!(server.ps("modest")[0]["container"], modest[0]["container"]);
    assert_eq!(server.page("modest", "/"), "calm\n");
}

#[test]
fn an_unchanged_deploy_says_so_and_moves_nothing() {
    let server = Server::start();
    let folder = sources::server("same");
    server.deploy("app", folder.path()).ok();
    let before = server.containers();
    let told = server.deploy("app", folder.path()).ok();
    says(&told, &["no changes: v1 already runs this; nothing moved"]);
    // Neither times nor what is ignored are a change.
    sources::write(folder.path(), "node_modules/x/index.js", "left out");
    std::fs::File::open(folder.path().join("app.js"))
        .unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    says(&server.deploy("app", folder.path()).ok(), &["no changes"]);
    assert_eq!(server.containers(), before);
    assert_eq!(
        server.paas(&["releases", "-a", "app", "--json"]).json().as_array().unwrap().len(),
        1
    );
    assert_eq!(server.paas(&["builds", "-a", "app", "--json"]).json().as_array().unwrap().len(), 1);
}

fn only(server: &Server) -> Container {
    let mut all = server.containers();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

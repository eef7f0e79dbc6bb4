//! The daemon's own life: one per folder, an end in peace, and a start as if nothing had been.

use std::net::{TcpListener, UdpSocket};

use crate::{
    server::{Server, Setup, run, says, until},
    sources,
};

#[test]
fn apps_outlive_their_daemon_and_requests_its_end() {
    let mut server = Server::start();
    server.deploy("app", sources::server("steady").path()).ok();
    let before = server.containers();

    // A second one on the same folder.
    let mut second = server.command(&["server"]);
    second.arg("--data").arg(server.data()).args(["--http", "127.0.0.1:0"]);
    let told = run(&mut second).ended(1);
    says(&told, &["error:", &server.pid().to_string(), "hint:"]);
    assert_eq!(server.page("app", "/"), "steady\n");

    // A request under way ends well; then the daemon does; apps go on.
    let edge = server.edge();
    let slow = std::thread::spawn(move || {
        crate::http::Request::get("app.localhost", "/slow/3000").over_tcp(edge)
    });
    until("the slow request is under way", || {
        let logs = server.paas(&["logs", "-a", "app"]).ok();
        logs.contains("slow begins").then_some(())
    });
    server.terminate();
    let status = server.ended();
    assert!(status.success(), "{status}");
    assert_eq!(slow.join().unwrap().unwrap().text(), "slow\n");
    assert_eq!(server.containers(), before);
    let told = server.paas(&["ps", "-a", "app"]).ended(1);
    says(&told, &["error:", "hint:"]);

    server.start_again(&[]);
    server.until_page("app", "steady\n");
    assert_eq!(server.containers(), before);

    server.kill9();
    assert_eq!(server.containers(), before);
    server.start_again(&[]);
    server.until_page("app", "steady\n");
    assert_eq!(server.containers(), before);

    // What happened meanwhile is made good.
    server.kill9();
    crate::docker::ask("DELETE", &format!("/v1.41/containers/{}?force=true", before[0].id));
    server.start_again(&[]);
    server.until_runs("app", &["web.1"]);
    server.until_page("app", "steady\n");
}

#[test]
fn a_deploy_survives_the_death_of_its_daemon() {
    let mut server = Server::start();
    server.deploy("app", sources::server("old").path()).ok();
    for point in ["builds.started", "build.loaded", "apps.started", "apps.advanced"] {
        server.terminate();
        server.ended();
        server.start_again(&[("PAAS_FAULT", point)]);
        server.until_ready();
        let folder = sources::server(point);
        // The client joins again where its line breaks, and may not be done when we start anew.
        let deploying = {
            let mut command = server.command(&["deploy", "-a", "app"]);
            command.arg(folder.path()).stdout(std::process::Stdio::null());
            command.stderr(std::process::Stdio::null()).spawn().unwrap()
        };
        server.ended();
        server.start_again(&[]);
        until(&format!("{point}: the new release serves"), || {
            let page = server.try_get("app", "/").ok()?;
            (page.text() == format!("{point}\n")).then_some(())
        });
        until(&format!("{point}: only it is left"), || {
            (server.containers().len() == 1).then_some(())
        });
        // The next daemon is to die of its own deploy, not of the end of this one.
        until(&format!("{point}: the rollout is over"), || {
            let releases = server.paas(&["releases", "-a", "app", "--json"]).json();
            (releases[0]["status"] == "done").then_some(())
        });
        let output = deploying.wait_with_output().unwrap();
        println!("{point}: the client ended with {}", output.status);
    }
}

#[test]
fn two_deploys_at_once_end_well_and_one_release_serves() {
    let server = Server::start();
    server.deploy("app", sources::server("zero").path()).ok();
    let (one, two) = (sources::server("one"), sources::server("two"));
    let outcomes = std::thread::scope(|scope| {
        let first = scope.spawn(|| server.deploy("app", one.path()));
        let second = scope.spawn(|| server.deploy("app", two.path()));
        [first.join().unwrap(), second.join().unwrap()]
    });
    for output in &outcomes {
        let told = output.clone().stdout + &output.stderr;
        let superseded = ["a newer release took its place", "cancelled"];
        let said = superseded.iter().any(|text| told.contains(text));
        assert!(output.code == 0 || said, "{told}");
    }
    assert!(outcomes.iter().any(|output| output.code == 0), "{outcomes:?}");
    let current = until("one release serves", || {
        let releases = server.paas(&["releases", "-a", "app", "--json"]).json();
        let current =
            releases.as_array().unwrap().iter().find(|one| one["current"] == true)?.clone();
        (server.containers().len() == 1 && current["status"] == "done").then_some(current)
    });
    let all = server.ps("app");
    assert_eq!(all[0]["release"], current["version"]);
    assert!(["one\n", "two\n"].contains(&server.page("app", "/").as_str()));
}

#[test]
fn without_docker_the_daemon_says_how_to_get_it_and_recovers_when_it_comes() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("docker.sock");
    let setup = Setup { docker: Some(socket.clone()), ..Default::default() };
    let server = Server::starting(setup);
    let told = until("the status says it", || {
        let told = server.paas(&["status"]).ok();
        told.contains("hint:").then_some(told)
    });
    says(
        &told,
        &["not usable", "docker.sock", "apt-get install docker.io", "systemctl start docker"],
    );
    server.paas(&["apps", "create", "app"]).ok();
    let told = server.paas(&["exec", "-a", "app", "--", "true"]).ended(125);
    says(&told, &["what runs of app is not known yet", "docker.sock", "paas status"]);

    std::os::unix::fs::symlink(crate::docker::SOCKET, &socket).unwrap();
    server.until_ready();
    server.deploy("app", sources::server("late").path()).ok();
    assert_eq!(server.page("app", "/"), "late\n");

    // It goes away again: apps run on, the status says so, and it is missed only for so long.
    std::fs::remove_file(&socket).unwrap();
    until("the status says it again", || {
        let info = server.info()?;
        info["engine_fault"].is_string().then_some(())
    });
    assert_eq!(server.page("app", "/"), "late\n");
    std::os::unix::fs::symlink(crate::docker::SOCKET, &socket).unwrap();
    until("all is well again", || server.info()?["engine_fault"].is_null().then_some(()));
    server.deploy("app", sources::server("later").path()).ok();
    assert_eq!(server.page("app", "/"), "later\n");
}

#[test]
fn an_address_that_is_taken_is_refused_with_the_name_of_who_has_it() {
    let first = Server::starting(Setup::default());
    let place = tempfile::tempdir().unwrap();
    let refused = |setting: &str, at: &str| {
        let mut second = first.command(&["server"]);
        second.arg("--data").arg(place.path());
        second.env("PAAS_HTTP", "127.0.0.1:0").env("PAAS_API", "http://127.0.0.1:0");
        run(second.env(setting, at)).ended(1)
    };
    let told = refused("PAAS_HTTP", &format!("127.0.0.1:{}", first.edge()));
    let holder = format!("paas has it (process {})", first.pid());
    says(&told, &["cannot listen on 127.0.0.1", &holder, "`systemctl status paas`", "--http"]);

    // This test has the next ones, and is no service that could be told to end.
    let own = format!("(process {})", std::process::id());
    let hint = format!("hint: `ps -fp {}` shows what it is", std::process::id());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    says(&refused("PAAS_HTTPS", &at), &[&at, "has it", &own, &hint, "with --https"]);
    says(&refused("PAAS_API", &format!("http://{at}")), &[&at, &own, &hint, "with --api"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap().to_string();
    says(&refused("PAAS_DNS", &at), &[&at, &own, &hint, "--dns ADDRESS:"]);
}

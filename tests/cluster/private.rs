//! Private names between machines: processes of one app find and reach each other wherever they run, and
//! nobody else does.

use std::{fs::File, net::TcpListener, os::fd::AsFd};

use rustix::thread::{LinkNameSpaceType::Network, move_into_link_name_space};

use crate::{
    Stage,
    bed::Port,
    http::Request,
    machine::Machine,
    server::{Server, until},
    sources,
};

/// Waits until an app, asked for a path, says this.
#[track_caller]
fn until_says(server: &Server, app: &str, path: &str, expected: &str) {
    until(&format!("{app}{path} is {expected}"), || {
        (server.try_get(app, path).ok()?.text() == expected).then_some(())
    });
}

#[test]
fn processes_of_an_app_reach_each_other_wherever_they_run_and_no_other_does() {
    // The port that the instances listen at is taken on this machine, on every address: by this, or whoever kept
    // this from it.
    let _taken = TcpListener::bind(("0.0.0.0", 8080));
    let stage = Stage::set();
    let server = &stage.server;
    let one = Machine::join_to_work(server, "edge-1", stage.bed.plug(1));
    until("edge-1 can have instances", || {
        let nodes = server.paas(&["nodes", "--json"]).json();
        nodes.as_array().unwrap().iter().any(|one| one["instances"] == 0).then_some(())
    });
    let folder = sources::asker();
    // Whoever has a volume stays, and its image is not sent.
    let manifest = format!("{}[volume.data]\npath = \"/data\"\n", sources::WATCHED_BRIEFLY);
    sources::write(folder.path(), "paas.toml", &manifest);
    server.deploy("stranger", folder.path()).ok();
    sources::write(folder.path(), "Procfile", "api: exec node app.js\n");
    let manifest = format!("{}[process.api]\nport = 9000\n", sources::WATCHED_BRIEFLY);
    sources::write(folder.path(), "paas.toml", &manifest);
    server.deploy("shop", folder.path()).ok();
    let nodes = |process: &str| -> Vec<String> {
        let shown = server.ps("shop").into_iter();
        let of = shown.filter(|one| {
            let name = one["name"].as_str().unwrap();
            name.starts_with(&format!("{process}.")) && one["health"] == "ready"
        });
        of.map(|one| one["node"].as_str().unwrap().to_owned()).collect()
    };
    assert_ne!(nodes("api"), nodes("web"), "{:?}", server.ps("shop"));

    // There and back again: each is on another machine than whom it asks.
    until_says(server, "shop", "/ask/api.shop.internal/9000/", "api.1");
    let there_and_back = "/ask/api.shop.internal/9000/ask/shop.internal/8080/";
    until_says(server, "shop", there_and_back, "web.1");
    let address = server.page("shop", "/find/api.shop.internal");
    assert!(address.starts_with("198.18."), "{address}");
    assert_eq!(server.page("shop", &format!("/ask/{address}/22/")), "ECONNRESET", "another port");

    until("stranger finds itself", || {
        server.page("stranger", "/find/stranger.internal").starts_with("10.210.").then_some(())
    });
    assert_eq!(server.page("stranger", "/find/api.shop.internal"), "ENOTFOUND");
    assert_eq!(server.page("stranger", &format!("/ask/{address}/9000/")), "ECONNRESET");

    server.paas(&["scale", "web=2", "-a", "shop"]).ok();
    until("web is on both", || (nodes("web").len() == 2).then_some(()));
    names_lead_to_its_own_machine_while_it_is_alone(&one);
    until_says(server, "shop", there_and_back, "web.1");
}

/// Whoever is cut off answers for the instances that it has itself.
fn names_lead_to_its_own_machine_while_it_is_alone(machine: &Machine) {
    let ask = |path: &str| {
        let request = Request::get("shop.localhost", path);
        on(machine.port(), || request.at(machine.edge())).ok().map(|answer| answer.text())
    };
    let find = "/find/web.shop.internal";
    let are_two = |found: &String| found.contains(' ');
    let is_alone = |found: &String| found.starts_with("10.210.") && !are_two(found);
    until("its edge knows of its own instance", || ask("/").filter(|who| who == "web.2"));
    let by_its_own = format!("/ask/api.shop.internal/9000{find}");
    until("its names lead to both", || ask(&by_its_own).filter(are_two));
    machine.port().cut();
    until("only its own instance is found", || ask(find).filter(is_alone));
    machine.port().mend();
    until("all are found again", || ask(find).filter(are_two));
}

/// Does something in the network of a machine.
fn on<T: Send>(port: Port, done: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let there = scope.spawn(|| {
            let network = File::open(port.network()).unwrap();
            move_into_link_name_space(network.as_fd(), Some(Network)).unwrap();
            done()
        });
        there.join().unwrap()
    })
}

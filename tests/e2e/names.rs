//! What an app's own code finds out about names, asked by the app itself.

use crate::{
    docker,
    server::{Server, until},
    sources,
};

/// Says which addresses a name has: `/NAME`.
const ASKER: &str = r"
require('node:http').createServer((request, response) => {
  require('node:dns').lookup(request.url.slice(1), { all: true, family: 4 }, (fault, found) => {
    response.end(fault ? fault.code : found.map((one) => one.address).sort().join(' '));
  });
}).listen(PORT, '0.0.0.0');";

#[test]
fn an_app_finds_its_ready_instances_by_its_private_name() {
    let mut server = Server::start();
    for app in ["app", "neighbour"] {
        server.deploy(app, sources::node(ASKER).path()).ok();
    }
    let own = |app: &str| docker::addresses(&server.installation(), app);
    let finds = |name: &str, expected: &str| {
        until(&format!("{name} is {expected}"), || {
            (server.get("app", &format!("/{name}")).text() == expected).then_some(())
        });
    };
    finds("app.internal", &own("app").join(" "));
    finds("web.app.internal", &own("app").join(" "));
    finds("neighbour.internal", "ENOTFOUND");

    server.paas(&["scale", "web=2", "-a", "app"]).ok();
    server.until_runs("app", &["web.1", "web.2"]);
    assert_eq!(own("app").len(), 2);
    finds("app.internal", &own("app").join(" "));

    // One that is gone is forgotten, and a daemon that starts again knows all of it again.
    server.paas(&["scale", "web=1", "-a", "app"]).ok();
    until("one is left", || (own("app").len() == 1).then_some(()));
    finds("app.internal", &own("app").join(" "));
    server.kill9();
    server.start_again(&[]);
    let only = docker::addresses(&server.installation(), "app").join(" ");
    until("the name is answered again", || {
        let answer = server.try_get("app", "/app.internal").ok()?;
        (answer.text() == only).then_some(())
    });
}

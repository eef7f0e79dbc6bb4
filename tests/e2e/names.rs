//! What an app's own code finds out about names, asked by the app itself.

use crate::{
    docker,
    server::{Server, says, until},
    sources,
};

#[test]
fn an_app_finds_its_ready_instances_by_its_private_name() {
    let mut server = Server::start();
    for app in ["app", "neighbour"] {
        server.deploy(app, sources::asker().path()).ok();
    }
    let own = |app: &str| docker::addresses(&server.installation(), app);
    let finds = |name: &str, expected: &str| {
        until(&format!("{name} is {expected}"), || {
            (server.get("app", &format!("/find/{name}")).text() == expected).then_some(())
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
        let answer = server.try_get("app", "/find/app.internal").ok()?;
        (answer.text() == only).then_some(())
    });
}

#[test]
fn an_app_is_found_by_those_that_it_allows_and_by_nobody_else() {
    let server = Server::start();
    let folder = sources::asker();
    for app in ["friend", "stranger"] {
        server.deploy(app, folder.path()).ok();
    }
    let private = "[private]\nallow = [\"friend\"]\nonly = true\n";
    let manifest = format!("{}{private}", sources::WATCHED_BRIEFLY);
    sources::write(folder.path(), "paas.toml", &manifest);
    let told = server.deploy("vault", folder.path());
    says(&told.ok(), &["containers of vault and friend find it as vault.internal"]);
    until("a friend is answered", || {
        (server.page("friend", "/ask/vault.internal/8080/") == "web.1").then_some(())
    });
    let address = server.page("friend", "/find/vault.internal");
    assert!(address.starts_with("198.18."), "{address}");
    assert_eq!(server.page("stranger", "/find/vault.internal"), "ENOTFOUND");
    assert_eq!(server.page("stranger", &format!("/ask/{address}/8080/")), "ECONNRESET");
    assert_eq!(server.get("vault", "/").status, 404);
}

//! Which releases stay: the newest, as many as the app says, and those that somebody pinned, over the
//! real sweep.

use crate::{
    docker,
    server::{Server, Setup, says, until},
    sources,
};

fn versions(server: &Server) -> Vec<String> {
    let releases = server.paas(&["releases", "-a", "shop", "--json"]).json();
    let shown = |one: &serde_json::Value| {
        format!("{} {}", one["version"].as_str().unwrap(), one["kept"].as_str().unwrap_or("-"))
    };
    releases.as_array().unwrap().iter().map(shown).collect()
}

fn until_are(server: &Server, expected: &[&str]) {
    until(&format!("{expected:?} stay"), || (versions(server) == expected).then_some(()));
}

#[test]
fn a_pinned_release_can_be_gone_back_to_however_many_came_after_it() {
    let settings = vec![("PAAS_UNDELETE_FOR", "1h".to_owned())];
    let mut server = Server::starting(Setup { settings, ..Setup::default() });
    server.until_ready();
    server.deploy("shop", sources::server("first").path()).ok();
    server.paas(&["secrets", "set", "API_KEY=of-the-first", "-a", "shop"]).ok();
    let pinned = server.paas(&["releases", "pin", "2", "--note", "before it all", "-a", "shop"]);
    says(&pinned.ok(), &["v2 of shop stays", "paas rollback v2 -a shop"]);
    server.paas(&["secrets", "set", "API_KEY=later", "-a", "shop"]).ok();

    // The app keeps fewer than the server would. The last release serves long after its build, and only then
    // can go what served before the one before it.
    let folder = sources::folder(&[]);
    for (number, release) in [(4, "true"), (5, "true"), (6, "true"), (7, "sleep 8")] {
        let deploy = format!("[deploy]\nkeep = 2\nwatch = \"200ms\"\nrelease = \"{release}\"\n");
        sources::write(folder.path(), "paas.toml", &deploy);
        sources::write(folder.path(), "index.html", &format!("page {number}"));
        server.deploy("shop", folder.path()).ok();
    }
    until_are(&server, &["v7 serves", "v6 before", "v2 pinned"]);
    until("only their images are left", || {
        let images = docker::images(&server.installation());
        (images.iter().filter(|image| image.contains("shop")).count() == 3).then_some(())
    });
    let listed = server.paas(&["releases", "-a", "shop"]).ok();
    says(&listed, &["STAYS", "served before", "pinned by", "before it all"]);
    let refused = server.paas(&["releases", "pin", "v1", "-a", "shop"]).ended(1);
    says(&refused, &["v1 of shop was not pinned", "not any more", "paas releases -a shop"]);
    server.paas(&["rollback", "v1", "-a", "shop"]).ended(1);

    // Whatever happens to the app and its daemon.
    server.paas(&["destroy", "--confirm", "shop"]).ok();
    server.kill9();
    server.start_again(&[]);
    server.until_ready();
    server.paas(&["undelete", "shop"]).ok();
    until("it serves again", || (server.get("shop", "/").status == 200).then_some(()));
    says(&server.paas(&["releases", "-a", "shop"]).ok(), &["before it all"]);
    server.paas(&["rollback", "v2", "-a", "shop"]).ok();
    server.until_page("shop", "first\n");
    assert_eq!(server.page("shop", "/env/API_KEY"), "of-the-first");

    let unpinned = server.paas(&["releases", "unpin", "v2", "-a", "shop"]).ok();
    says(&unpinned, &["v2 of shop is not pinned"]);
    says(&server.paas(&["events", "-a", "shop"]).ok(), &["v2 is not pinned any more"]);
}

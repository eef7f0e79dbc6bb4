//! Uploads of folders that the server has most of already.

use std::fs;

use crate::{
    server::{Server, says, until},
    sources,
};

#[test]
fn only_what_changed_is_sent_and_all_of_it_is_served() {
    let mut server = Server::start();
    let folder = sources::folder(&[("assets/same.txt", "the same"), ("index.html", "round 0")]);
    let mut rounds = 0;
    let mut deploy = |server: &Server| {
        rounds += 1;
        let page = format!("round {rounds}");
        sources::write(folder.path(), "index.html", &page);
        let said = server.deploy("site", folder.path()).ok();
        server.until_page("site", &page);
        assert_eq!(server.page("site", "/assets/same.txt"), "the same");
        said
    };
    assert!(!deploy(&server).contains("of them sent"), "nothing is known yet");
    // A file counts once it has lain still for a moment.
    until("one of two files is enough", || {
        deploy(&server).contains("1 of them sent").then_some(())
    });

    // A daemon that died had what it said it had.
    server.kill9();
    server.start_again(&[]);
    server.until_ready();
    says(&deploy(&server), &["2 files, ", "1 of them sent"]);

    // What it has lost is sent again, without a word.
    fs::remove_dir_all(server.data().join("apps/site/uploads")).unwrap();
    let said = deploy(&server);
    assert!(!said.contains("of them sent") && !said.contains("error"), "{said}");
    says(&deploy(&server), &["1 of them sent"]);

    // All files are named, and that they are what serves is known before anything is built.
    let same = until("both files are known", || {
        let said = server.deploy("site", folder.path()).ok();
        said.contains("0 of them sent").then_some(said)
    });
    says(&same, &["no changes"]);
}

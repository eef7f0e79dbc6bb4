//! What is left on the disk: twenty deploys leave as much as the first few, and what builds keep for
//! later ones is bounded.

use std::{fs, path::Path, process::Command};

use crate::{
    server::{Server, Setup, says, until},
    sources,
};

fn site(text: &str) -> tempfile::TempDir {
    sources::folder(&[("index.html", text)])
}

/// Bytes and entries below a folder.
fn weight(folder: &Path) -> (u64, usize) {
    let found = Command::new("find").arg(folder).args(["-printf", "%b\n"]).output().unwrap();
    let text = String::from_utf8(found.stdout).unwrap();
    let blocks = text.lines().map(|line| line.parse::<u64>().unwrap());
    (blocks.sum::<u64>() * 512, text.lines().count())
}

/// How many images of a repository are the server's.
fn images(server: &Server, repository: &str) -> usize {
    let reference = format!("reference={repository}:{}-*", server.installation());
    let filters = ["images", "--quiet", "--filter", &reference];
    let listed = Command::new("docker").args(filters).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().lines().count()
}

#[test]
fn twenty_deploys_leave_the_disk_as_it_was() {
    let settings = vec![("PAAS_RELEASES_KEPT", "3".to_owned())];
    let server = Server::starting(Setup { settings, ..Setup::default() });
    server.until_ready();
    let apps = server.data().join("apps");
    let images = || images(&server, "paas/site");
    let settled = |last: &str| {
        server.until_runs("site", &["web.1"]);
        assert_eq!(server.page("site", "/"), last);
        until("only images of kept releases are left", || (images() == 3).then_some(()));
        // Beside it stands the list of what is in it, which the next upload may refer to.
        let entries = || fs::read_dir(apps.join("site/uploads")).unwrap().flatten();
        let sources = || entries().filter(|entry| entry.path().is_dir()).count();
        until("only the last source is left", || (sources() == 1).then_some(()));
        weight(&apps)
    };
    for number in 0..5 {
        server.deploy("site", site(&format!("first {number}")).path()).ok();
    }
    let before = settled("first 4");
    for number in 0..20 {
        server.deploy("site", site(&format!("later {number}")).path()).ok();
    }
    let after = settled("later 19");
    assert_eq!(after.1, before.1, "files and folders");
    assert!(after.0 <= before.0 + (64 << 10), "{before:?} {after:?}");
    let kept = server.paas(&["releases", "-a", "site", "--json"]).json();
    assert_eq!(kept.as_array().unwrap().len(), 3);
    server.paas(&["rollback", "-a", "site"]).ok();
    server.until_page("site", "later 18");
}

#[test]
fn what_builds_keep_is_bounded_and_shown() {
    let settings = vec![
        ("PAAS_CACHE_PER_APP", "8m".to_owned()),
        ("PAAS_CACHE", "16m".to_owned()),
        ("PAAS_TOOLCHAIN_CACHE", "100g".to_owned()),
    ];
    let mut server = Server::starting(Setup { settings, ..Setup::default() });
    server.until_ready();
    let shown = || server.info().filter(|info| !info["kept"].is_null());
    until("what builds keep is known", shown);
    says(&server.paas(&["status"]).ok(), &["Builds keep", "of toolchains"]);
    // Too much for one app: gone after its build, and what it made serves.
    let folder = site("large");
    fs::write(folder.path().join("large.bin"), vec![7; 12 << 20]).unwrap();
    server.deploy("large", folder.path()).ok();
    until("it is given back", || (kept_of(&server, "large") < 1 << 20).then_some(()));
    assert_eq!(server.page("large", "/"), "large");
    // Too much for all together: the one that was not built for longest goes.
    for app in ["one", "two", "three"] {
        let folder = site(app);
        fs::write(folder.path().join("data.bin"), vec![7; 6 << 20]).unwrap();
        server.deploy(app, folder.path()).ok();
    }
    server.kill9();
    server.start_again(&[]);
    server.until_ready();
    until("the oldest is given back", || (kept_of(&server, "one") < 1 << 20).then_some(()));
    assert!(kept_of(&server, "three") > 6 << 20);
    // And is built again like any other.
    server.deploy("one", site("again").path()).ok();
    assert_eq!(server.page("one", "/"), "again");
}

fn kept_of(server: &Server, app: &str) -> u64 {
    weight(&server.data().join("apps").join(app).join("workspace")).0
}

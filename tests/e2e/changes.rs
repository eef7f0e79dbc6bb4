//! Changing what runs: numbers, config, releases.

use crate::{
    server::{Server, says, until},
    sources,
    traffic::Traffic,
};

#[test]
fn scaling_sets_adds_takes_away_and_stops() {
    let server = Server::start();
    let folder = sources::server("many");
    sources::write(folder.path(), "Procfile", "web: exec node app.js\nclock: sleep infinity\n");
    server.deploy("app", folder.path()).ok();
    server.until_runs("app", &["clock.1", "web.1"]);
    let traffic = Traffic::to(&server, "app");
    server.paas(&["scale", "web=3", "clock=0", "-a", "app"]).ok();
    server.until_runs("app", &["web.1", "web.2", "web.3"]);
    let mut hosts = std::collections::BTreeSet::new();
    until("all three answer", || {
        hosts.insert(server.page("app", "/who"));
        (hosts.len() == 3).then_some(())
    });
    server.paas(&["scale", "web-2", "-a", "app"]).ok();
    server.until_runs("app", &["web.1"]);
    server.paas(&["ps:scale", "web+1", "-a", "app"]).ok();
    server.until_runs("app", &["web.1", "web.2"]);
    assert_eq!(traffic.all_were_answered(), ["many\n"]);

    // The server remembers it over a deploy.
    sources::write(folder.path(), "new.txt", "a change");
    server.deploy("app", folder.path()).ok();
    server.until_runs("app", &["web.1", "web.2"]);

    server.paas(&["scale", "web=0", "-a", "app"]).ok();
    until("nothing runs", || server.containers().is_empty().then_some(()));
    let stopped = server.get("app", "/");
    assert_eq!(stopped.status, 503);
    says(&stopped.text(), &["scale"]);
    assert_eq!(server.paas(&["apps", "--json"]).json()[0]["state"], "stopped");
    server.paas(&["scale", "web=1", "-a", "app"]).ok();
    server.until_runs("app", &["web.1"]);
    server.until_page("app", "many\n");

    let told = server.paas(&["scale", "wbe=1", "-a", "app"]).ended(1);
    says(&told, &["error:", "wbe", "hint:"]);
    server.paas(&["scale", "web", "-a", "app"]).ended(2);
    server.paas(&["scale", "web=100000", "-a", "app"]).ended(2);
}

#[test]
fn a_rollback_restores_code_and_config_and_a_restart_neither() {
    let server = Server::start();
    server.deploy("app", sources::server("one").path()).ok();
    says(&server.paas(&["config", "set", "COLOUR=red", "-a", "app"]).ok(), &["done, v2"]);
    server.deploy("app", sources::server("two").path()).ok();
    server.paas(&["config", "set", "COLOUR=blue", "-a", "app"]).ok();
    let state = || (server.page("app", "/"), server.page("app", "/env/COLOUR"));
    assert_eq!(state(), ("two\n".to_owned(), "blue".to_owned()));

    let traffic = Traffic::to(&server, "app");
    let before = server.page("app", "/who");
    says(&server.paas(&["restart", "-a", "app"]).ok(), &["Restarting app... done"]);
    assert_ne!(server.page("app", "/who"), before);
    assert_eq!(state(), ("two\n".to_owned(), "blue".to_owned()));

    says(&server.paas(&["rollback", "-a", "app"]).ok(), &["done, v5"]);
    assert_eq!(state(), ("two\n".to_owned(), "red".to_owned()));
    says(&server.paas(&["rollback", "v2", "-a", "app"]).ok(), &["done, v6"]);
    assert_eq!(state(), ("one\n".to_owned(), "red".to_owned()));
    server.paas(&["rollback", "1", "-a", "app"]).ok();
    assert_eq!(server.get("app", "/env/COLOUR").status, 404);
    let pages = traffic.all_were_answered();
    assert_eq!(pages, ["two\n", "one\n"]);

    let releases = server.paas(&["releases", "-a", "app", "--json"]).json();
    let versions: Vec<_> = releases.as_array().unwrap().iter().map(|one| &one["version"]).collect();
    assert_eq!(versions, ["v7", "v6", "v5", "v4", "v3", "v2", "v1"]);
    assert_eq!(releases[0]["current"], true);
    let told = server.paas(&["rollback", "v99", "-a", "app"]).ended(1);
    says(&told, &["error:", "v99", "hint:", "paas releases"]);
}

/// Values that shells, files, JSON and environments like to spoil.
const VALUES: &[(&str, &str)] = &[
    ("EMPTY", ""),
    ("DOLLAR", "$HOME ${PATH} $$ $(id) `id`"),
    ("QUOTES", "'single' \"double\" '\\'' \\\""),
    ("NEWLINES", "first\nsecond\r\n\n"),
    ("SPACES", "  leading and trailing  "),
    ("TABS", "\t\u{b}\u{c}"),
    ("UNICODE", "grüße 日本語 🦀 e\u{301} \u{202e}"),
    ("EQUALS", "=a=b=="),
    ("HASH", "before # after"),
    ("BACKSLASHES", "\\n \\\\ \\x41 C:\\dir\\"),
    ("CONTROL", "\u{1}\u{1b}[31m\u{7f}"),
    ("PERCENT", "100%20%s%n"),
    ("JSON", r#"{"a": ["b", null]}"#),
    ("DASHES", "--file=x -a other"),
    ("lower_case1", "names are free, too"),
];

#[test]
fn config_reaches_the_app_byte_for_byte() {
    let server = Server::start();
    server.deploy("app", sources::server("config").path()).ok();

    // By arguments, all at once: one release.
    let mut arguments: Vec<String> = vec!["config:set".into(), "-a".into(), "app".into()];
    arguments.extend(VALUES.iter().map(|(name, value)| format!("{name}={value}")));
    let long = "x".repeat(20_000) + "$'\"";
    arguments.push(format!("LONG={long}"));
    says(&server.paas(&arguments).ok(), &["Setting 16 values and restarting app... done, v2"]);
    all_arrived(&server, &long);

    // Out as a file that a shell reads, and in again.
    let listed = server.paas(&["config", "--shell", "-a", "app"]).stdout;
    let file = server.home().join("config.env");
    std::fs::write(&file, &listed).unwrap();
    let names: Vec<&str> = VALUES.iter().map(|(name, _)| *name).chain(["LONG"]).collect();
    let unset = [&["config", "unset", "-a", "app"], names.as_slice()].concat();
    server.paas(&unset).ok();
    assert!(names.iter().all(|name| server.get("app", &format!("/env/{name}")).status == 404));
    server.paas(&["config", "import", "-a", "app", &file.display().to_string()]).ok();
    all_arrived(&server, &long);
    says(
        &server.paas(&["config", "import", "-a", "app", &file.display().to_string()]).ok(),
        &["no change"],
    );
    // The same by JSON, and one value from a file.
    std::fs::write(&file, server.paas(&["config", "--json", "-a", "app"]).stdout).unwrap();
    says(
        &server.paas(&["config", "import", "-a", "app", &file.display().to_string()]).ok(),
        &["no change"],
    );

    for (name, why) in
        [("PORT", "platform"), ("PAAS_X", "platform"), ("1A", "digit"), ("A-B", "letters")]
    {
        let told = server.paas(&["config", "set", &format!("{name}=x"), "-a", "app"]);
        assert_ne!(told.code, 0);
        says(&told.stderr, &["error:", name, why]);
    }
    let told = server.paas(&["config", "get", "UNICODES", "-a", "app"]).ended(1);
    says(&told, &["did you mean `UNICODE`?"]);
}

#[track_caller]
fn all_arrived(server: &Server, long: &str) {
    for (name, value) in VALUES.iter().copied().chain([("LONG", long)]) {
        assert_eq!(server.page("app", &format!("/env/{name}")), value, "{name} in the app");
        let raw = server.paas(&["config", "get", "--raw", name, "-a", "app"]);
        assert_eq!((raw.stdout.as_str(), raw.code), (value, 0), "{name} by `config get`");
    }
}

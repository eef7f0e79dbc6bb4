//! The client's promises to scripts: exit codes, data on stdout and talk on stderr, `--json`.

use crate::{
    server::{Server, run, says},
    sources,
};

#[test]
fn commands_keep_their_promises_to_scripts() {
    let server = Server::start();
    let folder = sources::server("script");

    // A folder that is no app yet: launch makes one, notes it, and deploys.
    let mut launch = server.command(&["launch", "-a", "shop"]);
    let launched = run(launch.current_dir(folder.path()));
    let url = format!("http://shop.localhost:{}", server.edge());
    assert_eq!(launched.stdout.trim().trim_end_matches('/'), url);
    launched.ok();
    let manifest = std::fs::read_to_string(folder.path().join("paas.toml")).unwrap();
    says(&manifest, &["app = \"shop\""]);
    let mut ps = server.command(&["ps"]);
    says(&run(ps.current_dir(folder.path())).ok(), &["web.1", "v1", "running", "ready"]);

    // Reads: data on stdout, nothing on stderr, JSON that parses.
    for read in [
        &["apps"] as &[&str],
        &["status"],
        &["ps", "-a", "shop"],
        &["releases", "-a", "shop"],
        &["events", "-a", "shop"],
        &["builds", "-a", "shop"],
        &["scale", "-a", "shop"],
        &["describe", "web.1", "-a", "shop"],
    ] {
        let plain = server.paas(read);
        assert_eq!((plain.code, plain.stderr.as_str()), (0, ""), "{read:?}: {}", plain.stderr);
        assert!(!plain.stdout.is_empty() && !plain.stdout.contains('\u{1b}'), "{read:?}");
        let json = server.paas(&[read, &["--json"]].concat());
        assert_eq!(json.stderr, "", "{read:?}");
        json.json();
    }
    server.paas(&["config", "set", "KEY=value", "-a", "shop"]).ok();
    assert_eq!(server.paas(&["config", "get", "KEY", "-a", "shop"]).stdout, "value\n");
    assert_eq!(server.paas(&["config", "--json", "-a", "shop"]).json()["values"]["KEY"], "value");
    let quiet = server.paas(&["restart", "-q", "-a", "shop"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str(), quiet.code), ("", "", 0));

    // What is wrong in a folder that is no app yet is said before one is made.
    for (manifest, told) in
        [("name = \"blog\"", "did you mean `app`?"), ("app = \"blog\"\n[process.web", "line 2")]
    {
        let wrong = sources::folder(&[("index.html", "hi"), ("paas.toml", manifest)]);
        let deployed = server.paas(&["deploy", wrong.path().to_str().unwrap()]).ended(1);
        says(&deployed, &["paas.toml", told]);
        assert_eq!(server.paas(&["apps", "--json"]).json().as_array().unwrap().len(), 1);
    }

    // Failures: nothing on stdout, the reason on stderr, and the code that says whose fault.
    for (wrong, code, told) in [
        (&["delpoy"] as &[&str], 2, "deploy"),
        (&["ps", "-a", "../etc"], 2, "../etc"),
        (&["ps"], 2, "which app?"),
        (&["logs", "-n", "many", "-a", "shop"], 2, "many"),
        (&["ps", "-a", "shpo"], 1, "did you mean `-a shop`?"),
        (&["releases", "-a", "nobody"], 1, "nobody"),
        (&["describe", "web.9", "-a", "shop"], 1, "web.9"),
        (&["apps", "create", "shop"], 1, "shop"),
        (&["deploy", "/nowhere", "-a", "shop"], 1, "/nowhere"),
        (&["status", "--context", "nobody"], 1, "nobody"),
    ] {
        let output = server.paas(wrong);
        assert_eq!(output.code, code, "{wrong:?}: {}", output.stderr);
        assert_eq!(output.stdout, "", "{wrong:?}");
        says(&output.stderr, &["error:", told]);
    }
    assert_eq!(server.paas(&["--help"]).stderr, "");
    assert_eq!(server.paas(&["--version"]).stdout, format!("paas {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        let script = server.paas(&["completion", shell]);
        assert!(script.code == 0 && script.stdout.contains("paas"), "{shell}");
    }
    // A reader that has seen enough is no failure.
    let mut head = std::process::Command::new("bash");
    let pipe = "set -o pipefail; \"$0\" events -a shop | head -n 1";
    head.args(["-c", pipe, env!("CARGO_BIN_EXE_paas")]);
    head.env("PAAS_URL", format!("unix:{}", server.socket().display()));
    run(&mut head).ok();
}

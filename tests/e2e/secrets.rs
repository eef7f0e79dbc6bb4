//! Secrets: delivered, released, rolled back and rotated, and then looked for everywhere.
//!
//! The search is tried on a plain variable first, which it must find, so that it can fail.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

use crate::{
    docker,
    server::{Server, run, says, until},
    sources,
};

/// Answers with the digest of the variable that the path names, and has told one to its log before.
const APP: &str = r"
const crypto = require('node:crypto');
const told = process.env.CANARY;
console.log('the token is ' + told + '!');
console.log(JSON.stringify({ basic: Buffer.from('me:' + told).toString('base64') }));
require('node:http').createServer((request, response) => {
  const value = process.env[request.url.slice(1)] ?? '';
  response.end(crypto.createHash('sha256').update(value).digest('hex'));
}).listen(PORT, '0.0.0.0');";

/// A build that is given a secret and prints it, and is not given the other.
const PACKAGE: &str = r#"{"name":"app","version":"1.0.0","private":true,"scripts":{
  "start":"exec node app.js",
  "build":"echo built with $BUILDS and [$CANARY]"
}}"#;

const MANIFEST: &str = r#"
[build]
secrets = ["BUILDS"]
[secrets]
required = ["CANARY"]
generate = ["MADE"]
[files]
"/etc/app/canary" = "CANARY"
"#;

const BUILDS: &str = "canary-Jq9Xc5uD3-builds";
const FIRST: &str = "canary-7Qx0vN2kT9-first\nand its second line 4fTz81";
const SECOND: &str = "canary-Zp3LmW8rB1-second";
const PLAIN: &str = "plain-canary-Hs5Jd6";

#[test]
fn a_secret_reaches_its_app_and_nothing_else() {
    let mut server = Server::start();
    let aside = sources::folder(&[("first", FIRST), ("second", SECOND), ("builds", BUILDS)]);
    let at = |name: &str| aside.path().join(name).display().to_string();
    server.api("POST", "/v1/apps", br#"{"name":"app"}"#);
    let folder = sources::node(APP);
    sources::write(folder.path(), "package.json", PACKAGE);
    sources::write(folder.path(), "paas.toml", MANIFEST);
    let told = server.deploy("app", folder.path()).ended(1);
    says(&told, &["asks for secrets", "BUILDS CANARY", "hint: set them: `paas secrets set BUILDS"]);
    let (first, builds) = (format!("CANARY=@{}", at("first")), format!("BUILDS=@{}", at("builds")));
    server.paas(&["secrets", "set", &first, &builds, "-a", "app"]).ok();
    server.paas(&["config", "set", &format!("PLAIN={PLAIN}"), "-a", "app"]).ok();
    says(&server.deploy("app", folder.path()).ok(), &["built with [BUILDS] and []"]);
    answers(&server, "CANARY", FIRST);
    answers(&server, "PLAIN", PLAIN);
    let logs = || server.paas(&["logs", "-a", "app", "-n", "1000"]).ok();
    until("what it wrote is kept", || logs().contains("basic").then_some(()));
    says(&logs(), &["the token is [CANARY]", "[CANARY]!", "\"basic\":\""]);

    // A change is a release; a name is a secret or config, and says how to become the other.
    let told = server.paas(&["config", "set", "CANARY=x", "-a", "app"]).ended(1);
    says(&told, &["CANARY is a secret", "hint: `paas secrets set CANARY -a app`"]);
    let told = server.paas(&["secrets", "set", "PLAIN=x", "-a", "app"]).ended(1);
    says(&told, &["PLAIN is in the app's config", "paas secrets set PLAIN --from-config"]);
    let listed = || server.paas(&["secrets", "-a", "app", "--json"]).json();
    assert_eq!(listed().as_array().unwrap().len(), 3, "one was made");
    let digest = || listed()[1]["digest"].to_string();
    let first = digest();
    let second = format!("CANARY=@{}", at("second"));
    let staged = server.paas(&["secrets", "set", &second, "--stage", "-a", "app"]).ok();
    says(&staged, &["staged", "paas config apply"]);
    says(&server.paas(&["config", "-a", "app"]).ok(), &["Staged for the next release: CANARY"]);
    answers(&server, "CANARY", FIRST);
    says(&server.paas(&["config", "apply", "-a", "app"]).ok(), &["done, v2"]);
    answers(&server, "CANARY", SECOND);
    assert_ne!(digest(), first);
    server.paas(&["rollback", "-a", "app"]).ok();
    answers(&server, "CANARY", FIRST);
    says(&server.paas(&["releases", "-a", "app"]).ok(), &["Set CANARY"]);
    let beside = server.paas(&["exec", "-a", "app", "--", "printenv", "CANARY"]).ok();
    assert_eq!(beside, format!("{FIRST}\n"), "a program beside it has it too");
    let alone = server.paas(&["run", "-a", "app", "--", "printenv", "CANARY"]).ok();
    assert_eq!(alone, format!("{FIRST}\n"), "and one in a container of its own");
    until("what that one has read is taken away", || {
        let places = handed(&server).into_iter().filter_map(|place| fs::read_dir(place).ok());
        let mut runs = places
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().contains(".run."));
        (!runs.any(|entry| entry.path().join("environment").exists())).then_some(())
    });
    for verb in ["exec", "run"] {
        let file = server.paas(&[verb, "-a", "app", "--", "cat", "/etc/app/canary"]).ok();
        assert_eq!(file, FIRST, "paas {verb}");
    }

    rotation_may_be_cut_anywhere(&mut server);
    as_after_a_reboot(&mut server);
    until("there is an export", || {
        fs::read_dir(server.data().join("store/exports")).ok()?.next().map(drop)
    });

    let found = places(&server, &[PLAIN]);
    for place in ["data folder", "description", "API"] {
        assert!(found.iter().any(|one| one.contains(place)), "{place} is not searched: {found:?}");
    }
    let canaries: Vec<&str> = FIRST.lines().chain([SECOND, BUILDS]).collect();
    assert_eq!(places(&server, &canaries), Vec::<String>::new());
    let told = server.paas(&["secrets", "unset", "CANARY", "-a", "app"]).ended(1);
    says(&told, &["the file /etc/app/canary is made of CANARY, which is not set", "hint: `paas"]);
    answers(&server, "CANARY", FIRST);
    sources::write(folder.path(), "paas.toml", "[build]\nsecrets = [\"BUILDS\"]\n");
    server.deploy("app", folder.path()).ok();
    answers(&server, "CANARY", "");
}

#[track_caller]
fn answers(server: &Server, name: &str, value: &str) {
    assert_eq!(server.page("app", &format!("/{name}")), hex::encode(Sha256::digest(value)));
}

fn rotation_may_be_cut_anywhere(server: &mut Server) {
    let keys = |server: &Server| {
        let text = fs::read_to_string(server.data().join("keys/sealing.key")).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let before = keys(server);
    for point in paas::faults::SEALING {
        server.kill9();
        server.start_again(&[("PAAS_FAULT", point)]);
        server.paas(&["secrets", "rotate"]).ended(1);
        server.ended();
        assert_eq!(keys(server).len(), 2, "{point}: both open what is sealed");
        server.start_again(&[]);
        assert_eq!(
            keys(server).len(),
            1,
            "{point}: the rest is sealed anew, and the old key is gone"
        );
    }
    assert_ne!(keys(server), before);
    says(&server.paas(&["secrets", "rotate"]).ok(), &["done, 4 records"]);
    says(&server.paas(&["events", "-a", "app"]).ok(), &["The sealing key was rotated"]);
}

/// Docker starts no container by itself then, and memory is empty.
fn as_after_a_reboot(server: &mut Server) {
    server.kill9();
    for container in server.containers() {
        docker::ask("POST", &format!("/v1.41/containers/{}/kill", container.id));
    }
    for place in handed(server) {
        fs::remove_dir_all(place).ok();
    }
    server.start_again(&[]);
    server.until_runs("app", &["web.1"]);
    answers(server, "CANARY", FIRST);
}

/// Where this installation may have put files into memory.
fn handed(server: &Server) -> [std::path::PathBuf; 2] {
    ["/run", "/dev/shm"].map(|base| Path::new(base).join("paas").join(server.installation()))
}

/// Where one of these texts is found.
fn places(server: &Server, texts: &[&str]) -> Vec<String> {
    let has = |text: &str| texts.iter().any(|one| text.contains(one));
    let mut found = Vec::new();
    let mut note = |place: &str, is_there: bool| {
        if is_there {
            found.push(place.to_owned());
        }
    };
    note("data folder", grep(server.data(), texts));
    note("server's own log", has(&server.log()));
    for container in server.containers().into_iter().chain(server.builders()) {
        let path = format!("/v1.41/containers/{}/json", container.id);
        note("description of a container", has(&docker::ask("GET", &path).text()));
        // What an instance prints is in Docker's own log of it, beside these files.
        let kept = Path::new("/var/lib/docker/containers").join(&container.id);
        note("Docker's files of a container", grep(&kept, texts));
    }
    for image in docker::images(&server.installation()) {
        let path = format!("/v1.41/images/{image}/json");
        note("description of an image", has(&docker::ask("GET", &path).text()));
        note(&format!("layers of {image}"), in_layers(&image, texts));
    }
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        note("list of processes", has(&String::from_utf8_lossy(&line)));
    }
    let document = server.api("GET", "/v1/openapi.json", b"").json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if methods.get("get").is_some() {
            let path = path.replace("{app}", "app").replace("{number}", "1");
            let path = path.replace("{name}", "x").replace("/follow", "/follow?build=1");
            note(&format!("API {path}"), has(&server.api("GET", &path, b"").text()));
        }
    }
    found
}

/// But for what other servers have too: toolchains and base images.
fn grep(folder: &Path, texts: &[&str]) -> bool {
    let mut command = Command::new("grep");
    let aside = ["local-logs", "toolchains", "stack"].map(|name| format!("--exclude-dir={name}"));
    command.arg("-rlaF").args(aside).args(patterns(texts)).arg(folder);
    run(&mut command).code == 0
}

fn in_layers(image: &str, texts: &[&str]) -> bool {
    let mut save =
        Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn().unwrap();
    let mut grep = Command::new("grep");
    grep.arg("-caF").args(patterns(texts)).stdin(save.stdout.take().unwrap());
    let found = run(&mut grep);
    save.wait().unwrap();
    found.code == 0
}

fn patterns<'a>(texts: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    texts.iter().flat_map(|text| ["-e", *text])
}

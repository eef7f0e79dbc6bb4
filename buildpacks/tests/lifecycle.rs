//! Whole lifecycles with the real binary, real sockets and the host's node and npm.

#![allow(unused_crate_dependencies, reason = "a test uses a part of the crate's libraries")]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may")]

mod inside;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use buildpacks::agent::{Code, Contents, Phase};
use inside::{BINARY, Inside, example};

/// Starts a process of what was built, as the image's entry point does.
fn launch(inside: &Inside, kind: &str) -> (Child, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = inside.dir().join("process");
    fs::create_dir_all(&process).unwrap();
    symlink(BINARY, process.join(kind)).unwrap();
    let child = Command::new(process.join(kind))
        .env("CNB_LAYERS_DIR", &inside.roots.layers)
        .env("CNB_APP_DIR", &inside.roots.workspace)
        .env("PORT", port.to_string())
        .spawn()
        .unwrap();
    (child, port)
}

/// Waits until the process answers, and returns the answer.
fn answer(port: u16, path: &str, headers: &str) -> String {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            return text;
        }
        assert!(Instant::now() < deadline, "nothing listens on {port}");
        std::thread::yield_now();
    }
}

/// Ends a process as a deploy does; its exit code.
fn terminate(mut child: Child) -> Option<i32> {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap().code()
}

#[test]
fn an_app_without_dependencies_is_built_and_launched() {
    let mut inside = Inside::start(&example("node-hello"));
    let finished = inside.build(None);
    assert_eq!(finished.phases, [Phase::Detect, Phase::Restore, Phase::Build]);
    assert!(!finished.says("npm"), "nothing is to be installed");
    let built = finished.built();
    assert_eq!(built.default_process().unwrap().command, ["node", "app.js"]);
    assert!(
        matches!(&built.layers[1].contents, Contents::Toolchain(name) if name.starts_with("node-"))
    );
    let (child, port) = launch(&inside, "web");
    assert!(answer(port, "/", "").ends_with("Hello from node-hello!\n"));
    assert_eq!(terminate(child), Some(0));
}

#[test]
fn a_warm_build_installs_nothing_and_a_changed_lock_does() {
    let mut inside = Inside::start(&example("node-express"));
    let cold = inside.build(None);
    assert!(cold.says("$ npm ci"), "{:?}", cold.log);
    let built = cold.built();
    let modules = inside.roots.layers.join("paas_nodejs/modules");
    let kept: Vec<_> = fs::read_dir(&modules).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(kept.len(), 2, "only node_modules and the stamp: {kept:?}");
    assert!(!modules.join("node_modules/.package-lock.json").exists(), "it names the registry");

    inside.upload(&example("node-express"));
    let server = inside.roots.workspace.join("server.js");
    let text = fs::read_to_string(&server).unwrap().replace("Hello from", "Goodbye from");
    fs::write(&server, text).unwrap();
    let warm = inside.build(Some(built.remembered()));
    assert!(warm.says("used again") && !warm.says("$ npm"), "{:?}", warm.log);
    let again = warm.built();
    assert_eq!(again.layers, built.layers);
    let (child, port) = launch(&inside, "web");
    assert!(answer(port, "/", "").ends_with("Goodbye from node-express!\n"));
    assert_eq!(terminate(child), Some(0));

    inside.upload(&example("node-express"));
    let lock = inside.roots.workspace.join("package-lock.json");
    fs::write(&lock, fs::read_to_string(&lock).unwrap() + "\n").unwrap();
    assert!(inside.build(Some(again.remembered())).says("$ npm ci"));
}

#[test]
fn a_build_script_has_its_dependencies_and_pages_do_not() {
    let script = "require('express'); const fs = require('fs'); fs.mkdirSync('dist'); \
                  fs.writeFileSync('dist/index.html', 'made')";
    let upload = |inside: &Inside| {
        inside.upload(&example("node-express"));
        let app = &inside.roots.workspace;
        fs::remove_file(app.join("server.js")).unwrap();
        fs::write(app.join("make.cjs"), script).unwrap();
        let text = fs::read_to_string(app.join("package.json")).unwrap();
        let text = text.replace("\"start\": \"node server.js\"", "\"build\": \"node make.cjs\"");
        fs::write(app.join("package.json"), text).unwrap();
    };
    let mut inside = Inside::start(&example("node-express"));
    upload(&inside);
    let built = inside.build(None).built();
    let launched = built.layers.iter().filter(|it| it.launch).map(|it| it.name.as_str());
    assert_eq!(launched.collect::<Vec<_>>(), ["server"]);
    upload(&inside);
    let warm = inside.build(Some(built.remembered()));
    assert!(warm.says("used again") && !warm.says("$ npm ci"), "{:?}", warm.log);
    assert_eq!(warm.built().layers, built.layers);
}

#[test]
fn a_lock_file_that_does_not_match_is_explained() {
    let mut inside = Inside::start(&example("node-express"));
    let manifest = inside.roots.workspace.join("package.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"express\"", "\"left-pad\": \"1.3.0\", \"express\""))
        .unwrap();
    let failed = inside.build(None).failed();
    assert_eq!((failed.code, failed.phase), (Code::BuildpackBuild, Phase::Build));
    assert!(failed.reason.contains("package-lock.json does not match package.json"), "{failed:?}");
    let hint = "bring it up to date: npm install && git add package-lock.json; if that changes \
                nothing, make it anew: rm -r package-lock.json node_modules && npm install";
    assert_eq!(failed.hint.as_deref(), Some(hint));
}

#[test]
fn what_is_wrong_is_said_with_a_hint() {
    let mut inside = Inside::start(&example("node-hello"));
    let mut check = |name: &str, text: &str, code: Code, reason: &str, hint: &str| {
        inside.upload(&example("node-hello"));
        fs::write(inside.roots.workspace.join(name), text).unwrap();
        let failed = inside.build(None).failed();
        assert_eq!(failed.code, code, "{failed:?}");
        assert!(failed.reason.contains(reason), "{failed:?}");
        assert!(failed.hint.as_deref().unwrap_or_default().contains(hint), "{failed:?}");
    };
    let engines = r#"{"engines":{"node":"99"},"scripts":{"start":"node app.js"}}"#;
    check("package.json", engines, Code::BuildpackBuild, "24.21.0", "npm pkg set engines.node=26");
    check("package.json", "{", Code::BuildpackBuild, "package.json is not valid", "node -e");
    check(
        "Procfile",
        "web node",
        Code::DetectErrors,
        "Procfile line 1",
        "write one process a line",
    );
}

#[test]
fn an_app_that_nobody_knows_is_refused() {
    let empty = tempfile::tempdir().unwrap();
    let mut inside = Inside::start(empty.path());
    let failed = inside.build(None).failed();
    assert_eq!(failed.code, Code::NothingDetected);
    assert!(failed.hint.is_some());
}

#[test]
fn development_dependencies_serve_the_build_and_stay_out_of_the_image() {
    let app = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(app.path().join(name), text).unwrap();
    write("server.js", "require('ws'); console.log('started');");
    write(
        "package.json",
        r#"{"dependencies":{"ws":"8.18.0"},"devDependencies":{"left-pad":"1.3.0"},
            "scripts":{"build":"node -e \"require('left-pad'); require('fs').writeFileSync('made','')\""}}"#,
    );
    let mut inside = Inside::start(app.path());
    let built = inside.build(None).built();
    assert!(inside.roots.workspace.join("made").exists());
    let installed = |name: &str| inside.roots.workspace.join("node_modules").join(name).exists();
    assert!(installed("ws") && !installed("left-pad"));
    let launched: Vec<_> =
        built.layers.iter().filter(|it| it.launch).map(|it| it.name.as_str()).collect();
    assert_eq!(launched, ["environment", "modules", "node"]);
    inside.upload(app.path());
    assert!(!inside.build(Some(built.remembered())).says("$ npm install"));
}

#[test]
fn a_procfile_adds_and_overrides_processes() {
    let mut inside = Inside::start(&example("web-and-worker"));
    let built = inside.build(None).built();
    let kinds: Vec<_> = built.processes.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, ["web", "worker"]);
    let (child, port) = launch(&inside, "web");
    assert!(answer(port, "/", "").ends_with("Hello from the web process!\n"));
    assert_eq!(terminate(child), Some(0), "the app is process 1, not a shell");
}

#[test]
fn a_site_is_served_by_our_own_binary() {
    let mut inside = Inside::start(&example("static-site"));
    let built = inside.build(None).built();
    let process = built.default_process().unwrap();
    assert_eq!(process.command, ["static-server", "--root", "public"]);
    // In an image the launcher stands at the link's end.
    let link = inside.roots.layers.join("paas_static/server/bin/static-server");
    fs::remove_file(&link).unwrap();
    symlink(BINARY, &link).unwrap();
    let (child, port) = launch(&inside, "web");
    let page = answer(port, "/", "");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("Hello from static-site!"), "{page}");
    assert!(!page.to_lowercase().contains("last-modified"), "{page}");
    let etag = page.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().trim();
    let again = answer(port, "/", &format!("If-None-Match: {etag}\r\n"));
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    let missing = answer(port, "/nowhere", "");
    assert!(
        missing.starts_with("HTTP/1.1 404") && missing.contains("There is no such page"),
        "{missing}"
    );
    assert!(answer(port, "/../package.json", "").starts_with("HTTP/1.1 404"));
    assert!(page.contains("x-content-type-options: nosniff"), "{page}");
    assert!(answer(port, "/style.css", "").contains("max-age=3600"));
    let about = answer(port, "/about", "");
    assert!(about.starts_with("HTTP/1.1 200") && about.contains("text/html"), "{about}");
    let home = answer(port, "/home?a=b", "");
    assert!(home.starts_with("HTTP/1.1 301") && home.contains("location: /?a=b"), "{home}");
    let moved = answer(port, "/pages/about", "");
    assert!(moved.starts_with("HTTP/1.1 302") && moved.contains("location: /about"), "{moved}");
    assert!(answer(port, "/_redirects", "").starts_with("HTTP/1.1 404"));

    let site = inside.roots.workspace.join("public");
    fs::write(site.join("style.css.br"), "compressed").unwrap();
    let plain = answer(port, "/style.css", "");
    let small = answer(port, "/style.css", "Accept-Encoding: gzip, br\r\n");
    assert!(small.contains("content-encoding: br") && small.ends_with("compressed"), "{small}");
    assert!(small.contains("vary: accept-encoding") && plain.contains("vary:"), "{small}");
    let etag = |text: &str| text.lines().find(|it| it.starts_with("etag:")).map(str::to_owned);
    assert!(etag(&plain).is_some() && etag(&plain) != etag(&small), "{plain}");
    assert_eq!(terminate(child), Some(0));
}

/// A foreign buildpack in shell, of an old API, with most of what the contract has.
#[test]
fn a_foreign_buildpack_takes_the_same_path() {
    let empty = tempfile::tempdir().unwrap();
    let mut inside = Inside::start(empty.path());
    let home = inside.roots.cnb.join("buildpacks/acme_shell/1");
    fs::create_dir_all(home.join("bin")).unwrap();
    fs::write(home.join("buildpack.toml"), FOREIGN).unwrap();
    fs::write(
        inside.roots.cnb.join("order.toml"),
        "[[order]]\n[[order.group]]\nid = \"acme/shell\"\n",
    )
    .unwrap();
    script(
        &home.join("bin/detect"),
        "set -u; test -n \"$CNB_STACK_ID\"; printf '[[provides]]\\nname=\"x\"\\n[[requires]]\\nname=\"x\"\\n' > \"$2\"",
    );
    script(&home.join("bin/build"), FOREIGN_BUILD);
    let built = inside.build(None).built();
    assert_eq!(built.labels[0].value, "two");
    assert_eq!(built.store["acme/shell"]["count"], 1);
    assert_eq!(built.layers[0].contents, Contents::Folder);
    assert!(!inside.roots.layers.join("acme_shell/unused").exists(), "set aside");
    let (mut child, _) = launch(&inside, "web");
    assert_eq!(child.wait().unwrap().code(), Some(7));
    let said = fs::read_to_string(inside.roots.workspace.join("said")).unwrap();
    assert_eq!(said, "from-exec.d from-profile from-env one two\n");

    // What is restored: metadata only, contents of what is cached, and the store.
    let built = inside.build(Some(built.remembered())).built();
    assert_eq!(built.store["acme/shell"]["count"], 2);
}

const FOREIGN: &str = r#"
api = "0.8"
stray = true
[buildpack]
id = "acme/shell"
version = "1"
[[stacks]]
id = "*"
"#;

const FOREIGN_BUILD: &str = r#"
layers="$1"; plan="$3"
grep -q 'name = "x"' "$plan"
if [ -e "$layers/store.toml" ]; then
  grep -q 'kept = "yes"' "$layers/one.toml"
  ! grep -q types "$layers/one.toml"
  test -e "$layers/one/kept"
  count=2
else
  count=1
fi
mkdir -p "$layers/one/exec.d" "$layers/one/profile.d" "$layers/one/env.launch" "$layers/unused"
touch "$layers/one/kept"
printf '[types]\nlaunch = true\ncache = true\n[metadata]\nkept = "yes"\n' > "$layers/one.toml"
: > "$layers/unused.toml"
printf 'from-env' > "$layers/one/env.launch/ENV"
printf '#!/bin/sh\necho "EXECD = \\"from-exec.d\\"" >&3\n' > "$layers/one/exec.d/run"
chmod +x "$layers/one/exec.d/run"
echo 'export PROFILE=from-profile' > "$layers/one/profile.d/a.sh"
cat > "$layers/launch.toml" <<'EOF'
[[labels]]
key = "l"
value = "one"
[[labels]]
key = "l"
value = "two"
[[processes]]
type = "web"
command = "echo $EXECD $PROFILE $ENV one two > said; exit 7"
default = true
EOF
printf '[metadata]\ncount = %s\n' "$count" > "$layers/store.toml"
"#;

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\nset -e\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

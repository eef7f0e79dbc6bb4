//! Toolchains against a local mirror in the official layout, faults included, and against the
//! registries of this host.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

#[path = "supply/mirror.rs"]
mod mirror;
#[path = "supply/sites.rs"]
mod sites;

use mirror::{Mirror, Page, tar_gz};
use paas::build::toolchains::{Address, Request, Scheme, Sources, Toolchain, Toolchains};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

fn only(mirror: &Mirror) -> Sources {
    let sources = Sources { npm: Address::Absent, pypi: Address::Absent, ..Sources::official() };
    sources.mirrored(&mirror.address)
}

fn ask(toolchain: Toolchain, range: &str, scheme: Scheme) -> Request {
    Request { toolchain, range: range.into(), scheme }
}

fn node(range: &str) -> Request {
    ask(Toolchain::Node, range, Scheme::Npm)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with(".settled-")).collect()
}

#[tokio::test]
async fn node_comes_from_its_site_without_headers() {
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.publish_node("20.20.2", Page::Body);
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    let got = toolchains.provide(&node("^20")).await.unwrap();
    assert_eq!(got.version, "20.20.2");
    assert_eq!(got.path, dir.path().join("node-20.20.2"));
    assert!(got.path.join("bin/node").is_file());
    assert!(!got.path.join("include").exists());
    assert_eq!(names(dir.path()), ["node-20.20.2"]);
}

#[tokio::test]
async fn requests_at_once_share_one_fetch() {
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.publish_node("20.20.2", Page::Body);
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    let mut asks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let toolchains = toolchains.clone();
        asks.spawn(async move { toolchains.provide(&node("20")).await });
    }
    for got in asks.join_all().await {
        assert_eq!(got.unwrap().version, "20.20.2");
    }
    assert_eq!(mirror.hits(&Mirror::node_archive("20.20.2")), 1);
}

type Fault = fn(Vec<u8>) -> Page;

#[tokio::test]
async fn a_damaged_download_leaves_nothing() {
    let spoil = |mut body: Vec<u8>| {
        let middle = body.len() / 2;
        body[middle] ^= 1;
        Page::Body(body)
    };
    let faults: [(Fault, &str); 2] =
        [(spoil, "published checksum"), (Page::Truncated, "could not be read")];
    for (fault, expected) in faults {
        let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
        mirror.publish_node("20.20.2", fault);
        let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
        let error = toolchains.provide(&node("20")).await.unwrap_err();
        assert!(error.because.contains(expected), "{error}");
        assert!(names(dir.path()).is_empty());
        // The same shelf recovers as soon as the site does.
        mirror.publish_node("20.20.2", Page::Body);
        toolchains.provide(&node("20")).await.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_version_names_the_nearest() {
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.publish_node("20.20.2", Page::Body);
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    let error = toolchains.provide(&node("^19")).await.unwrap_err();
    assert_eq!(error.nearest, ["20.20.2"]);
    assert_eq!(error.what, "no node ^19 can be had");
}

#[tokio::test]
async fn a_silent_site_is_noticed_once_and_remembered() {
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.put("/node/index.json", Page::Silent);
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    let error = toolchains.provide(&node("20")).await.unwrap_err();
    assert!(error.because.contains("did not answer"), "{error}");
    // Not a timing assertion about work: without the memory this would be another three seconds.
    let request = node("20");
    let again = tokio::time::timeout(Duration::from_secs(2), toolchains.provide(&request));
    let error = again.await.expect("remembered").unwrap_err();
    assert!(error.because.contains("a moment ago"), "{error}");
}

#[tokio::test]
async fn what_is_on_the_shelf_serves_when_no_site_answers() {
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.publish_node("20.20.2", Page::Body);
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    toolchains.provide(&node("20")).await.unwrap();
    while !dir.path().join(".settled-node-20.20.2").exists() {
        tokio::task::yield_now().await;
    }
    mirror.put("/node/index.json", Page::Silent);
    let reopened = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    assert_eq!(reopened.provide(&node("^20")).await.unwrap().version, "20.20.2");
}

#[tokio::test]
async fn portable_python_comes_from_its_latest_release() {
    use sha2::{Digest, Sha256};
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let tar = tar_gz(&[("python/bin/python3.12", "elf"), ("python/share/man/x", "")]);
    let file = format!("cpython-3.12.11+20260101-{triple}-install_only_stripped.tar.gz");
    let sums = format!("{}  {file}\n", hex::encode(Sha256::digest(&tar)));
    let prefix = format!("{}/assets", mirror.address);
    let latest = format!(r#"{{"version":1,"tag":"20260101","asset_url_prefix":"{prefix}"}}"#);
    mirror.put("/python/latest-release.json", Page::Body(latest.into()));
    mirror.put("/assets/SHA256SUMS", Page::Body(sums.into()));
    mirror.put(&format!("/assets/{}", file.replace('+', "%2B")), Page::Body(tar));
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    let python = |range| ask(Toolchain::Python, range, Scheme::Pep440);
    let got = toolchains.provide(&python(">=3.10,<3.13")).await.unwrap();
    assert_eq!(got.version, "3.12.11");
    assert!(got.path.join("bin/python3.12").is_file());
    let error = toolchains.provide(&python("==3.8.*")).await.unwrap_err();
    assert_eq!(error.nearest, ["3.13", "3.12.11"]);
}

#[tokio::test]
async fn portable_ruby_comes_from_the_list_of_its_releases() {
    use sha2::{Digest, Sha256};
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    let machine = if cfg!(target_arch = "aarch64") { "arm64_linux" } else { "x86_64_linux" };
    let tar = tar_gz(&[("ruby-3.4.7/bin/ruby", "elf"), ("ruby-3.4.7/share/ri/x", "")]);
    let digest = hex::encode(Sha256::digest(&tar));
    let asset = |name: &str| {
        let url = format!("{}/assets/{name}", mirror.address);
        format!(r#"{{"name":"{name}","browser_download_url":"{url}","digest":"sha256:{digest}"}}"#)
    };
    let file = format!("ruby-3.4.7.{machine}.tar.gz");
    let other = "ruby-3.5.0.macos.tar.gz";
    let releases = format!(r#"[{{"assets":[{},{}]}}]"#, asset(other), asset(&file));
    mirror.put("/ruby/releases?per_page=100", Page::Body(releases.into()));
    mirror.put(&format!("/assets/{file}"), Page::Body(tar));
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    let ruby = |range| ask(Toolchain::Ruby, range, Scheme::Pep440);
    let got = toolchains.provide(&ruby(">=3.4.1,<3.5")).await.unwrap();
    assert_eq!(got.version, "3.4.7");
    assert!(got.path.join("bin/ruby").is_file() && !got.path.join("share").exists());
    let error = toolchains.provide(&ruby(">=3.5")).await.unwrap_err();
    assert_eq!(error.nearest, ["3.3.8", "3.4.7"]);
}

#[tokio::test]
async fn rust_is_put_together_from_the_parts_of_its_manifest() {
    use sha2::{Digest, Sha256};
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut manifest = "[pkg.rust]\nversion = \"1.99.1 (abc 2026-10-13)\"\n".to_owned();
    for (part, file) in
        [("rustc", "bin/rustc"), ("cargo", "bin/cargo"), ("rust-std", "lib/rustlib/x.rlib")]
    {
        let archive = tar_gz(&[(&format!("{part}-1.99.1-{triple}/{part}/{file}"), "elf")]);
        let (name, hash) = (format!("{part}.tar.gz"), hex::encode(Sha256::digest(&archive)));
        let target = format!("[pkg.{part}.target.{triple}]\nhash = \"{hash}\"");
        let url = format!("url = \"https://elsewhere.test/dist/{name}\"");
        manifest = [manifest, target, url, String::new()].join("\n");
        mirror.put(&format!("/rust/{name}"), Page::Body(archive));
    }
    for version in ["stable", "1.99.1"] {
        let page = Page::Body(manifest.clone().into());
        mirror.put(&format!("/rust/channel-rust-{version}.toml"), page);
    }
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    let rust = |range, scheme| ask(Toolchain::Rust, range, scheme);
    let got = toolchains.provide(&rust("1.80", Scheme::Minimum)).await.unwrap();
    assert_eq!(got.version, "1.99.1");
    for file in ["bin/rustc", "bin/cargo", "lib/rustlib/x.rlib"] {
        assert!(got.path.join(file).is_file(), "{file}");
    }
    let error = toolchains.provide(&rust("1.98.7", Scheme::Exact)).await.unwrap_err();
    assert!(error.nearest.contains(&"1.98.0".to_owned()), "{error:?}");
}

#[tokio::test]
async fn a_closed_network_falls_back_to_the_registry() {
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    // A port that nothing listens on stands for the official site.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let node_files = [("package/bin/node", "elf"), ("package/include/v8.h", "")];
    mirror.publish_npm(&format!("node-linux-{arch}"), "20.20.2", "", &node_files);
    let about = r#""bin":{"npm":"bin/npm-cli.js"},"engines":{"node":">=18"},"#;
    let npm_files = [("package/bin/npm-cli.js", "#!/usr/bin/env node"), ("package/man/npm.1", "")];
    mirror.publish_npm("npm", "10.9.4", about, &npm_files);
    let npm = Address::At(format!("{}/npm", mirror.address));
    let sources = Sources { npm, ..only(&mirror).mirrored(&format!("http://{closed}")) };
    let toolchains = Toolchains::open(dir.path(), sources).unwrap();
    let got = toolchains.provide(&node("20.x")).await.unwrap();
    assert_eq!(std::fs::read_to_string(got.path.join("bin/node")).unwrap(), "elf");
    let npm = std::fs::canonicalize(got.path.join("bin/npm")).unwrap();
    assert!(npm.ends_with("lib/node_modules/npm/bin/npm-cli.js"));
    assert_eq!(npm.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    assert!(!got.path.join("lib/node_modules/npm/man").exists());
    let found = toolchains.registries().await.environment();
    assert_eq!(found["NPM_CONFIG_REGISTRY"], format!("{}/npm/", mirror.address));
}

/// One line to a served socket, and the line that comes back.
async fn say(line: &[u8]) -> String {
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    mirror.publish_node("20.20.2", Page::Body);
    let toolchains = Toolchains::open(&dir.path().join("shelf"), only(&mirror)).unwrap();
    let socket = dir.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let stop = CancellationToken::new();
    let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let talk = async {
        stream.write_all(line).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        stop.cancel();
        reply
    };
    let serve = toolchains.serve(listener, Path::new("/toolchains"), stop.clone());
    tokio::join!(talk, serve).0
}

#[tokio::test]
async fn the_socket_speaks_one_line_each_way() {
    let reply = say(b"{\"toolchain\":\"node\",\"range\":\"^20\",\"scheme\":\"npm\"}\n").await;
    assert_eq!(reply, "{\"version\":\"20.20.2\",\"path\":\"/toolchains/node-20.20.2\"}\n");
    let refused = |reply: &str| {
        let reply: serde_json::Value = serde_json::from_str(reply).unwrap();
        assert!(reply["error"].is_string() && reply["hint"].is_string(), "{reply}");
    };
    refused(&say(b"{\"toolchain\":\"../../etc\",\"range\":\"1\",\"scheme\":\"npm\"}\n").await);
    refused(&say(b"nonsense\n").await);
    refused(&say(&[b'x'; 4096]).await);
}

/// The host's own registries, as in a closed network: the official sites are not asked.
async fn from_registries(request: Request, program: &str) -> String {
    let closed = Mirror::start();
    let sources = Sources::official().mirrored(&closed.address);
    let dir = tempfile::tempdir().unwrap();
    let toolchains = Toolchains::open(dir.path(), sources).unwrap();
    let got = toolchains.provide(&request).await.unwrap();
    let path = format!("{}:/usr/bin:/bin", got.path.join("bin").display());
    let mut command = tokio::process::Command::new(got.path.join("bin").join(program));
    let argument = if program == "go" { "version" } else { "--version" };
    let output = command.env_clear().env("PATH", path).arg(argument).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(program == "npm" || said.contains(&got.version), "{said}");
    got.version
}

#[tokio::test]
async fn real_node_with_its_npm() {
    let version = from_registries(node("^20"), "node").await;
    assert!(version.starts_with("20."));
    from_registries(node("^22"), "npm").await;
}

#[tokio::test]
async fn real_go() {
    from_registries(ask(Toolchain::Go, "1.22", Scheme::Minimum), "go").await;
}

#[tokio::test]
async fn real_deno() {
    let version = from_registries(ask(Toolchain::Deno, "2.x", Scheme::Npm), "deno").await;
    assert!(version.starts_with("2."));
}

#[tokio::test]
async fn real_uv() {
    from_registries(ask(Toolchain::Uv, ">=0.4", Scheme::Pep440), "uv").await;
}

#[tokio::test]
async fn real_package_managers() {
    // Both are scripts for Node, so only their place is checked here.
    let dir = tempfile::tempdir().unwrap();
    let toolchains = Toolchains::open(dir.path(), Sources::official()).unwrap();
    for (toolchain, range) in
        [(Toolchain::Yarn, "^1"), (Toolchain::Yarn, "^4"), (Toolchain::Pnpm, "^9")]
    {
        let got = toolchains.provide(&ask(toolchain, range, Scheme::Npm)).await.unwrap();
        assert!(got.path.join("bin").join(toolchain.name()).is_file(), "{got:?}");
    }
}

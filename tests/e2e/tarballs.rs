//! Deploys without a folder: a tar by the real curl, and one that the server fetches.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    server::{BINARY, Output, Server, Setup, run, says},
    sources,
};

/// A server, and the token of somebody who has nothing but curl.
struct World {
    server: Server,
    token: String,
    _data: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("paas-e2e-data-").tempdir().unwrap();
        let data = folder.path().join("data");
        let mut init = Command::new(BINARY);
        let told = run(init.arg("init").arg("--data").arg(&data)).ok();
        let line = told.lines().find(|line| line.starts_with("Admin token")).unwrap();
        let token = line.split_whitespace().last().unwrap().to_owned();
        let settings = vec![("PAAS_FETCH_PRIVATE", "127.0.0.1".to_owned())];
        let server = Server::starting(Setup { data: Some(data), settings, ..Setup::default() });
        server.until_ready();
        server.paas(&["apps", "create", "site"]).ok();
        Self { server, token, _data: folder }
    }

    /// The line of the documentation.
    fn curl(&self, token: &str, file: &Path) -> Output {
        let url = format!("https://{}/v1/apps/site/deploy", self.server.address("https"));
        let mut curl = Command::new("curl");
        curl.args(["--fail-with-body", "-sS", "--cacert"]);
        curl.arg(self.server.data().join("keys/api-ca.pem"));
        curl.args(["-H", &format!("Authorization: Bearer {token}"), "--data-binary"]);
        run(curl.arg(format!("@{}", file.display())).arg(url))
    }

    /// A tar of these files, gzip or plain by its name.
    fn tar(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = sources::folder(files);
        let archive = self.server.home().join(name);
        let flags = if name.contains(".tgz") { "czf" } else { "cf" };
        let mut tar = Command::new("tar");
        run(tar.arg(flags).arg(&archive).arg("-C").arg(folder.path()).arg(".")).ok();
        archive
    }
}

/// Gives this file to whoever asks.
fn host(file: &Path) -> u16 {
    let bytes = fs::read(file).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _request = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
            let _sent = stream.write_all(&[head.as_bytes(), &bytes].concat());
        }
    });
    port
}

/// How curl ends where the status says that something was refused.
const REFUSED: i32 = 22;

#[test]
fn a_tar_by_curl_and_by_address() {
    let world = World::new();
    let one = world.tar("one.tgz", &[("index.html", "one")]);
    let told = world.curl(&world.token, &one).ok();
    says(&told, &["-----> Building", "site v1 serves", "http://site."]);
    assert_eq!(world.server.page("site", "/"), "one");
    let two = world.tar("two.tar", &[("index.html", "two")]);
    says(&world.curl(&world.token, &two).ok(), &["site v2 serves"]);
    says(&world.curl(&world.token, &two).ok(), &["no changes: v2 already runs this"]);

    // What goes wrong is said in words, and by curl's exit code.
    let broken = [("index.html", "x"), ("paas.toml", "app = \"site\"\n[process.web\n")];
    let told = world.curl(&world.token, &world.tar("broken.tgz", &broken)).ended(REFUSED);
    says(&told, &["paas.toml", "v2 serves on, untouched", "422"]);
    let garbage = world.server.home().join("garbage");
    fs::write(&garbage, "this is no tar ".repeat(100)).unwrap();
    let told = world.curl(&world.token, &garbage).ended(REFUSED);
    says(&told, &["the upload is not a tar archive", "400"]);
    says(&world.curl("paas_00_00", &one).ended(REFUSED), &["the token is missing", "401"]);
    assert_eq!(world.server.page("site", "/"), "two");

    // An archive of a release has its files in a folder.
    let three = world.tar("three.tgz", &[("site-1.0/index.html", "three")]);
    let mut sum = Command::new("sha256sum");
    let sum = run(sum.arg(&three).stdin(Stdio::null())).ok();
    let sum = sum.split_whitespace().next().unwrap();
    let port = host(&three);
    let url = format!("http://127.0.0.1:{port}/three.tgz");
    let deploy = |url: &str, sum: &str| {
        world.server.paas(&["deploy", "--url", url, "--sha256", sum, "-a", "site"])
    };
    let told = deploy(&url, &"0".repeat(64)).ended(1);
    says(&told, &["which is not the one that was asked for", &format!("--sha256 {sum}")]);
    let told = deploy(&format!("http://127.0.0.2:{port}/three.tgz"), sum).ended(1);
    says(&told, &["this server itself", "fetch_private = \"127.0.0.2\""]);
    says(&deploy(&url, sum).ok(), &["site v3 serves"]);
    assert_eq!(world.server.page("site", "/"), "three");
}

//! `docker push` by the real Docker over TLS: what it deploys, what it is refused, what it need not send
//! again, and what becomes of it when the line or the daemon breaks.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    http::{Answer, Request},
    ports::free_port,
    prebuilt::{self, Named, import},
    server::{BINARY, Output, Server, Setup, run, says, until},
};

/// A server, and a Docker client of a test's own that may log in to it.
struct World {
    server: Server,
    token: String,
    home: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("paas-e2e-push-").tempdir().unwrap();
        let data = home.path().join("data");
        let mut init = Command::new(BINARY);
        let told = run(init.arg("init").arg("--data").arg(&data)).ok();
        let line = told.lines().find(|line| line.starts_with("Admin token")).unwrap();
        let token = line.split_whitespace().last().unwrap().to_owned();
        // A port that stays, as Docker remembers by the address what it pushed there.
        let api = Some(format!("https://127.0.0.1:{}", free_port()));
        let server = Server::starting(Setup { data: Some(data), api, ..Setup::default() });
        server.until_ready();
        Self { server, token, home }
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut docker = Command::new("docker");
        docker.env("DOCKER_CONFIG", self.home.path().join("docker")).args(arguments);
        docker.stdin(Stdio::null());
        docker
    }

    /// With the token as the password; whose certificate it is Docker does not ask on this machine.
    fn log_in(&self, token: &str) -> Output {
        let mut login = self.docker(&["login", "-u", "me", "--password-stdin"]);
        login.arg(self.server.address("https")).stdin(Stdio::piped());
        login.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = login.spawn().unwrap();
        child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = ended.status.code().unwrap();
        Output { stdout: text(ended.stdout), stderr: text(ended.stderr), code }
    }

    /// Pushes an image of this Docker under another name.
    fn push(&self, image: &str, name: &str) -> Output {
        let name = Named(format!("{}/{name}", self.server.address("https")));
        prebuilt::run(&mut self.docker(&["tag", image, &name.0]));
        run(&mut self.docker(&["push", &name.0]))
    }

    fn builds(&self) -> Vec<serde_json::Value> {
        let listed = self.server.paas(&["builds", "-a", "shop", "--json"]).json();
        listed.as_array().unwrap().clone()
    }
}

#[test]
fn an_image_that_is_pushed_is_deployed() {
    let mut world = World::new();
    let local = Named(format!("paas-test-{}:push", world.server.installation()));
    import(&local.0, "one\n", &["--change", "LABEL paas.role=step mine=kept"]);
    world.log_in("paas_0000_wrong").ended(1);
    says(&world.log_in(&world.token).ok(), &["Login Succeeded"]);

    let told = world.push(&local.0, "shop:latest").ended(1);
    says(&told, &["app shop: there is no such app", "hint: `paas apps create shop`"]);
    says(&world.push(&local.0, "team/shop").ended(1), &["an image's name is the app's here"]);
    world.server.paas(&["apps", "create", "shop"]).ok();
    says(&world.push(&local.0, "shop:it").ok(), &["digest: sha256:"]);
    world.server.until_page("shop", "one\n");
    says(&world.server.paas(&["builds", "-a", "shop"]).ok(), &[":it", "succeeded"]);
    says(&world.server.paas(&["events", "-a", "shop"]).ok(), &["pushed as shop:it"]);
    let log = world.server.api("GET", "/v1/apps/shop/builds/1/log", b"").text();
    says(&log, &["which was pushed", "port 8081, which the image exposes"]);
    let image = world.builds()[0]["image"].as_str().unwrap().to_owned();
    let labels = ["image", "inspect", "-f", "{{json .Config.Labels}}", &image];
    let labels = prebuilt::run(&mut world.docker(&labels));
    assert_eq!(labels.trim(), r#"{"mine":"kept","paas.app":"shop"}"#);

    // The same once more is nothing new, under whichever name; another upon it sends what is new.
    world.push(&local.0, "shop:again").ok();
    assert_eq!(world.builds().len(), 1);
    let page = world.home.path().join("index.html");
    std::fs::write(&page, "two\n").unwrap();
    let id = prebuilt::run(&mut world.docker(&["create", &local.0])).trim().to_owned();
    prebuilt::run(&mut world.docker(&["cp", page.to_str().unwrap(), &format!("{id}:/www/")]));
    let two = Named(format!("{}-two", local.0));
    prebuilt::run(&mut world.docker(&["commit", &id, &two.0]));
    prebuilt::run(&mut world.docker(&["rm", &id]));
    says(&world.push(&two.0, "shop:it").ok(), &["Layer already exists", "Pushed"]);
    world.server.until_page("shop", "two\n");

    // What a daemon had not recorded when it died is pushed again, and little of it is sent.
    world.server.kill9();
    world.server.start_again(&[("PAAS_FAULT", "upload.kept")]);
    world.server.until_ready();
    world.push(&local.0, "shop").ended(1);
    world.server.ended();
    world.server.start_again(&[]);
    world.server.until_ready();
    says(&world.push(&local.0, "shop").ok(), &["Layer already exists"]);
    world.server.until_page("shop", "one\n");
    let builds = world.builds();
    let last = builds.iter().find(|build| build["number"] == 3).unwrap();
    assert_eq!((builds.len(), &last["pushed"]["tag"]), (3, &json!("latest")));

    world.server.paas(&["destroy", "shop", "--confirm", "shop"]).ok();
    until("what was pushed is gone", || {
        let images = crate::docker::images(&world.server.installation());
        let folder = world.server.data().join("apps/shop");
        (images.is_empty() && !folder.exists()).then_some(())
    });
}

/// The API of a server, over its socket.
struct Registry {
    server: Server,
}

impl Registry {
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.with(method, path, &[], body)
    }

    fn with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let path = format!("/v2/{path}");
        let request = Request { method, path: &path, host: "paas", headers, body };
        request.over_socket(&self.server.socket()).unwrap()
    }

    /// The path of an upload that was begun.
    fn begin(&self) -> String {
        let begun = self.ask("POST", "shop/blobs/uploads/", b"");
        assert_eq!((begun.status, begun.header("range")), (202, Some("0-0")));
        begun.header("location").unwrap().strip_prefix("/v2/").unwrap().to_owned()
    }

    fn blob(&self, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let path = format!("shop/blobs/uploads/?digest={digest}");
        let kept = self.ask("POST", &path, bytes);
        assert_eq!((kept.status, kept.header("docker-content-digest")), (201, Some(&*digest)));
        digest
    }

    fn manifest(&self, reference: &str, kind: &str, document: &serde_json::Value) -> Answer {
        let path = format!("shop/manifests/{reference}");
        self.with("PUT", &path, &[("Content-Type", kind)], document.to_string().as_bytes())
    }

    /// What the head alone of an answer says: its status.
    fn has(&self, path: &str) -> bool {
        let mut stream = UnixStream::connect(self.server.socket()).unwrap();
        write!(stream, "HEAD /v2/{path} HTTP/1.1\r\nHost: paas\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut head = String::new();
        stream.read_to_string(&mut head).unwrap();
        head.starts_with("HTTP/1.1 200")
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str, parts: &[&str]) {
    let error = answer.json()["errors"][0].clone();
    assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{error}");
    says(error["message"].as_str().unwrap(), parts);
}

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[test]
fn blobs_and_manifests_are_taken_as_the_specification_has_it() {
    // Nothing is built here, so nobody waits for Docker.
    let docker = Some(PathBuf::from("/nonexistent/docker.sock"));
    let server = Server::starting(Setup { docker, ..Setup::default() });
    let registry = Registry { server };
    for app in ["shop", "blog"] {
        registry.server.paas(&["apps", "create", app]).ok();
    }
    assert_eq!(registry.ask("GET", "", b"").status, 200);
    let port = registry.server.address("http").rsplit(':').next().unwrap().parse().unwrap();
    let unproven = |headers| {
        let asked = Request { headers, ..Request::get("paas", "/v2/") };
        let answer = asked.over_tcp(port).unwrap();
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="));
        answer
    };
    refused(&unproven(&[]), 401, "UNAUTHORIZED", &["docker login"]);
    let wrong = [("Authorization", "Basic bWU6cGFhc18wMF93cm9uZw==")];
    refused(&unproven(&wrong), 401, "UNAUTHORIZED", &["not valid"]);

    // A wrong digest leaves nothing; a blob that is here is said to be.
    let wrong = format!("shop/blobs/uploads/?digest={}", digest(b"other"));
    refused(&registry.ask("POST", &wrong, b"layer"), 400, "DIGEST_INVALID", &["what came is"]);
    assert!(!registry.has(&format!("shop/blobs/{}", digest(b"layer"))));
    let layer = registry.blob(b"layer");
    assert!(registry.has(&format!("shop/blobs/{layer}")));
    assert!(!registry.has(&format!("blog/blobs/{layer}")), "each app has its own");

    // Another app's blob need not be sent; what nobody has is.
    let mount = |from: &str, digest: &str| {
        registry.ask("POST", &format!("blog/blobs/uploads/?mount={digest}&from={from}"), b"")
    };
    assert_eq!(mount("shop", &layer).status, 201);
    assert!(registry.has(&format!("blog/blobs/{layer}")));
    assert_eq!(mount("shop", &digest(b"nothing")).status, 202);
    assert_eq!(mount("nobody", &layer).status, 202);

    resumes(&registry);
    deploys(&registry, &layer);

    refused(
        &registry.ask("DELETE", "shop/manifests/latest", b""),
        405,
        "UNSUPPORTED",
        &["deleted"],
    );
    refused(&registry.ask("GET", "shop/tags/list", b""), 405, "UNSUPPORTED", &["not given out"]);
    refused(&registry.ask("GET", "a/b/tags/list", b""), 404, "NAME_UNKNOWN", &["docker tag"]);
    refused(&registry.ask("POST", "X/blobs/uploads/", b""), 404, "NAME_UNKNOWN", &["app name"]);
    refused(&registry.ask("POST", "shop1/blobs/uploads/", b""), 404, "NAME_UNKNOWN", &["hint:"]);
    let large = vec![b' '; (4 << 20) + 1];
    refused(&registry.ask("PUT", "shop/manifests/x", &large), 403, "DENIED", &["4194304 bytes"]);
}

/// An upload whose line breaks goes on, also after the daemon's death.
fn resumes(registry: &Registry) {
    let upload = registry.begin();
    let blob = vec![b'x'; 1 << 20];
    let mut cut = UnixStream::connect(registry.server.socket()).unwrap();
    let head = format!("Host: paas\r\nContent-Length: {}\r\n\r\n", blob.len());
    write!(cut, "PATCH /v2/{upload} HTTP/1.1\r\n{head}").unwrap();
    cut.write_all(&blob[..blob.len() / 2]).unwrap();
    let arriving = registry.server.data().join("apps/shop/pushed/arriving");
    let file = arriving.join(upload.rsplit('/').next().unwrap());
    until("some of it is on the disk", || {
        (std::fs::metadata(&file).unwrap().len() > 0).then_some(())
    });
    drop(cut);
    // The last that came may be lost; what is here is said.
    let here: usize = until("the line is known to be cut", || {
        let shown = registry.ask("GET", &upload, b"");
        let range = shown.header("range").filter(|_| shown.status == 204);
        Some(range?.strip_prefix("0-")?.parse::<usize>().unwrap() + 1)
    });
    assert!(here > 1 && here <= blob.len() / 2, "{here} bytes");
    let piece = |from: usize, bytes: &[u8]| {
        let range = format!("{from}-{}", from + bytes.len() - 1);
        registry.with("PATCH", &upload, &[("Content-Range", &range)], bytes)
    };
    let told = format!("{here} bytes are here");
    refused(&piece(0, b"world"), 416, "BLOB_UPLOAD_INVALID", &[&told]);
    let (rest, last) = blob[here..].split_at(5);
    let added = piece(here, rest);
    let range = format!("0-{}", here + 4);
    assert_eq!((added.status, added.header("range")), (202, Some(&*range)));
    let kept = registry.ask("PUT", &format!("{upload}?digest={}", digest(&blob)), last);
    assert_eq!(kept.status, 201);
    refused(&registry.ask("GET", &upload, b""), 404, "BLOB_UPLOAD_UNKNOWN", &["docker push"]);

    let given_up = registry.begin();
    assert_eq!(registry.ask("DELETE", &given_up, b"").status, 204);
    refused(&registry.ask("PATCH", &given_up, b"x"), 404, "BLOB_UPLOAD_UNKNOWN", &[]);
    refused(&registry.ask("GET", "shop/blobs/uploads/..", b""), 404, "BLOB_UPLOAD_UNKNOWN", &[]);
}

/// A tag deploys, if all that it leads to is here; a digest only keeps.
fn deploys(registry: &Registry, layer: &str) {
    let part = |kind: &str, digest: &str, size: usize| json!({ "mediaType": kind, "digest": digest, "size": size });
    let config = registry.blob(b"{}");
    let image = |layer: &str, size| {
        json!({
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": part("application/vnd.oci.image.config.v1+json", &config, 2),
            "layers": [part("application/vnd.oci.image.layer.v1.tar+gzip", layer, size)],
        })
    };
    let lost = registry.manifest("v1", OCI, &image(&digest(b"lost"), 4));
    refused(&lost, 404, "MANIFEST_BLOB_UNKNOWN", &["was not pushed"]);
    refused(&registry.manifest("v1", OCI, &image(layer, 6)), 400, "SIZE_INVALID", &["5 bytes"]);
    refused(&registry.manifest("v1", INDEX, &image(layer, 5)), 400, "MANIFEST_INVALID", &[]);
    let first = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let refusal = registry.manifest("v1", first, &json!({ "schemaVersion": 1 }));
    refused(&refusal, 405, "UNSUPPORTED", &["is not taken", "hint:"]);

    let child = image(layer, 5);
    let named = digest(child.to_string().as_bytes());
    refused(&registry.manifest(layer, OCI, &child), 400, "DIGEST_INVALID", &[&named]);
    assert_eq!(registry.manifest(&named, OCI, &child).status, 201);
    assert!(registry.has(&format!("shop/manifests/{named}")));
    let builds = || registry.server.paas(&["builds", "-a", "shop", "--json"]).json();
    assert_eq!(builds(), json!([]), "a digest deploys nothing");
    let index = |architecture: &str| {
        let mut variant = part(OCI, &named, child.to_string().len());
        variant["platform"] = json!({ "os": "linux", "architecture": architecture });
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [variant] })
    };
    let elsewhere = registry.manifest("v1", INDEX, &index("s390x"));
    refused(&elsewhere, 405, "UNSUPPORTED", &["none is linux/", "--platform linux/"]);
    let here = paas::build::stack::TARGET_ARCH;
    let taken = registry.manifest("v1", INDEX, &index(here));
    assert_eq!((taken.status, taken.text()), (201, String::new()));
    let whole = digest(index(here).to_string().as_bytes());
    assert_eq!(taken.header("docker-content-digest"), Some(&*whole));
    let build = builds()[0].clone();
    assert_eq!(build["pushed"], json!({ "tag": "v1", "digest": whole }));
    assert_eq!(build["source_bytes"], 7);
}

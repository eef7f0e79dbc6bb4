//! Root filesystems from a registry: one that refuses, one that is silent, one that serves; and the
//! base images where none answers.

use std::{path::Path, sync::Mutex, time::Duration};

use paas::{
    build::base_images::BaseImages,
    engine::{BuildEngine, Root, RootError},
    telemetry::chain,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::world::{World, digest, layer};

fn root(name: &'static str, script: &str, folder: &Path) -> Root {
    Root { name, script: script.to_owned(), into: folder.join(name) }
}

#[tokio::test]
async fn no_registry_is_noticed_at_once() {
    let world = World::new().await;
    let into = tempfile::tempdir().unwrap();
    let roots = [root("run", "true", into.path())];
    let pull = world.docker.pull_roots("127.0.0.1:1/debian:13", &roots, Duration::from_secs(20));
    let refused = pull.await.unwrap_err();
    assert!(matches!(refused, RootError::Pull { .. }), "{refused:?}");
    assert!(chain(&refused).contains("connection refused"), "{}", chain(&refused));
    assert!(!roots[0].into.exists());
}

#[tokio::test]
async fn a_silent_registry_is_given_up_in_time() {
    let world = World::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("{}/debian:13", silent.local_addr().unwrap());
    let given_up = world.docker.pull_roots(&reference, &[], Duration::from_millis(300)).await;
    assert!(matches!(given_up, Err(RootError::Silent { .. })), "{given_up:?}");
}

#[tokio::test]
async fn roots_are_made_of_a_served_image_and_leave_nothing() {
    let world = World::new().await;
    let registry = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("{}/base:1", registry.local_addr().unwrap());
    let serving = tokio::spawn(serve(registry));
    let into = tempfile::tempdir().unwrap();
    let roots = [
        root("run", "echo for apps > /made", into.path()),
        root("build", "id -u > /made", into.path()),
    ];
    world.docker.pull_roots(&reference, &roots, Duration::from_secs(20)).await.unwrap();
    assert_eq!(made(&roots[0].into), "for apps\n");
    assert_eq!(made(&roots[1].into), "0\n", "scripts run as root");
    nothing_is_left(&world, &reference).await;

    let failing = [
        root("run", "echo made > /made", into.path()),
        root("build", "echo first; echo no such package; exit 3", into.path()),
    ];
    let failed = world.docker.pull_roots(&reference, &failing, Duration::from_secs(20)).await;
    let text = failed.unwrap_err().to_string();
    assert!(text.contains("exited with code 3: first | no such package"), "{text}");
    nothing_is_left(&world, &reference).await;

    let (said, text) = base_images(&world, &reference).await;
    assert!(text.contains("this image is not Debian trixie"), "{said:?} {text}");
    nothing_is_left(&world, &reference).await;
    serving.abort();
}

#[tokio::test]
async fn without_a_registry_the_packages_are_tried_and_both_reasons_are_said() {
    let world = World::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("{}/debian:13", silent.local_addr().unwrap());
    let (said, text) = base_images(&world, &reference).await;
    let no_registry = format!("no image registry answered for {reference} within 3s");
    assert!(said[0].contains("pulling"), "{said:?}");
    assert_eq!(said[1], format!("{no_registry}; making the base images from Debian packages"));
    assert!(text.starts_with(&no_registry) && text.contains("Debian mirror"), "{text}");
    assert!(text.contains("make `docker pull") && text.contains("apt-get update"), "{text}");
}

/// What is said, and the failure, where the host's mirror is dead.
async fn base_images(world: &World, reference: &str) -> (Vec<String>, String) {
    let (folder, apt) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let line = "deb http://127.0.0.1:9/debian trixie main\n";
    std::fs::write(apt.path().join("sources.list"), line).unwrap();
    let base = BaseImages {
        folder: folder.path().to_owned(),
        image: reference.to_owned(),
        apt: apt.path().to_owned(),
    };
    let said = Mutex::new(Vec::new());
    let made = base.ensure(&world.docker, &|text| said.lock().unwrap().push(text)).await;
    let error = made.unwrap_err();
    let tars = std::fs::read_dir(folder.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("pulled")
    });
    assert_eq!(tars.count(), 0);
    (said.into_inner().unwrap(), format!("{}; hint: {}", chain(&error), error.hint()))
}

/// What the script wrote.
fn made(tar: &Path) -> String {
    let mut archive = tar::Archive::new(std::fs::File::open(tar).unwrap());
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let made = entries.find(|entry| entry.path().unwrap().ends_with("made")).unwrap();
    std::io::read_to_string(made).unwrap()
}

async fn nothing_is_left(world: &World, reference: &str) {
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let api = api.negotiate_version().await.unwrap();
    assert!(api.inspect_image(reference).await.is_err(), "the pulled image is gone again");
    for name in ["run", "build"] {
        let name = format!("paas-{}.root.{name}", world.installation);
        let options = None::<bollard::query_parameters::InspectContainerOptions>;
        assert!(api.inspect_container(&name, options).await.is_err(), "{name}");
    }
}

/// The least that Docker takes for a registry: one manifest, one configuration, one layer.
async fn serve(listener: TcpListener) {
    let layer = layer();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = serde_json::to_vec(&config).unwrap();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(), "digest": digest(&config),
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
            "size": layer.len(), "digest": digest(&layer),
        }],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let bodies =
        [(digest(&manifest), manifest), (digest(&config), config), (digest(&layer), layer)];
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        answer(socket, &bodies).await;
    }
}

async fn answer(mut socket: TcpStream, bodies: &[(String, Vec<u8>)]) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            // Docker tries TLS first, and waits long for an answer to that.
            Ok(TLS) | Err(_) => return,
            Ok(byte) => head.push(byte),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let asked = path.rsplit('/').next().unwrap();
    let found = match asked {
        "1" => bodies.first(),
        asked => bodies.iter().find(|(digest, _)| digest == asked),
    };
    let (digest, body): (&str, &[u8]) = match found {
        Some((digest, body)) => (digest, body),
        None => ("", b"{}"),
    };
    let head_of_answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {MANIFEST}\r\ndocker-content-digest: {digest}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = socket.write_all(head_of_answer.as_bytes()).await;
    if head.starts_with("GET") {
        let _ = socket.write_all(body).await;
    }
}

/// The first byte of a TLS handshake.
const TLS: u8 = 0x16;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

//! Pulling from a registry: one that refuses, one that is silent, and one that serves.

use std::time::Duration;

use paas::engine::{BuildEngine, EngineError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::world::{World, digest, layer};

#[tokio::test]
async fn no_registry_is_noticed_at_once() {
    let world = World::new().await;
    let into = tempfile::tempdir().unwrap();
    let file = into.path().join("root.tar");
    let pull = world.docker.pull_rootfs("127.0.0.1:1/debian:13", &file, Duration::from_secs(20));
    let refused = pull.await.unwrap_err().to_string();
    assert!(refused.contains("connection refused"), "{refused}");
    assert!(!file.exists());
}

#[tokio::test]
async fn a_silent_registry_is_given_up_in_time() {
    let world = World::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("{}/debian:13", silent.local_addr().unwrap());
    let into = tempfile::tempdir().unwrap();
    let file = into.path().join("root.tar");
    let given_up = world.docker.pull_rootfs(&reference, &file, Duration::from_millis(300)).await;
    assert!(matches!(given_up, Err(EngineError::Timeout { .. })), "{given_up:?}");
}

#[tokio::test]
async fn a_served_image_comes_as_a_tar_and_leaves_nothing() {
    let world = World::new().await;
    let registry = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("{}/base:1", registry.local_addr().unwrap());
    let serving = tokio::spawn(serve(registry));
    let into = tempfile::tempdir().unwrap();
    let file = into.path().join("root.tar");
    world.docker.pull_rootfs(&reference, &file, Duration::from_secs(20)).await.unwrap();
    serving.abort();
    let mut tar = tar::Archive::new(std::fs::File::open(&file).unwrap());
    let busybox =
        tar.entries().unwrap().any(|entry| entry.unwrap().path().unwrap().ends_with("bin/busybox"));
    assert!(busybox);
    let api = bollard::Docker::connect_with_unix_defaults().unwrap();
    let api = api.negotiate_version().await.unwrap();
    assert!(api.inspect_image(&reference).await.is_err(), "the pulled image is gone again");
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

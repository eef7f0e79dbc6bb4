//! A real HTTPS server before a pebble, for what pebble does not do: it serves the directory, whose
//! URLs lead to pebble, and whatever else a test wants.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::pebble::{Pebble, directory};

/// It serves until the test ends.
pub(crate) struct Front {
    /// Its directory.
    pub(crate) directory: String,
    /// Its root and pebble's, in one file.
    pub(crate) roots: NamedTempFile,
}

/// What it answers.
pub(crate) struct Answer {
    /// The status with its phrase, and perhaps fields.
    pub(crate) status: String,
    /// The body.
    pub(crate) body: Value,
}

impl Front {
    /// Starts one that answers each path by `answer`.
    pub(crate) async fn start(
        pebble: &Pebble,
        answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let own = own.self_signed(&key).unwrap();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], private)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(&acceptor, stream, &answer).await;
            }
        });
        let roots = NamedTempFile::new().unwrap();
        let both = format!("{}{}", own.pem(), std::fs::read_to_string(pebble.root()).unwrap());
        std::fs::write(roots.path(), both).unwrap();
        Self { directory: directory(port), roots }
    }

    /// A URL of its own.
    pub(crate) fn url(port_of: &str, path: &str) -> String {
        format!("{}{path}", port_of.trim_end_matches("/dir"))
    }
}

async fn serve(acceptor: &TlsAcceptor, stream: TcpStream, answer: &impl Fn(&str) -> Answer) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let Answer { status, body } = answer(head.split(' ').nth(1).unwrap_or_default());
    let (body, close) = (body.to_string(), "Connection: close");
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{close}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.ok();
    stream.shutdown().await.ok();
}

/// Pebble's directory as it would give it itself.
pub(crate) fn urls(pebble: &str) -> Value {
    json!({
        "newNonce": Front::url(pebble, "/nonce-plz"),
        "newAccount": Front::url(pebble, "/sign-me-up"),
        "newOrder": Front::url(pebble, "/order-plz"),
        "revokeCert": Front::url(pebble, "/revoke-cert"),
        "keyChange": Front::url(pebble, "/rollover-account-key"),
    })
}

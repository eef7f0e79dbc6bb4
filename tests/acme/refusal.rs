//! Authorities that say no, say later, or say nothing.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use paas::{
    acme::External,
    clock,
    model::{CertificateState, Timestamp},
};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    pebble::{Behaviour, Pebble, directory, free_port},
    stage::Stage,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_not_found_fails_in_the_authoritys_words() {
    let (stage, pebble) = Stage::with_pebble(|behaviour, _| behaviour.http = behaviour.tls).await;
    stage.add("www.shop.test").await;
    let (attempts, reason, hint) = stage.until_failing("www.shop.test").await;
    assert_eq!((attempts, pebble.orders()), (1, 1));
    assert!(reason.contains("acme-challenge"), "{reason}");
    assert!(hint.unwrap().contains("paas domains check www.shop.test"));
    let diary = stage.diary();
    assert!(diary[0].starts_with("certificate of www.shop.test failed: "), "{diary:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_was_down_is_asked_again() {
    let port = free_port();
    let mut stage = Stage::set().await;
    stage.settings.directories = vec![directory(port)];
    stage.start();
    stage.add("www.shop.test").await;
    let (_, reason, hint) = stage.until_failing("www.shop.test").await;
    assert!(reason.contains("cannot be reached"), "{reason}");
    assert!(hint.unwrap().contains("port 443"));
    let behaviour = Behaviour { port, ..Behaviour::new(stage.dns, stage.http, stage.tls) };
    let pebble = Pebble::start(&behaviour).await;
    stage.kill().await;
    stage.settings.acme.root = Some(pebble.root());
    stage.start();
    stage.retry("www.shop.test").await;
    stage.until_issued("www.shop.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_authority_is_asked_when_the_first_fails_thrice() {
    let dead = directory(free_port());
    let (stage, pebble) =
        Stage::with_pebble(|_, settings| settings.directories = vec![dead.clone()]).await;
    stage.add("www.shop.test").await;
    for _ in 0..3 {
        stage.until_failing("www.shop.test").await;
        stage.retry("www.shop.test").await;
    }
    stage.until_issued("www.shop.test").await;
    assert_eq!(pebble.orders(), 1);
    assert!(stage.account(&dead).unwrap().orders.is_empty(), "no order was placed there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_wants_patience_is_left_alone() {
    let mut stage = Stage::set().await;
    let pebble = Pebble::start(&Behaviour::new(stage.dns, stage.http, stage.tls)).await;
    let asked: Arc<std::sync::Mutex<Vec<Timestamp>>> = Arc::default();
    let (front, root) = busy_front(pebble.directory(), Arc::clone(&asked)).await;
    let roots = tempfile::NamedTempFile::new().unwrap();
    let both = format!("{root}{}", std::fs::read_to_string(pebble.root()).unwrap());
    std::fs::write(roots.path(), both).unwrap();
    stage.settings.directories = vec![front.clone()];
    stage.settings.acme.root = Some(roots.path().to_owned());
    stage.start();
    stage.add("www.shop.test").await;
    let (_, reason, _) = stage.until_failing("www.shop.test").await;
    assert!(reason.contains("asks for patience: come back later"), "{reason}");
    assert!(stage.account(&front).unwrap().not_before.unwrap() > clock::now());
    // A user's impatience does not change that.
    stage.retry("www.shop.test").await;
    stage.until_issued("www.shop.test").await;
    let asked = asked.lock().unwrap().clone();
    let pause = asked[1].since(asked[0]);
    assert!(pause.as_secs() >= PATIENCE - 1, "asked again after {pause:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_bound_to_one_elsewhere() {
    const KEY: (&str, &str) =
        ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");
    let external = |key: &str| Some(External { id: KEY.0.to_owned(), key: key.to_owned().into() });
    let (mut stage, pebble) = Stage::with_pebble(|behaviour, settings| {
        behaviour.external = Some(KEY);
        settings.acme.external =
            external("AAAAZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");
    })
    .await;
    stage.add("www.shop.test").await;
    let (_, _, hint) = stage.until_failing("www.shop.test").await;
    assert!(hint.unwrap_or_default().contains("acme_external"));
    assert_eq!(pebble.orders(), 0);
    stage.kill().await;
    stage.settings.acme.external = external(KEY.1);
    // Another directory, so that nobody has to wait until the first may be asked again.
    stage.settings.directories = vec![pebble.directory().replace("localhost", "127.0.0.1")];
    stage.start();
    stage.retry("www.shop.test").await;
    let state = stage.until_issued("www.shop.test").await.state;
    assert_eq!(state, CertificateState::Issued);
}

/// Serves pebble's directory, but refuses to the first who asks. Its URL, and its root in PEM.
async fn busy_front(
    pebble: String,
    asked: Arc<std::sync::Mutex<Vec<Timestamp>>>,
) -> (String, String) {
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
    let served = AtomicUsize::new(0);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            if stream.read(&mut head).await.unwrap_or(0) == 0 {
                continue;
            }
            asked.lock().unwrap().push(clock::now());
            let (status, body) = match served.fetch_add(1, Ordering::Relaxed) {
                0 => (
                    format!("429 Too Many Requests\r\nRetry-After: {PATIENCE}"),
                    r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"come back later"}"#
                        .to_owned(),
                ),
                _ => ("200 OK".to_owned(), urls(&pebble)),
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.ok();
            stream.shutdown().await.ok();
        }
    });
    (directory(port), own.pem())
}

/// Pebble's directory as it would give it itself.
fn urls(pebble: &str) -> String {
    let base = pebble.trim_end_matches("/dir");
    serde_json::json!({
        "newNonce": format!("{base}/nonce-plz"),
        "newAccount": format!("{base}/sign-me-up"),
        "newOrder": format!("{base}/order-plz"),
        "revokeCert": format!("{base}/revoke-cert"),
        "keyChange": format!("{base}/rollover-account-key"),
    })
    .to_string()
}

/// Seconds that the busy authority asks for.
const PATIENCE: u64 = 4;

//! Whether a name reaches this server is found out before an order is spent on it, over HTTP and
//! over TLS.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{ports::free_port, stage::Stage};

/// By what a name is to be proved.
#[derive(Debug, Clone, Copy)]
enum By {
    Http,
    Tls,
}

const NAME: &str = "www.shop.test";

/// Nothing is ordered for a name that leads to a server of somebody else's on this port.
async fn refused(by: By, port: u16) {
    let (stage, pebble) = Stage::with_pebble(|_, settings| {
        (settings.http_port, settings.tls_port) = match by {
            By::Http => (Some(port), None),
            By::Tls => (None, Some(port)),
        };
    })
    .await;
    stage.add(NAME).await;
    let (attempts, reason, hint) = stage.until_failing(NAME).await;
    assert_eq!((attempts, pebble.orders()), (1, 0), "{by:?}: {reason}");
    let expected = format!("{NAME} leads to 127.0.0.1, where this server does not answer");
    assert_eq!(reason, expected, "{by:?}");
    assert!(hint.unwrap().contains("add it to `addresses` in config.toml"), "{by:?}");
    let shown = stage.presented.borrow().clone();
    assert!(shown.answers.is_empty() && shown.challenges.is_empty(), "{by:?}: it stays shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_reaches_us_at_an_address_nobody_stated_is_found_over_tls() {
    let elsewhere = vec!["192.0.2.1".parse().unwrap()];
    let (stage, pebble) = Stage::at(elsewhere, |behaviour, settings| {
        settings.http_port = None;
        settings.tls_port = Some(behaviour.tls);
    })
    .await;
    stage.add(NAME).await;
    stage.until_issued(NAME).await;
    assert_eq!(pebble.orders(), 1);
    assert!(stage.presented.borrow().challenges.is_empty(), "proofs are taken down");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_ordered_where_another_server_answers() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = || {
        let asked = Arc::clone(&asked);
        move || {
            asked.fetch_add(1, Ordering::Relaxed);
        }
    };
    refused(By::Http, page(count()).await).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    refused(By::Tls, proof_of_another(count()).await).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_ordered_where_nobody_answers() {
    for by in [By::Http, By::Tls] {
        refused(by, free_port()).await;
    }
}

/// A server that answers every request with a page of its own.
async fn page(asked: impl Fn() + Send + 'static) -> u16 {
    serve(move |mut stream| {
        asked();
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap() > 0 {}
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await
}

/// A server that proves the same name over TLS to an authority of its own.
async fn proof_of_another(asked: impl Fn() + Send + 'static) -> u16 {
    let key = KeyPair::generate().unwrap();
    let mut own = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    own.custom_extensions = vec![CustomExtension::new_acme_identifier(&[7; 32])];
    let own = own.self_signed(&key).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let signing = provider.key_provider.load_private_key(private).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![own.der().clone()], signing);
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve(move |stream| {
        asked();
        let acceptor = acceptor.clone();
        async move { drop(acceptor.accept(stream).await) }
    })
    .await
}

async fn serve<A: Future<Output = ()> + Send>(
    answer: impl Fn(TcpStream) -> A + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer(stream).await;
        }
    });
    port
}

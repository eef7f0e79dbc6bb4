//! Who comes in, and whom a caller believes.

use std::{net::SocketAddr, sync::Arc};

use hyper::Request;
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use tokio::{io::AsyncReadExt, net::TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{
    super::{Admitted, Identity, IdentityError, Keys, wire},
    world::{Authority, BOTH, Caller, Daemon, Leaf, Town, anybody, node, pair, soon, target},
};

const A: &str = "a.node.paas.internal";
const B: &str = "b.node.paas.internal";
const THIRTEEN: &[&SupportedProtocolVersion] = &[&TLS13];

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A caller that shows what it likes.
fn visitor(
    authority: &Authority,
    shown: Option<(String, String)>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(chain(&authority.pem).remove(0)).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shown {
        Some((own, secret)) => builder.with_client_auth_cert(chain(&own), key(&secret)).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![wire::ALPN.to_vec()];
    config
}

/// Says hello; the status of the answer, and how the handshake went.
async fn knock(config: &Arc<ClientConfig>, at: SocketAddr) -> Result<(u16, HandshakeKind), String> {
    let said = async {
        let stream = TcpStream::connect(at).await.map_err(|e| e.to_string())?;
        let name = ServerName::try_from(B).unwrap();
        let stream = TlsConnector::from(config.clone()).connect(name, stream).await;
        let stream = stream.map_err(|e| e.to_string())?;
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        let handshake = wire::calling().handshake::<_, bytes::Bytes>(stream).await;
        let (mut line, connection) = handshake.map_err(|e| e.to_string())?;
        let connection = tokio::spawn(connection);
        let mut hello = Request::new(());
        *hello.method_mut() = wire::hello();
        *hello.uri_mut() = format!("https://{B}/").parse().unwrap();
        let (answer, _) = line.send_request(hello, true).map_err(|e| e.to_string())?;
        let answer = answer.await.map_err(|e| e.to_string());
        drop(line);
        connection.abort();
        Ok((answer?.status().as_u16(), kind))
    };
    soon("an answer to a visitor", said).await
}

#[tokio::test]
async fn only_the_authoritys_nodes_come_in() {
    let (authority, other) = (Authority::new(), Authority::new());
    let daemon = Daemon::start(authority.identity("b"), Town::default()).await;
    let own = |leaf: Leaf<'_>| Some(authority.sign(&leaf));
    let alone = {
        let key = KeyPair::generate().unwrap();
        let own = Leaf::of(&[A]).parameters().self_signed(&key).unwrap();
        Some((own.pem(), key.serialize_pem()))
    };
    let server_only = &[ExtendedKeyUsagePurpose::ServerAuth];
    let past = Leaf { names: &[A], usages: BOTH, years: (2020, 2021) };
    let future = Leaf { names: &[A], usages: BOTH, years: (2110, 2120) };
    let serving = Leaf { names: &[A], usages: server_only, years: (2020, 2120) };
    for (who, shown, versions) in [
        ("nobody", None, THIRTEEN),
        ("a stranger", alone, THIRTEEN),
        ("another authority's", Some(other.sign(&Leaf::of(&[A]))), THIRTEEN),
        ("one of the past", own(past), THIRTEEN),
        ("one of the future", own(future), THIRTEEN),
        ("one that only serves", own(serving), THIRTEEN),
        ("no node", own(Leaf::of(&["a.example"])), THIRTEEN),
        ("one with a wildcard", own(Leaf::of(&["*.node.paas.internal"])), THIRTEEN),
        ("one with two names", own(Leaf::of(&[A, B])), THIRTEEN),
        ("one that speaks TLS 1.2", own(Leaf::of(&[A])), &[&TLS12]),
    ] {
        let visitor = Arc::new(visitor(&authority, shown, versions));
        let said = knock(&visitor, daemon.address).await;
        assert!(said.is_err(), "{who} came in: {said:?}");
    }
    for protocols in [vec![], vec![b"h2".to_vec()]] {
        let mut visitor = visitor(&authority, own(Leaf::of(&[A])), THIRTEEN);
        visitor.alpn_protocols = protocols;
        let said = knock(&Arc::new(visitor), daemon.address).await;
        assert!(said.is_err(), "one that speaks something else came in: {said:?}");
    }
    let welcome = Arc::new(visitor(&authority, own(Leaf::of(&[A])), THIRTEEN));
    for _ in 0..2 {
        let said = knock(&welcome, daemon.address).await;
        assert_eq!(said, Ok((204, HandshakeKind::Full)), "no session is resumed");
    }
    let unknown = visitor(&authority, own(Leaf::of(&["c.node.paas.internal"])), THIRTEEN);
    assert_eq!(knock(&Arc::new(unknown), daemon.address).await, Ok((403, HandshakeKind::Full)));
}

/// A server that shows what it likes, and asks for nothing; where it listens.
async fn impostor(
    shown: (String, String),
    versions: &[&'static SupportedProtocolVersion],
) -> SocketAddr {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain(&shown.0), key(&shown.1))
        .unwrap();
    config.alpn_protocols = vec![wire::ALPN.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, at) = target().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                // Whoever was believed is told so by a word that is no HTTP/2.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"got you").await;
            }
        }
    });
    at
}

#[tokio::test]
async fn a_caller_believes_only_the_node_it_means() {
    let (authority, other) = (Authority::new(), Authority::new());
    let client_only = &[ExtendedKeyUsagePurpose::ClientAuth];
    let past = Leaf { names: &[B], usages: BOTH, years: (2020, 2021) };
    let calling = Leaf { names: &[B], usages: client_only, years: (2020, 2120) };
    let c = Leaf::of(&["c.node.paas.internal"]);
    for (shown, versions, words) in [
        (other.sign(&Leaf::of(&[B])), THIRTEEN, "BadSignature"),
        (authority.sign(&c), THIRTEEN, "not valid for name"),
        (authority.sign(&past), THIRTEEN, "expired"),
        (authority.sign(&calling), THIRTEEN, "no TLS"),
        (authority.sign(&Leaf::of(&["*.node.paas.internal"])), THIRTEEN, "is not the node"),
        (authority.sign(&Leaf::of(&[B])), &[&TLS12], "no TLS"),
    ] {
        let at = impostor(shown, versions).await;
        Caller::new(authority.identity("a"), at).down(words).await;
    }
}

#[tokio::test]
async fn who_is_removed_is_cut_and_hears_why() {
    let (listener, at) = target().await;
    let (_authority, daemon, caller) = pair(Some(at)).await;
    let _near = soon("a tunnel", caller.link.tunnel("target")).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    daemon.admitted.send_replace(anybody(&["c"]));
    let read = soon("the tunnel is cut", far.read(&mut [0; 8])).await;
    assert!(read.is_err(), "{read:?}");
    caller.down("`a` is not a node of this installation").await;
    daemon.admitted.send_replace(anybody(&["a", "c"]));
    caller.up().await;

    let key = caller.key().await;
    let by = |key: String| Arc::new(Admitted([(node("a"), Keys::These([key].into()))].into()));
    daemon.admitted.send_replace(by(key.clone()));
    assert_eq!(caller.key().await, key);
    daemon.admitted.send_replace(by("0".repeat(64)));
    caller.down("by this key").await;
}

#[tokio::test]
async fn a_crowd_that_says_nothing_keeps_no_node_out() {
    let authority = Authority::new();
    let daemon = Daemon::start(authority.identity("b"), Town::default()).await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(TcpStream::connect(daemon.address).await.unwrap());
    }
    let caller = Caller::new(authority.identity("a"), daemon.address);
    caller.up().await;
    let closed = soon("the first one's place is another's", crowd[0].read(&mut [0; 8])).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
}

#[test]
fn an_identity_is_whole_or_is_none() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (own, secret) = authority.sign(&Leaf::of(&[A]));
    let (elses, _) = other.sign(&Leaf::of(&[A]));
    let make = |name: &str, authority: &str, chain: &str, key: &str| {
        Identity::from_pem(node(name), authority, chain, key).map(|made| made.name().clone())
    };
    assert_eq!(make("a", &authority.pem, &own, &secret).unwrap(), node("a"));
    let named = make("b", &authority.pem, &own, &secret).unwrap_err();
    assert!(matches!(named, IdentityError::Name { .. }), "{named}");
    let mixed = make("a", &authority.pem, &elses, &secret).unwrap_err();
    assert!(matches!(mixed, IdentityError::Tls(_)), "{mixed}");
    for (authority, chain, key) in
        [("", &*own, &*secret), (&authority.pem, "", &secret), (&authority.pem, &own, "")]
    {
        let empty = make("a", authority, chain, key).unwrap_err();
        assert!(matches!(empty, IdentityError::Pem { .. }), "{empty}");
    }
}

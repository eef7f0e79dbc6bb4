//! Certificates that live seconds are renewed under visitors who never see one that has ended.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use paas::{
    clock,
    control::certificates::Rate,
    model::{Certificate, CertificateState, Timestamp},
    pki::Chain,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde_json::json;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    front::{Answer, Front, urls},
    pebble::{Behaviour, Pebble},
    stage::Stage,
};

#[tokio::test(flavor = "multi_thread")]
async fn no_handshake_fails_while_short_lived_certificates_are_renewed() {
    let (stage, pebble) = Stage::with_pebble(|behaviour, settings| {
        behaviour.life = 15;
        behaviour.bad_nonces = 15;
        settings.limits.duplicates = Rate { most: 1000, ..settings.limits.duplicates };
    })
    .await;
    stage.add("www.shop.test").await;
    stage.until_issued("www.shop.test").await;
    let (mut serials, mut handshakes) = (BTreeSet::new(), 0);
    let visitors = async {
        while serials.len() < 4 {
            let chain = presented(stage.tls, "www.shop.test").await;
            assert_eq!(chain.names, ["www.shop.test"], "handshake {handshakes}");
            assert!(chain.not_after > clock::now(), "handshake {handshakes} saw one that ended");
            serials.insert(chain.serial);
            handshakes += 1;
        }
    };
    timeout(Duration::from_mins(3), visitors).await.expect("it is renewed in time");
    assert!(handshakes > 100, "{handshakes} handshakes");
    assert!(pebble.orders() >= 4);
    let diary = stage.diary();
    assert!(diary.iter().any(|text| text.contains("www.shop.test renewed by")), "{diary:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_wants_a_renewal_now_gets_it() {
    let mut stage = Stage::set().await;
    let pebble = Pebble::start(&Behaviour::new(stage.dns, stage.http, stage.tls)).await;
    let (urls, asked) = (urls(&pebble.directory()), Arc::new(Mutex::new(Vec::new())));
    let (port, paths) = (Arc::new(OnceLock::new()), Arc::clone(&asked));
    let own = Arc::clone(&port);
    let front = Front::start(&pebble, move |path| {
        let status = "200 OK\r\nRetry-After: 21600".to_owned();
        if path == "/dir" {
            let mut body = urls.clone();
            let own: &String = own.get().unwrap();
            body["renewalInfo"] = Front::url(own, "/renewal").into();
            return Answer { status, body };
        }
        // The first certificate has to go at once; every later one has a month.
        let mut paths = paths.lock().unwrap();
        if !paths.contains(&path.to_owned()) {
            paths.push(path.to_owned());
        }
        let (now, later) = (clock::now(), clock::now().plus(Duration::from_hours(24 * 30)));
        let (start, end) =
            if paths[0] == path { (Timestamp::default(), now) } else { (later, later) };
        let window = json!({ "start": start.to_string(), "end": end.to_string() });
        Answer { status, body: json!({ "suggestedWindow": window }) }
    })
    .await;
    port.set(front.directory.clone()).unwrap();
    stage.settings.directories = vec![front.directory.clone()];
    stage.settings.acme.root = Some(front.roots.path().to_owned());
    stage.start();
    stage.add("www.shop.test").await;
    let first = stage.until_issued("www.shop.test").await.issued.unwrap();
    let renewed = |found: &Certificate| {
        found.issued.as_ref().is_some_and(|issued| issued.serial != first.serial)
    };
    let second = stage.until("www.shop.test", renewed).await;
    assert!(asked.lock().unwrap()[0].starts_with("/renewal/"), "{asked:?}");
    assert_eq!(second.state, CertificateState::Issued);
}

/// What the edge presents to a visitor.
async fn presented(port: u16, host: &str) -> Chain {
    let provider = aws_lc_rs::default_provider();
    let anybody = Anybody(provider.signature_verification_algorithms);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(anybody))
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let text = STANDARD.encode(leaf);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    Chain::read(&pem).unwrap()
}

/// Accepts every chain: what was presented is looked at afterwards.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

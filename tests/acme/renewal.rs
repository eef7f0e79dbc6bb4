//! Certificates that live seconds are renewed under visitors who never see one that has ended.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use paas::{clock, control::certificates::Rate, pki::Chain};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::stage::Stage;

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

/// What the edge presents to a visitor.
async fn presented(port: u16, host: &str) -> Chain {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
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
struct Anybody;

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
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

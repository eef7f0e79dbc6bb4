//! New TLS connections, each for one request: full handshakes or resumed ones.
//!
//! A client of our own, as wrk and `openssl s_time` spend more time on their side of a handshake
//! than a fast server on its own. It offers X25519 only, the one group that all contestants have,
//! and checks no certificate: what a client thinks of it costs a server nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, HandshakeKind, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tools::Load;

/// What stands between a client and a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    Full,
    /// With a ticket of an earlier connection.
    Resumed,
}

const CLIENTS: usize = 32;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";

pub(crate) fn load(address: SocketAddr, handshake: Handshake, length: Duration) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    let counts = tokio::task::LocalSet::new().block_on(&runtime, async {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::task::spawn_local(client(address, handshake, began + length)))
            .collect();
        let mut counts = (0, 0);
        for client in clients {
            let (answers, failures) = client.await.unwrap();
            counts = (counts.0 + answers, counts.1 + failures);
        }
        counts
    });
    let answers = f64::from(counts.0);
    Load { rate: answers / began.elapsed().as_secs_f64(), answers, failures: counts.1 }
}

/// Connects again and again until the time is over: good answers, and failures.
async fn client(address: SocketAddr, handshake: Handshake, until: Instant) -> (u32, u64) {
    // Each client has its own tickets, as clients have.
    let connector = TlsConnector::from(Arc::new(config(handshake)));
    let (mut answers, mut failures, mut first) = (0, 0, true);
    while Instant::now() < until {
        match tokio::time::timeout(Duration::from_secs(5), once(&connector, address)).await {
            Ok(Ok(HandshakeKind::Resumed)) if handshake == Handshake::Resumed => answers += 1,
            Ok(Ok(_)) if handshake == Handshake::Full || first => answers += 1,
            _ => failures += 1,
        }
        first = false;
    }
    (answers, failures)
}

async fn once(connector: &TlsConnector, address: SocketAddr) -> std::io::Result<HandshakeKind> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("app.test").unwrap();
    let mut stream = connector.connect(name, stream).await?;
    stream.write_all(REQUEST).await?;
    let mut answer = Vec::with_capacity(4096);
    // Some close without the alert that says so; the answer has a length and is whole without it.
    let ended = stream.read_to_end(&mut answer).await;
    let whole = answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"Hello, world!");
    if !whole {
        ended?;
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    stream.get_ref().1.handshake_kind().ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

/// A client that believes everybody.
pub(crate) fn config(handshake: Handshake) -> ClientConfig {
    let provider = CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if handshake == Handshake::Full {
        config.resumption = Resumption::disabled();
    }
    config
}

#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

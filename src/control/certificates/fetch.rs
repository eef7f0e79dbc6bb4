//! Looking for a proof where an authority would look for it: at one address, over HTTP or over TLS.
//!
//! It shows nothing and decides nothing. Invariant: no answer is believed that lacks the bytes that
//! were made up for this very question.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::model::DomainName;

/// Whether this text is the answer at a path of the name (RFC 8555 section 8.3).
pub(super) async fn over_http(
    at: (IpAddr, u16),
    name: &DomainName,
    path: &str,
    text: &str,
) -> bool {
    in_time(async {
        let mut stream = TcpStream::connect(SocketAddr::from(at)).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: paas-preflight\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(MOST_ANSWER).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).contains(text))
    })
    .await
}

/// Whether the name is presented with a proof that has this digest in it (RFC 8737 section 3).
pub(super) async fn over_tls(at: (IpAddr, u16), name: &DomainName, digest: [u8; 32]) -> bool {
    in_time(async {
        let host = ServerName::try_from(name.as_str().to_owned()).map_err(io::Error::other)?;
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Bearing(digest)))
                .with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        let stream = TcpStream::connect(SocketAddr::from(at)).await?;
        let stream = TlsConnector::from(Arc::new(config)).connect(host, stream).await?;
        // An authority insists on it (RFC 8737 section 3).
        Ok(stream.get_ref().1.alpn_protocol() == Some(PROTOCOL))
    })
    .await
}

async fn in_time(look: impl Future<Output = io::Result<bool>>) -> bool {
    matches!(timeout(FETCH, look).await, Ok(Ok(true)))
}

/// Takes a certificate for ours if it bears a digest that nobody else was told. Nothing is sent over
/// such a connection, so that it is worth nothing to whoever relays it.
#[derive(Debug)]
struct Bearing([u8; 32]);

impl ServerCertVerifier for Bearing {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if leaf.windows(self.0.len()).any(|bytes| bytes == self.0) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    // The library cannot check a signature by a proof: it knows no certificate with its critical
    // extension.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// What is spoken where a name is proved over TLS.
const PROTOCOL: &[u8] = b"acme-tls/1";
/// Bytes of an answer.
const MOST_ANSWER: u64 = 16 * 1024;
/// For one look; an authority is not more patient.
const FETCH: Duration = Duration::from_secs(10);

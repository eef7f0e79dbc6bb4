//! TLS to a server. Whom to believe is a [`Judge`]'s to say; that the handshake is signed with the key of
//! the certificate is always checked.

use std::{fmt, io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What a server presents.
#[derive(Debug, Clone, Copy)]
pub(super) struct Presented<'a> {
    /// Its own certificate.
    pub(super) leaf: &'a CertificateDer<'a>,
    /// Those that came with it.
    pub(super) chain: &'a [CertificateDer<'a>],
    /// The name that it was asked for by.
    pub(super) host: &'a ServerName<'a>,
    /// When.
    pub(super) now: UnixTime,
}

/// Says whom to believe.
pub(super) trait Judge: fmt::Debug + Send + Sync + 'static {
    /// Whether this is the server that was meant; `provider` knows the algorithms.
    fn judge(&self, presented: Presented<'_>, provider: &Arc<CryptoProvider>) -> Result<(), Error>;
}

/// Speaks TLS with the server at the other end.
pub(super) async fn shake_hands<J: Judge>(
    host: &str,
    stream: TcpStream,
    judge: Arc<J>,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(Verifier { judge, provider: Arc::clone(&provider) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Asks the judge, and checks the signature.
#[derive(Debug)]
struct Verifier<J> {
    judge: Arc<J>,
    provider: Arc<CryptoProvider>,
}

impl<J: Judge> ServerCertVerifier for Verifier<J> {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge.judge(Presented { leaf, chain, host, now }, &self.provider)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

//! Certificates made for a test, and clients that speak TLS.
//!
//! An authority of the test's own signs them, and clients trust nobody else, so that a test sees
//! which certificate was presented by whether it is accepted for a name.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use proxy::{Certificate, Certificates};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyPair};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::stage::{Answer, PATIENCE, status};

/// Who signs a test's certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), own }
    }

    /// A certificate for these names.
    pub(crate) fn issue(&self, names: &[&str]) -> Certificate {
        self.issue_with(names, None)
    }

    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        extension: Option<CustomExtension>,
    ) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.custom_extensions.extend(extension);
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        Certificate::from_pem(&signed.pem(), &key.serialize_pem()).unwrap()
    }

    /// A set with one certificate for each of these names.
    pub(crate) fn set(&self, generation: u64, names: &[&str]) -> Certificates {
        let one = |name: &&str| (name.parse().unwrap(), self.issue(&[name]));
        Certificates { generation, hosts: names.iter().map(one).collect(), ..Default::default() }
    }

    /// A client's settings: it trusts this authority and offers HTTP/1.1.
    pub(crate) fn client(&self) -> ClientConfig {
        self.client_of(rustls::ALL_VERSIONS)
    }

    pub(crate) fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::in_memory_sessions(16);
        config
    }
}

/// A client in the middle of a TLS connection.
#[derive(Debug)]
pub(crate) struct Secure {
    pub(crate) stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
}

impl Secure {
    /// Connects and shakes hands as a client that wants `name`.
    pub(crate) fn connect(
        address: SocketAddr,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        Self::over(stream, name, config)
    }

    /// The same over a connection that something was said on already.
    pub(crate) fn over(
        mut stream: TcpStream,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        Ok(Self { stream: StreamOwned::new(session, stream), buffer: Vec::new() })
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// A response whose length was announced; `None` if the connection ended first.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break self.buffer.drain(..end + 4).collect();
            }
            self.more()?;
        };
        let head = String::from_utf8(head).unwrap();
        let length = head.to_ascii_lowercase();
        let length = length.split("content-length: ").nth(1);
        let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        while self.buffer.len() < length {
            self.more()?;
        }
        let body = self.buffer.drain(..length).collect();
        Some(Answer { status: status(&head), head, body })
    }

    fn more(&mut self) -> Option<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                Some(())
            }
        }
    }

    pub(crate) fn get(&mut self, host: &str, path: &str) -> Option<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.answer()
    }

    /// The certificate that was presented.
    pub(crate) fn presented(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().unwrap()[0].to_vec()
    }
}

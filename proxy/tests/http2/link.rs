//! Connections to a stage that have agreed on HTTP/2.

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock};

use proxy::{Certificates, Speaks};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::secure::{Authority, Secure};
use crate::stage::{Plan, Stage};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| AUTHORITY.set(1, &["app.test"]));

/// A plan for a stage whose listener speaks TLS.
pub(crate) fn plan() -> Plan {
    Plan { speaks: Speaks::Https, certificates: CERTIFICATES.clone(), ..Plan::default() }
}

fn config() -> Arc<ClientConfig> {
    let mut config = AUTHORITY.client();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// A connection, whatever it is made of.
pub(crate) trait Link: Read + Write {}

impl<T: Read + Write> Link for T {}

/// A new connection.
pub(crate) fn open(stage: &Stage) -> Box<dyn Link> {
    let client = Secure::connect(stage.address(), "app.test", &config()).unwrap();
    assert_eq!(client.stream.conn.alpn_protocol(), Some(&b"h2"[..]));
    Box::new(client.stream)
}

/// The same for clients that wait in a runtime.
pub(crate) async fn open_async(stage: &Stage) -> TlsStream<tokio::net::TcpStream> {
    let stream = tokio::net::TcpStream::connect(stage.address()).await.unwrap();
    let name = ServerName::try_from("app.test").unwrap();
    TlsConnector::from(config()).connect(name, stream).await.unwrap()
}

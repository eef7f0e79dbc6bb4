//! A pebble of a test's own: its configuration, its TLS certificate, and its end with the test.

use std::{
    fs,
    io::Read,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpStream, time::sleep};

use crate::ports::free_port;

/// How pebble shall behave.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    /// Where it asks for names.
    pub(crate) dns: SocketAddr,
    /// The port on which it asks for HTTP-01 proofs.
    pub(crate) http: u16,
    /// The port on which it asks for TLS-ALPN-01 proofs.
    pub(crate) tls: u16,
    /// How many nonces in a hundred it refuses.
    pub(crate) bad_nonces: u8,
    /// Seconds that its certificates live.
    pub(crate) life: u64,
    /// The id and key of the only account elsewhere that it accepts, if it wants one.
    pub(crate) external: Option<(&'static str, &'static str)>,
    /// Where it says in its certificates that it is asked about them, if it does.
    pub(crate) responder: Option<String>,
    /// Where it listens: 0 is any free port.
    pub(crate) port: u16,
}

/// A running pebble.
#[derive(Debug)]
pub(crate) struct Pebble {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Behaviour {
    pub(crate) fn new(dns: SocketAddr, http: u16, tls: u16) -> Self {
        let (bad_nonces, life, port) = (50, 7_776_000, 0);
        Self { dns, http, tls, bad_nonces, life, external: None, responder: None, port }
    }
}

impl Pebble {
    /// Starts one, and waits until it listens.
    pub(crate) async fn start(behaviour: &Behaviour) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_certificates(&folder);
        let port = if behaviour.port == 0 { free_port() } else { behaviour.port };
        let at = |name: &str| folder.path().join(name);
        let mut settings = json!({
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": "",
            "certificate": at("server.pem"),
            "privateKey": at("server.key"),
            "httpPort": behaviour.http,
            "tlsPort": behaviour.tls,
            "ocspResponderURL": behaviour.responder.as_deref().unwrap_or_default(),
            "certificateValidityPeriod": behaviour.life,
            "externalAccountBindingRequired": behaviour.external.is_some(),
        });
        if let Some((id, key)) = behaviour.external {
            settings["externalAccountMACKeys"] = json!({ id: key });
        }
        fs::write(at("config.json"), json!({ "pebble": settings }).to_string()).unwrap();
        let log = fs::File::create(at("log")).unwrap();
        let child = Command::new("pebble")
            .arg("-config")
            .arg(at("config.json"))
            .args(["-dnsserver", &behaviour.dns.to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", behaviour.bad_nonces.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("pebble is installed: scripts/setup.sh tests");
        let mut pebble = Self { child, folder, port };
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(pebble.child.try_wait().unwrap().is_none(), "pebble ended: {}", pebble.log());
            sleep(Duration::from_millis(20)).await;
        }
        pebble
    }

    /// Its directory's URL.
    pub(crate) fn directory(&self) -> String {
        directory(self.port)
    }

    /// The root of its own TLS certificate, as a file.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// What it wrote.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        let mut file = fs::File::open(self.folder.path().join("log")).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    /// Orders that it was asked for.
    pub(crate) fn orders(&self) -> usize {
        self.log().matches("Added order").count()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The directory of a pebble on this port.
pub(crate) fn directory(port: u16) -> String {
    format!("https://localhost:{port}/dir")
}

fn write_certificates(folder: &TempDir) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    fs::write(folder.path().join("root.pem"), authority.pem()).unwrap();
    fs::write(folder.path().join("server.pem"), server.pem()).unwrap();
    fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
}

//! Programs that others wrote, run against the edge: what they say of it is the test.
//!
//! `scripts/setup.sh tests` installs them. One that is missing fails its tests and says so: a test
//! that is passed over is a test that nobody has.

mod browser;
mod curl;
mod http2;
mod slow;
mod tls;

use std::process::{Command, Stdio};

use proxy::{Certificate, Certificates, Speaks};
use rcgen::PublicKeyData as _;

use crate::stage::{Origin, Plan, Stage};

/// What a program said, on both its outputs, and whether it was content.
#[derive(Debug)]
struct Said {
    text: String,
    content: bool,
}

impl Said {
    #[track_caller]
    fn has(&self, wanted: &str) -> &Self {
        assert!(self.text.contains(wanted), "no {wanted:?} in:\n{}", self.text);
        self
    }
}

/// Runs a program of a Debian package to its end. Nothing is typed into it.
fn run(program: &str, package: &str, arguments: &[&str]) -> Said {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program}: {error}; `scripts/setup.sh tests` installs the package {package}")
    });
    let text = [output.stdout, output.stderr].concat();
    Said { text: String::from_utf8_lossy(&text).into_owned(), content: output.status.success() }
}

/// An edge that speaks TLS as `app.test`, and its public key in DER.
fn tls_stage(origin: &Origin) -> (Stage, Vec<u8>) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let names = vec!["app.test".to_owned()];
    let pem = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let certificate = Certificate::from_pem(&pem.pem(), &key.serialize_pem()).unwrap();
    let hosts = [("app.test".parse().unwrap(), certificate)].into();
    let certificates = Certificates { generation: 1, hosts, ..Certificates::default() };
    let plan = Plan { speaks: Speaks::Https, certificates, ..Plan::default() };
    (Stage::planned(&plan, &[origin]), key.subject_public_key_info())
}

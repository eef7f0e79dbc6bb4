//! A user's own certificate with its issuer's word that it stands, from a real OCSP responder
//! (`openssl ocsp`) to what `openssl s_client` is shown in the handshake.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, SerialNumber,
};

use crate::{
    domains::server,
    https::tls,
    ports::free_port,
    server::{Server, run, says, until},
};

const NAME: &str = "shop.example.test";

/// An authority with a responder that answers for it, and one certificate, all in a folder.
struct Authority {
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Child>,
}

impl Authority {
    /// It has issued one certificate, which says that it is asked about at a port of this machine.
    fn new() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.distinguished_name.push(DnType::CommonName, "Stapling Authority");
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();

        let mut own = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
        own.serial_number = Some(SerialNumber::from(0x10_92_u64));
        own.custom_extensions.push(access(&format!("http://127.0.0.1:{port}/ocsp")));
        let key = KeyPair::generate().unwrap();
        let own = own.signed_by(&key, &root).unwrap();

        let mut delegate = CertificateParams::new(Vec::new()).unwrap();
        delegate.distinguished_name.push(DnType::CommonName, "Responder");
        delegate.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        let delegate_key = KeyPair::generate().unwrap();
        let delegate = delegate.signed_by(&delegate_key, &root).unwrap();

        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("root.pem", &root.pem());
        write("root.key", &root.key().serialize_pem());
        write("delegate.pem", &delegate.pem());
        write("delegate.key", &delegate_key.serialize_pem());
        write("chain.pem", &format!("{}{}", own.pem(), root.pem()));
        write("own.key", &key.serialize_pem());
        let authority = Self { folder, port, running: None };
        authority.says("V\t360101000000Z\t");
        authority
    }

    /// Writes what it says of its certificate from its next start on, as `openssl ca` does.
    fn says(&self, status: &str) {
        let line = format!("{status}\t1092\tunknown\t/CN={NAME}\n");
        fs::write(self.folder.path().join("index.txt"), line).unwrap();
    }

    /// Answers from now on, signed by `signer`, for a minute each.
    fn answers(&mut self, signer: &str) {
        let at = |name: &str| self.folder.path().join(name);
        let mut command = Command::new("openssl");
        command.args(["ocsp", "-port", &self.port.to_string(), "-nmin", "1"]);
        command.arg("-index").arg(at("index.txt")).arg("-CA").arg(at("root.pem"));
        command.arg("-rsigner").arg(at(&format!("{signer}.pem")));
        command.arg("-rkey").arg(at(&format!("{signer}.key")));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl is installed: scripts/setup.sh");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().contains("ACCEPT") {}
        // What it prints of each question is read, or it would wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        self.running = Some(child);
    }

    fn is_down(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.is_down();
    }
}

/// The extension that says where an issuer is asked (RFC 5280 section 4.2.2.1): one description, of
/// the method OCSP and a URL.
fn access(url: &str) -> CustomExtension {
    let value =
        |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let method = value(6, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1]);
    let description = value(0x30, &[method, value(0x86, url.as_bytes())].concat());
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], value(0x30, &description))
}

/// What a client that asks for the issuer's word is shown.
fn shown(server: &Server, authority: &Authority) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-status", "-servername", NAME, "-verify_return_error"]);
    command.arg("-CAfile").arg(authority.root().join("root.pem"));
    command.args(["-connect", &format!("127.0.0.1:{}", tls(server))]);
    run(command.stdin(Stdio::null())).ok()
}

fn bring(server: &Server, authority: &Authority) {
    let (cert, key) = (authority.file("chain.pem"), authority.file("own.key"));
    server.paas(&["certs", "add", NAME, "--cert", &cert, "--key", &key]).ok();
    until("it is presented", || TcpStream::connect(("127.0.0.1", tls(server))).ok());
}

#[track_caller]
fn until_shown(server: &Server, authority: &Authority, parts: &[&str]) -> String {
    until(&format!("a client is shown {parts:?}"), || {
        let text = shown(server, authority);
        parts.iter().all(|part| text.contains(part)).then_some(text)
    })
}

const GOOD: [&str; 2] = ["OCSP Response Status: successful", "Cert Status: good"];
const NOTHING: [&str; 1] = ["OCSP response: no response sent"];

#[test]
fn an_issuers_word_is_fetched_sent_along_and_believed_when_it_changes() {
    let (mut server, _) = server(Vec::new());
    let mut authority = Authority::new();
    server.paas(&["apps", "create", "shop"]).ok();
    server.paas(&["domains", "add", NAME, "-a", "shop"]).ok();

    // Nobody answers: the certificate is served all the same.
    bring(&server, &authority);
    until("the daemon has asked", || server.log().contains("no word of the issuer").then_some(()));
    says(&shown(&server, &authority), &NOTHING);
    says(&server.paas(&["certs"]).ok(), &[NAME, "issued", "Stapling Authority"]);

    // It answers, and what it said outlives a power cut without another question.
    authority.answers("root");
    bring(&server, &authority);
    until_shown(&server, &authority, &GOOD);
    authority.is_down();
    server.kill9();
    server.start_again(&[]);
    says(&shown(&server, &authority), &GOOD);

    // A responder that the authority appointed is as good as itself.
    authority.answers("delegate");
    bring(&server, &authority);
    until_shown(&server, &authority, &["Cert Status: good", "CN = Responder"]);

    // Revoked: it is asked again at half of the answer's life, and its good word is no longer sent.
    authority.is_down();
    authority.says("R\t360101000000Z\t260101000000Z,keyCompromise");
    authority.answers("delegate");
    until_shown(&server, &authority, &NOTHING);
    let told = server.paas(&["certs"]).ok();
    let reason = "Stapling Authority has revoked it on 2026-01-01 (key compromise)";
    says(&told, &["failing", reason, "hint: bring another: `paas certs add shop.example.test"]);
    says(&server.paas(&["events", "-a", "shop"]).ok(), &["has revoked it"]);

    // The next one is good.
    let mut next = Authority::new();
    next.answers("root");
    bring(&server, &next);
    until_shown(&server, &next, &GOOD);
    says(&server.paas(&["certs"]).ok(), &["issued", "yours to renew"]);
}

#[test]
fn what_is_not_signed_by_the_issuer_is_not_sent_along() {
    let (server, _) = server(Vec::new());
    let (mut authority, other) = (Authority::new(), Authority::new());
    for file in ["delegate.pem", "delegate.key"] {
        fs::copy(other.file(file), authority.file(file)).unwrap();
    }
    authority.answers("delegate");
    bring(&server, &authority);
    let why = "it is not signed by the certificate's issuer";
    until("the daemon has said why", || server.log().contains(why).then_some(()));
    says(&shown(&server, &authority), &NOTHING);
}

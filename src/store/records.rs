//! Which nouns are remembered, in which tables, under which keys.
//!
//! The nouns of `model/` are stored as they are; a change of one that old data does not decode as
//! raises its version here and teaches it the step.

use sha2::{Digest, Sha256};

use crate::{
    model::{
        AcmeAccount, App, Build, Certificate, CertificateHistory, ControlLabels, CronEntry,
        CronState, DnsRecord, Domain, DomainCheck, Event, IssuerWord, JoinToken, Node, Rebalance,
        Release, Rollout, Run, Secret, Snapshot, SshHost, SshKey, Token, Volume, Zone,
    },
    store::{Record, Schema},
};

/// Everything this binary stores.
pub fn schema() -> Schema {
    Schema::default()
        .with::<App>()
        .with::<Build>()
        .with::<Release>()
        .with::<Rollout>()
        .with::<Run>()
        .with::<CronState>()
        .with::<CronEntry>()
        .with::<Secret>()
        .with::<Event>()
        .with::<Token>()
        .with::<Domain>()
        .with::<DomainCheck>()
        .with::<Certificate>()
        .with::<CertificateHistory>()
        .with::<AcmeAccount>()
        .with::<IssuerWord>()
        .with::<Zone>()
        .with::<DnsRecord>()
        .with::<SshKey>()
        .with::<SshHost>()
        .with::<Volume>()
        .with::<Snapshot>()
        .with::<Node>()
        .with::<JoinToken>()
        .with::<ControlLabels>()
        .with::<Rebalance>()
}

impl Record for App {
    const TABLE: &'static str = "apps";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.name.as_str().to_owned()
    }
}

impl Record for Build {
    const TABLE: &'static str = "builds";
    const VERSION: u32 = 1;
    type Key = (String, u64);

    fn key(&self) -> (String, u64) {
        (self.app.as_str().to_owned(), self.number.0.into())
    }
}

impl Record for Release {
    const TABLE: &'static str = "releases";
    const VERSION: u32 = 1;
    type Key = (String, u64);

    fn key(&self) -> (String, u64) {
        (self.app.as_str().to_owned(), self.version.0.into())
    }
}

impl Record for Rollout {
    const TABLE: &'static str = "rollouts";
    const VERSION: u32 = 1;
    type Key = (String, u64);

    fn key(&self) -> (String, u64) {
        (self.app.as_str().to_owned(), self.number.0.into())
    }
}

impl Record for Run {
    const TABLE: &'static str = "runs";
    const VERSION: u32 = 1;
    type Key = (String, u64);

    fn key(&self) -> (String, u64) {
        (self.app.as_str().to_owned(), self.number.0.into())
    }
}

impl Record for CronState {
    const TABLE: &'static str = "cron_jobs";
    const VERSION: u32 = 1;
    type Key = (String, String);

    fn key(&self) -> (String, String) {
        (self.app.as_str().to_owned(), self.job.as_str().to_owned())
    }
}

impl Record for CronEntry {
    const TABLE: &'static str = "cron_history";
    const VERSION: u32 = 1;
    type Key = (String, String, u64);

    fn key(&self) -> (String, String, u64) {
        (self.app.as_str().to_owned(), self.job.as_str().to_owned(), self.number)
    }
}

impl Record for Secret {
    const TABLE: &'static str = "secrets";
    const VERSION: u32 = 1;
    type Key = (String, String, u64);

    fn key(&self) -> (String, String, u64) {
        (self.app.as_str().to_owned(), self.name.as_str().to_owned(), self.version.0.into())
    }
}

impl Record for Event {
    const TABLE: &'static str = "events";
    const VERSION: u32 = 1;
    type Key = (String, u64);

    fn key(&self) -> (String, u64) {
        (self.app.as_str().to_owned(), self.number)
    }
}

impl Record for Token {
    const TABLE: &'static str = "tokens";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.id.0.clone()
    }
}

impl Record for Domain {
    const TABLE: &'static str = "domains";
    const VERSION: u32 = 1;
    type Key = (String, String);

    fn key(&self) -> (String, String) {
        (self.name.as_str().to_owned(), self.path.as_str().to_owned())
    }
}

impl Record for DomainCheck {
    const TABLE: &'static str = "domain_checks";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.name.as_str().to_owned()
    }
}

impl Record for Certificate {
    const TABLE: &'static str = "certificates";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.name.as_str().to_owned()
    }
}

impl Record for CertificateHistory {
    const TABLE: &'static str = "certificate_histories";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.name.as_str().to_owned()
    }
}

impl Record for AcmeAccount {
    const TABLE: &'static str = "acme_accounts";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.directory.clone()
    }
}

impl Record for IssuerWord {
    const TABLE: &'static str = "issuer_words";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.name.as_str().to_owned()
    }
}

impl Record for Zone {
    const TABLE: &'static str = "zones";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.name.as_str().to_owned()
    }
}

impl Record for Volume {
    const TABLE: &'static str = "volumes";
    const VERSION: u32 = 1;
    type Key = (String, String);

    fn key(&self) -> (String, String) {
        super::volumes::key(&self.app, &self.name)
    }
}

impl Record for Snapshot {
    const TABLE: &'static str = "snapshots";
    const VERSION: u32 = 1;
    type Key = (String, String, u64);

    fn key(&self) -> (String, String, u64) {
        super::volumes::snapshot_key(&self.app, &self.volume, self.number)
    }
}

/// A record is found by all that it says, so that adding it twice is adding it once; by a digest of
/// that, because a text may be longer than a key.
impl Record for DnsRecord {
    const TABLE: &'static str = "dns_records";
    const VERSION: u32 = 1;
    type Key = (String, String, String);

    fn key(&self) -> (String, String, String) {
        let digest = hex::encode(Sha256::digest(self.data.to_string()));
        (self.name.as_str().to_owned(), self.data.kind().to_owned(), digest)
    }
}

impl Record for SshKey {
    const TABLE: &'static str = "ssh_keys";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.fingerprint.as_str().to_owned()
    }
}

/// There is one.
impl Record for SshHost {
    const TABLE: &'static str = "ssh_host";
    const VERSION: u32 = 1;
    type Key = ();

    fn key(&self) {}
}

impl Record for Node {
    const TABLE: &'static str = "nodes";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.name.as_str().to_owned()
    }
}

/// There is one control.
impl Record for ControlLabels {
    const TABLE: &'static str = "control_labels";
    const VERSION: u32 = 1;
    type Key = ();

    fn key(&self) {}
}

/// There is one at a time.
impl Record for Rebalance {
    const TABLE: &'static str = "rebalance";
    const VERSION: u32 = 1;
    type Key = ();

    fn key(&self) {}
}

impl Record for JoinToken {
    const TABLE: &'static str = "join_tokens";
    const VERSION: u32 = 1;
    type Key = String;

    fn key(&self) -> String {
        self.id.0.clone()
    }
}

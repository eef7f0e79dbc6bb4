//! A name's certificate as a story: brought, replaced, taken back, tried again.

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::{
    clock,
    model::{App, Event, Issued, Vouched},
    store::{self, Store, StoreError, StoreOptions},
};

/// A store with the app `shop`, which has the name `www.example.com`.
struct World {
    store: Store,
    _folder: tempfile::TempDir,
}

fn name() -> DomainName {
    "www.example.com".parse().unwrap()
}

fn acme(state: CertificateState) -> Certificate {
    let source = CertificateSource::Acme;
    Certificate { name: name(), source, state, issued: None, alarms: vec![20] }
}

fn failing() -> CertificateState {
    let (reason, next) = ("it was refused".to_owned(), Timestamp::default());
    CertificateState::Failing { attempts: 3, reason, hint: None, next }
}

/// One that this user has just made.
fn own() -> Supplied {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec![name().to_string()]).unwrap().self_signed(&key).unwrap();
    Supplied::check(&name(), &made.pem(), &key.serialize_pem(), clock::now()).unwrap()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
        let world = Self { store: Store::open(folder.path(), options).unwrap(), _folder: folder };
        let domain = |path: &str| Domain {
            name: name(),
            path: path.parse().unwrap(),
            strip: false,
            app: "shop".parse().unwrap(),
            moved_to: None,
            created_at: Timestamp::default(),
            by: Actor::platform(),
        };
        let (whole, part) = (domain("/"), domain("/api"));
        let begun = world.store.transact::<_, StoreError, _>(move |tx| {
            tx.put(&App::new("shop".parse().unwrap(), Timestamp::default()))?;
            tx.put(&whole)?;
            tx.put(&part)
        });
        begun.await.unwrap();
        world
    }

    async fn put(&self, certificate: Certificate) {
        self.store.transact::<_, StoreError, _>(move |tx| tx.put(&certificate)).await.unwrap();
    }

    /// Brings one, whose sealed key is this text.
    async fn supply(&self, key: &str) -> Certificate {
        let (supplied, key, now) = (own(), Sealed(key.to_owned()), Timestamp::default());
        let work = move |tx: &mut Transaction<'_>| supply(tx, &name(), supplied, key, &by(), now);
        self.store.transact(work).await.unwrap()
    }

    async fn remove(&self) -> Result<Certificate, String> {
        let work = |tx: &mut Transaction<'_>| remove(tx, &name(), &by(), Timestamp::default());
        self.store.transact(work).await.map_err(|refusal| said(&refusal))
    }

    async fn retry(&self) -> Result<Certificate, String> {
        let done = self.store.transact(|tx| retry(tx, &name())).await;
        done.map_err(|refusal| said(&refusal))
    }

    /// Its issuer vouched for what is on record.
    async fn vouch(&self, serial: &str) {
        let (from, until) = (Timestamp::default(), Timestamp::from_millis(1));
        let word = IssuerWord {
            name: name(),
            serial: serial.to_owned(),
            good: Some(Vouched { response: String::new(), from, until }),
            attempts: 0,
            next: Some(until),
        };
        self.store.transact::<_, StoreError, _>(move |tx| tx.put(&word)).await.unwrap();
    }

    fn on_record(&self) -> Option<Certificate> {
        self.store.snapshot().get::<Certificate>(&name().as_str().to_owned()).unwrap()
    }

    fn word(&self) -> Option<IssuerWord> {
        self.store.snapshot().get::<IssuerWord>(&name().as_str().to_owned()).unwrap()
    }

    fn diary(&self) -> Vec<String> {
        let events = self.store.snapshot().scan::<Event>("shop").unwrap();
        events.into_iter().map(|event| event.text).collect()
    }
}

fn by() -> Actor {
    Actor::platform()
}

fn said(refusal: &Refusal) -> String {
    format!("{refusal}; {}", refusal.hint.clone().unwrap_or_default())
}

fn key(certificate: &Certificate) -> Option<&str> {
    let issued: Option<&Issued> = certificate.issued.as_ref();
    issued.map(|issued| issued.key.0.as_str())
}

#[tokio::test]
async fn a_users_own_takes_the_place_of_the_platforms() {
    let world = World::new().await;
    world.put(acme(failing())).await;
    let brought = world.supply("sealed").await;
    assert_eq!(world.on_record().as_ref(), Some(&brought));
    let (source, state) = (CertificateSource::Supplied, CertificateState::Issued);
    assert_eq!((brought.source, &brought.state, key(&brought)), (source, &state, Some("sealed")));
    assert!(brought.alarms.is_empty(), "the alarms of the one before are not its own");
    assert_eq!(brought.issued.unwrap().renew_at, None);
    // Two paths of one app: it is told once.
    assert_eq!(world.diary(), ["a certificate was brought for www.example.com"]);
}

#[tokio::test]
async fn what_an_issuer_said_goes_with_the_certificate() {
    let world = World::new().await;
    let first = world.supply("first").await;
    world.vouch(&first.issued.unwrap().serial).await;
    let second = world.supply("second").await;
    assert_eq!((key(&second), world.word()), (Some("second"), None));
    world.vouch(&second.issued.unwrap().serial).await;
    world.remove().await.unwrap();
    assert_eq!((world.on_record(), world.word()), (None, None));
    assert_eq!(world.diary().last().unwrap(), "the certificate of www.example.com was taken back");
}

#[tokio::test]
async fn only_a_users_own_is_taken_back() {
    let world = World::new().await;
    let told = world.remove().await.unwrap_err();
    assert!(told.contains("there is none, and none is wanted"), "{told}");
    assert!(told.contains("`paas certs` lists"), "{told}");
    world.put(acme(CertificateState::Wanted)).await;
    let told = world.remove().await.unwrap_err();
    assert!(told.contains("the platform cares for it"), "{told}");
    assert!(told.contains("`paas domains remove www.example.com`"), "{told}");
    assert_eq!(world.on_record(), Some(acme(CertificateState::Wanted)));
    assert!(world.diary().is_empty());
}

#[tokio::test]
async fn only_what_failed_is_tried_again() {
    let world = World::new().await;
    let told = world.retry().await.unwrap_err();
    assert!(told.contains("there is none"), "{told}");
    world.put(acme(failing())).await;
    assert_eq!(world.retry().await.unwrap().state, CertificateState::Wanted);
    assert_eq!(world.on_record(), Some(acme(CertificateState::Wanted)));
    // It is under way already, and that is no mistake.
    assert_eq!(world.retry().await.unwrap().state, CertificateState::Wanted);
    world.put(acme(CertificateState::Issued)).await;
    let told = world.retry().await.unwrap_err();
    assert!(told.contains("it is there, and is renewed by itself"), "{told}");
    world.supply("sealed").await;
    let told = world.retry().await.unwrap_err();
    assert!(told.contains("it is your own, and nobody is asked for it"), "{told}");
    assert!(told.contains("`paas certs add www.example.com"), "{told}");
}

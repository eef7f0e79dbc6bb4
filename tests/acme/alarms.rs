//! People are told in time, and once, that a certificate ends which nobody renews.
//!
//! No clock is moved: the certificate is, closer and closer to its end, with everything else on its
//! record as control left it. To control it is the same.

use std::time::Duration;

use paas::{
    clock,
    model::{Certificate, CertificateSource, CertificateState, Issued, Timestamp},
    pki::Chain,
    store::{self, View, sealing::certificate_context},
};
use rcgen::{CertificateParams, KeyPair};

use crate::stage::Stage;

const DAY: Duration = Duration::from_hours(24);
const LIFE: Duration = Duration::from_hours(24 * 90);
/// Long enough that it is not due yet when it is recorded.
const SOON: Duration = Duration::from_millis(400);

/// The record of a certificate that a user has supplied, with so much time left.
fn supplied(stage: &Stage, name: &str, left: Duration) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let chain = own.pem();
    let read = Chain::read(&chain).unwrap();
    let name = name.parse().unwrap();
    let sealed = stage.sealing.seal(&certificate_context(&name), key.serialize_pem().as_bytes());
    let (not_before, not_after) = span(left);
    let issued = Issued {
        chain,
        key: sealed,
        names: read.names,
        issuer: read.issuer,
        serial: read.serial,
        not_before,
        not_after,
        renew_at: None,
    };
    Certificate {
        name,
        source: CertificateSource::Supplied,
        state: CertificateState::Issued,
        issued: Some(issued),
        alarms: Vec::new(),
    }
}

fn span(left: Duration) -> (Timestamp, Timestamp) {
    let end = clock::now().plus(left);
    (Timestamp::from_millis(end.as_millis() - i64::try_from(LIFE.as_millis()).unwrap()), end)
}

async fn put(stage: &Stage, certificate: Certificate) {
    stage.store.transact::<_, store::StoreError, _>(move |tx| tx.put(&certificate)).await.unwrap();
}

/// Lets so much time be left of a certificate.
async fn leave(stage: &Stage, name: &str, left: Duration) {
    let key = name.to_owned();
    let moved = stage.store.transact::<_, store::StoreError, _>(move |tx| {
        let mut certificate = tx.get::<Certificate>(&key)?.unwrap();
        let issued = certificate.issued.as_mut().unwrap();
        (issued.not_before, issued.not_after) = span(left);
        tx.put(&certificate)
    });
    moved.await.unwrap();
}

/// What the app's diary says of ends.
fn told(stage: &Stage) -> Vec<String> {
    stage.diary().into_iter().filter(|text| text.contains(" ends at ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_certificate_is_told_at_twenty_seven_and_one_days_and_once_each() {
    let mut stage = Stage::set().await;
    stage.start();
    stage.add("www.shop.test").await;
    put(&stage, supplied(&stage, "www.shop.test", DAY * 20 + SOON)).await;
    for (index, days) in [20_u16, 7, 1].into_iter().enumerate() {
        leave(&stage, "www.shop.test", DAY * u32::from(days) + SOON).await;
        let rung = |found: &Certificate| found.alarms.contains(&days);
        let rung = stage.until("www.shop.test", rung).await;
        let end = rung.issued.unwrap().not_after;
        assert!(end.since(clock::now()) <= DAY * u32::from(days), "not before its time");
        let told = told(&stage);
        assert_eq!(told.len(), index + 1, "{told:?}");
        assert_eq!(told[index], format!("certificate of www.shop.test ends at {end}"));
    }

    // Neither a later pass nor another daemon says any of it again. That both have looked is seen
    // by a name behind it in the order, whose only alarm is the nearest one.
    for name in ["xa.shop.test", "xb.shop.test"] {
        stage.add(name).await;
        put(&stage, supplied(&stage, name, DAY / 2)).await;
        stage.until(name, |found| !found.alarms.is_empty()).await;
        stage.kill().await;
        stage.start();
    }
    let told = told(&stage);
    let of = |name: &str| told.iter().filter(|text| text.contains(name)).count();
    assert_eq!((of("www."), of("xa."), of("xb.")), (3, 1, 1), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_that_a_user_supplied_is_told_to_the_app_that_needs_it() {
    let mut stage = Stage::set().await;
    stage.start();
    stage.add("www.shop.test").await;
    put(&stage, supplied(&stage, "*.shop.test", DAY)).await;
    stage.until("*.shop.test", |found| !found.alarms.is_empty()).await;
    let told = told(&stage);
    assert!(
        told.len() == 1 && told[0].starts_with("certificate of *.shop.test ends at "),
        "{told:?}"
    );
}

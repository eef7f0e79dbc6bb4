//! Names get certificates.

use paas::{control::certificates::ZoneOf, model::IssuerWord, pki::Inquiry, store::View as _};
use tokio::net::TcpListener;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_here_gets_a_certificate_over_http() {
    let (stage, _pebble) = Stage::with_pebble(|_, _| {}).await;
    stage.add("www.shop.test").await;
    let certificate = stage.until_issued("www.shop.test").await;
    let issued = certificate.issued.unwrap();
    assert_eq!(issued.names, ["www.shop.test"]);
    assert!(issued.issuer.contains("Pebble"), "{}", issued.issuer);
    assert!(issued.renew_at.unwrap() < issued.not_after);
    assert!(!issued.key.0.contains("PRIVATE"));
    let diary = stage.diary();
    assert_eq!(diary.len(), 1, "{diary:?}");
    assert!(diary[0].contains("certificate of www.shop.test issued by"), "{diary:?}");
    assert!(stage.presented.borrow().answers.is_empty(), "proofs are taken down");
    stage.remove("www.shop.test").await;
    let mut presented = stage.presented.clone();
    presented.wait_for(|shown| shown.hosts.is_empty()).await.unwrap();
    assert_eq!(stage.certificate("www.shop.test"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_is_proved_by_our_own_dns() {
    let (stage, _pebble) = Stage::with_pebble(|_, _| {}).await;
    stage.add("*.shop.test").await;
    let certificate = stage.until_issued("*.shop.test").await;
    assert_eq!(certificate.issued.unwrap().names, ["*.shop.test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_spent_on_a_name_that_leads_elsewhere() {
    let (stage, pebble) = Stage::with_pebble(|_, _| {}).await;
    stage.add("www.elsewhere.test").await;
    let (attempts, reason, hint) = stage.until_failing("www.elsewhere.test").await;
    assert_eq!(attempts, 1);
    assert!(reason.contains("www.elsewhere.test"), "{reason}");
    assert!(hint.unwrap().contains("paas domains check") || reason.contains("no address"));
    assert_eq!(pebble.orders(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_proved_over_tls_where_port_80_is_not_ours() {
    let (stage, pebble) = Stage::with_pebble(|behaviour, settings| {
        settings.http_port = None;
        settings.tls_port = Some(behaviour.tls);
    })
    .await;
    stage.add("tls.shop.test").await;
    stage.until_issued("tls.shop.test").await;
    assert!(stage.presented.borrow().challenges.is_empty(), "proofs are taken down");
    assert!(pebble.log().contains("tls-alpn-01") || pebble.orders() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_elsewhere_needs_an_alias_into_our_zone() {
    let (stage, _pebble) = Stage::with_pebble(|_, settings| {
        settings.platform.zone = ZoneOf::Us;
    })
    .await;
    stage.add("*.far.test").await;
    let (_, reason, hint) = stage.until_failing("*.far.test").await;
    assert!(reason.contains("_acme-challenge.far.test"), "{reason}");
    let record = "_acme-challenge.far.test CNAME far.test.acme.paas.test";
    assert!(hint.unwrap().contains(record));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_own_names_are_proved_by_dns() {
    let (stage, _pebble) = Stage::with_pebble(|_, settings| {
        settings.platform.zone = ZoneOf::Us;
    })
    .await;
    stage.until_issued("*.paas.test").await;
    stage.until_issued("paas.test").await;
}

/// What the platform gets is replaced in time; only what users bring is asked about.
#[tokio::test(flavor = "multi_thread")]
async fn an_authoritys_responder_is_left_in_peace() {
    let responder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", responder.local_addr().unwrap());
    let named = url.clone();
    let (stage, _pebble) =
        Stage::with_pebble(move |behaviour, _| behaviour.responder = Some(named)).await;
    stage.add("www.shop.test").await;
    let issued = stage.until_issued("www.shop.test").await.issued.unwrap();
    assert_eq!(Inquiry::about(&issued.chain).map(|inquiry| inquiry.responder), Some(url));
    // Another name's whole order later nobody has asked.
    stage.add("more.shop.test").await;
    stage.until_issued("more.shop.test").await;
    assert_eq!(stage.store.snapshot().scan::<IssuerWord>(&()).unwrap(), []);
    let asked = std::future::poll_fn(|context| {
        std::task::Poll::Ready(responder.poll_accept(context).is_ready())
    });
    assert!(!asked.await);
}

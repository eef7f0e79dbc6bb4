//! Names get certificates.

use paas::model::CertificateState;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_here_gets_a_certificate_over_http() {
    let (stage, _pebble) = Stage::with_pebble(|_| {}).await;
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
    let (stage, _pebble) = Stage::with_pebble(|_| {}).await;
    stage.add("*.shop.test").await;
    let certificate = stage.until_issued("*.shop.test").await;
    assert_eq!(certificate.issued.unwrap().names, ["*.shop.test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_spent_on_a_name_that_leads_elsewhere() {
    let (stage, pebble) = Stage::with_pebble(|_| {}).await;
    stage.add("www.elsewhere.test").await;
    let (attempts, reason, hint) = stage.until_failing("www.elsewhere.test").await;
    assert_eq!(attempts, 1);
    assert!(reason.contains("www.elsewhere.test"), "{reason}");
    assert!(hint.unwrap().contains("paas domains check") || reason.contains("no address"));
    assert_eq!(pebble.orders(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_survives_a_kill_at_any_moment() {
    let (mut stage, pebble) = Stage::with_pebble(|_| {}).await;
    for round in 0..4 {
        let name = format!("kill{round}.shop.test");
        stage.add(&name).await;
        let under_way = stage
            .until(&name, |found| {
                matches!(found.state, CertificateState::Ordering { .. } | CertificateState::Issued)
            })
            .await;
        stage.kill().await;
        stage.start();
        let issued = stage.until_issued(&name).await;
        if let CertificateState::Ordering { order, .. } = under_way.state {
            assert!(!order.is_empty() && issued.issued.is_some());
        }
    }
    assert_eq!(pebble.orders(), 4, "no order is placed twice");
}

//! Authorities that say no, say later, or say nothing.

use std::sync::{Arc, Mutex};

use paas::{acme::External, clock, model::Timestamp};
use serde_json::json;

use crate::{
    front::{Answer, Front, urls},
    pebble::{Behaviour, Pebble, directory},
    ports::free_port,
    stage::Stage,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_not_found_fails_in_the_authoritys_words() {
    let (stage, pebble) = Stage::with_pebble(|behaviour, _| behaviour.http = behaviour.tls).await;
    stage.add("www.shop.test").await;
    let (attempts, reason, hint) = stage.until_failing("www.shop.test").await;
    assert_eq!((attempts, pebble.orders()), (1, 1));
    assert!(reason.contains("acme-challenge"), "{reason}");
    assert!(hint.unwrap().contains("paas domains check www.shop.test"));
    let diary = stage.diary();
    assert!(diary[0].starts_with("certificate of www.shop.test failed: "), "{diary:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_was_down_is_asked_again() {
    let port = free_port();
    let mut stage = Stage::set().await;
    stage.settings.directories = vec![directory(port)];
    stage.start();
    stage.add("www.shop.test").await;
    let (_, reason, hint) = stage.until_failing("www.shop.test").await;
    assert!(reason.contains("cannot be reached"), "{reason}");
    assert!(hint.unwrap().contains("port 443"));
    let behaviour = Behaviour { port, ..Behaviour::new(stage.dns, stage.http, stage.tls) };
    let pebble = Pebble::start(&behaviour).await;
    stage.kill().await;
    stage.settings.acme.root = Some(pebble.root());
    stage.start();
    stage.retry("www.shop.test").await;
    stage.until_issued("www.shop.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_authority_is_asked_when_the_first_fails_thrice() {
    let dead = directory(free_port());
    let (stage, pebble) =
        Stage::with_pebble(|_, settings| settings.directories = vec![dead.clone()]).await;
    stage.add("www.shop.test").await;
    for _ in 0..3 {
        stage.until_failing("www.shop.test").await;
        stage.retry("www.shop.test").await;
    }
    stage.until_issued("www.shop.test").await;
    assert_eq!(pebble.orders(), 1);
    assert!(stage.account(&dead).unwrap().orders.is_empty(), "no order was placed there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_wants_patience_is_left_alone() {
    let mut stage = Stage::set().await;
    let pebble = Pebble::start(&Behaviour::new(stage.dns, stage.http, stage.tls)).await;
    let asked: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
    let (times, urls) = (Arc::clone(&asked), urls(&pebble.directory()));
    let front = Front::start(&pebble, move |_| {
        let mut times = times.lock().unwrap();
        times.push(clock::now());
        match times.len() {
            1 => Answer {
                status: format!("429 Too Many Requests\r\nRetry-After: {PATIENCE}"),
                body: json!({
                    "type": "urn:ietf:params:acme:error:rateLimited",
                    "detail": "come back later",
                }),
            },
            _ => Answer { status: "200 OK".to_owned(), body: urls.clone() },
        }
    })
    .await;
    stage.settings.directories = vec![front.directory.clone()];
    stage.settings.acme.root = Some(front.roots.path().to_owned());
    stage.start();
    stage.add("www.shop.test").await;
    let (_, reason, _) = stage.until_failing("www.shop.test").await;
    assert!(reason.contains("asks for patience: come back later"), "{reason}");
    assert!(stage.account(&front.directory).unwrap().not_before.unwrap() > clock::now());
    // A user's impatience does not change that.
    stage.retry("www.shop.test").await;
    stage.until_issued("www.shop.test").await;
    let asked = asked.lock().unwrap().clone();
    let pause = asked[1].since(asked[0]);
    assert!(pause.as_secs() >= PATIENCE - 1, "asked again after {pause:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_bound_to_one_elsewhere() {
    const KEY: (&str, &str) =
        ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");
    let external = |key: &str| Some(External { id: KEY.0.to_owned(), key: key.to_owned().into() });
    let (mut stage, pebble) = Stage::with_pebble(|behaviour, settings| {
        behaviour.external = Some(KEY);
        settings.acme.external =
            external("AAAAZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");
    })
    .await;
    stage.add("www.shop.test").await;
    let (_, reason, hint) = stage.until_failing("www.shop.test").await;
    assert!(hint.as_deref().unwrap_or_default().contains("acme_external"), "{reason} {hint:?}");
    assert_eq!(pebble.orders(), 0);
    stage.kill().await;
    stage.settings.acme.external = external(KEY.1);
    // Another directory, so that nobody has to wait until the first may be asked again.
    stage.settings.directories = vec![pebble.directory().replace("localhost", "127.0.0.1")];
    stage.start();
    stage.retry("www.shop.test").await;
    stage.until_issued("www.shop.test").await;
    assert_eq!(pebble.orders(), 1);
}

/// Seconds that the busy authority asks for.
const PATIENCE: u64 = 4;

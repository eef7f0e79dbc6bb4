//! The daemon dies in the middle of an order, and the next one goes on with it.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::{pebble::Pebble, stage::Stage};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_survives_a_kill_at_any_request() {
    let (mut stage, pebble) = Stage::with_pebble(|behaviour, _| behaviour.bad_nonces = 5).await;
    stage.add("first.shop.test").await;
    stage.until_issued("first.shop.test").await;
    let requests =
        ["/order-plz", "/authZ/", "/chalZ/", "/my-order/", "/finalize-order/", "/certZ/"];
    for (round, path) in requests.into_iter().enumerate() {
        let name = format!("kill{round}.shop.test");
        let before = count(&pebble, path);
        stage.add(&name).await;
        until(|| count(&pebble, path) > before).await;
        stage.kill().await;
        stage.start();
        stage.until_issued(&name).await;
    }
    // Begun anew are those whose URL was lost with the answer to it, and those whose proof the
    // authority looked for while nobody answered; nothing that was proved is proved again.
    let (orders, begun_anew) = (pebble.orders(), 3);
    let names = 1 + requests.len();
    assert!(orders <= names + begun_anew, "{orders} orders for {names} names");
}

fn count(pebble: &Pebble, path: &str) -> usize {
    pebble.log().matches(&format!("POST {path}")).count()
}

async fn until(what: impl Fn() -> bool) {
    let wait = async {
        while !what() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_mins(1), wait).await.unwrap();
}

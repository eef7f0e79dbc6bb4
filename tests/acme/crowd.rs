//! Two hundred names at once: all get their certificate, a few at a time.

use paas::{control::certificates::Rate, model::CertificateState};
use tokio::time::{Duration, timeout};

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_names_go_through_steadily() {
    let (stage, pebble) = Stage::with_pebble(|behaviour, settings| {
        behaviour.bad_nonces = 15;
        // They are below one registered domain, of which an authority allows fifty a week.
        settings.limits.names = Rate { most: NAMES, ..settings.limits.names };
    })
    .await;
    for number in 0..NAMES {
        stage.add(&format!("n{number:03}.shop.test")).await;
    }
    let mut changes = stage.store.changes();
    let mut most_under_way = 0;
    let all = async {
        loop {
            let states = stage.states();
            most_under_way = most_under_way.max(states.get("ordering").copied().unwrap_or(0));
            assert_eq!(states.get("failing"), None, "{:?}", stage.failures());
            if states.get("issued") == Some(&NAMES) {
                break;
            }
            changes.changed().await.unwrap();
        }
    };
    timeout(Duration::from_mins(5), all).await.expect("all are issued");
    assert!(most_under_way <= 5, "{most_under_way} at once");
    assert_eq!(pebble.orders(), NAMES);
    let last = stage.certificate(&format!("n{:03}.shop.test", NAMES - 1)).unwrap();
    assert_eq!(last.state, CertificateState::Issued);
    let mut presented = stage.presented.clone();
    let all = presented.wait_for(|shown| shown.hosts.len() == NAMES);
    timeout(Duration::from_mins(1), all).await.expect("all are presented").unwrap();
}

const NAMES: usize = 200;

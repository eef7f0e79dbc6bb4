//! Names in a zone of somebody else's, whose `_acme-challenge` is an alias into a zone of ours.

use paas::{control::certificates::ZoneOf, dns::Lookup};

use crate::{
    pebble::{Behaviour, Pebble},
    stage::Stage,
    world::World,
};

/// A platform that answers for its own zone, in a world that also has another's, and can prove
/// names by DNS only.
async fn abroad() -> (Stage, Pebble, World) {
    let mut stage = Stage::set().await;
    let world = World::around(stage.dns).await;
    stage.lookup = Lookup::at(world.at).unwrap();
    stage.settings.platform.zone = ZoneOf::Us;
    stage.settings.http_port = None;
    let pebble = stage.begin(&Behaviour::new(world.at, stage.http, stage.tls)).await;
    (stage, pebble, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn names_elsewhere_are_proved_where_their_aliases_lead() {
    let (stage, pebble, world) = abroad().await;
    world.alias("_acme-challenge.far.test", "far.test.acme.paas.test");
    world.alias("_acme-challenge.www.far.test", "WWW.far.test.acme.PAAS.test");
    // The first two are proved at one place, each beside the other.
    let names = ["far.test", "*.far.test", "www.far.test"];
    for name in names {
        stage.add(name).await;
    }
    for name in names {
        let issued = stage.until_issued(name).await.issued.unwrap();
        assert_eq!(issued.names, [name]);
        assert!(issued.issuer.contains("Pebble"), "{}", issued.issuer);
    }
    assert!(stage.failures().is_empty(), "{:?}", stage.failures());
    assert!(!pebble.log().contains("http-01 challenge"), "{}", pebble.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_leads_astray_is_named_until_it_is_put_right() {
    let (stage, _pebble, world) = abroad().await;
    world.alias("_acme-challenge.far.test", "proofs.elsewhere.test");
    stage.add("*.far.test").await;
    let (_, reason, hint) = stage.until_failing("*.far.test").await;
    assert_eq!(
        reason,
        "_acme-challenge.far.test is an alias of proofs.elsewhere.test, not of \
         far.test.acme.paas.test"
    );
    let record = "_acme-challenge.far.test CNAME far.test.acme.paas.test";
    assert!(hint.unwrap().contains(record));
    world.alias("_acme-challenge.far.test", "far.test.acme.paas.test");
    stage.retry("*.far.test").await;
    stage.until_issued("*.far.test").await;
}

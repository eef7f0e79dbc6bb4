//! Certificates of links that last a minute: they are replaced while visitors go over the links, and whoever loses his
//! link finds the others by the new ones.

use std::time::{Duration, Instant};

use crate::{
    cable::{a_volume_whose_way_is_cut_stays_whole, it_comes_over_when_the_cable_is_mended},
    machine::Machine,
    server::until,
    traffic::Traffic,
    volumes::{KEEPS, Kept},
};

#[test]
fn certificates_are_renewed_under_load_and_a_volume_whose_way_is_cut_stays_whole() {
    let kept = Kept::with(vec![("PAAS_CLUSTER_CERTIFICATE_LASTS", "1m".to_owned())]);
    kept.until_says("one");
    let begun = Instant::now();
    nobody_notices_that_certificates_are_renewed(&kept);
    let digest = a_volume_whose_way_is_cut_stays_whole(&kept);
    // Links that are made from now on are made with none of those with which it all began.
    until("the first certificates have run out", || {
        (begun.elapsed() > Duration::from_secs(61)).then_some(())
    });
    it_comes_over_when_the_cable_is_mended(&kept, &digest);
}

/// What the visitors want is on the machine that leads, and they come to the other.
fn nobody_notices_that_certificates_are_renewed(kept: &Kept) {
    let Kept { one, .. } = kept;
    let before = shown(kept);
    let first = chain(one);
    let visitors = Traffic::at(one.edge(), KEEPS);
    let begun = Instant::now();
    until("both have shown two new certificates", || {
        let now = shown(kept);
        (0..2).all(|side| now[side] >= before[side] + 2).then_some(())
    });
    let took = begun.elapsed();
    assert_ne!(chain(one), first);
    let (pages, count) = visitors.were_answered();
    assert_eq!(pages, ["one"]);
    println!(
        "{count} requests over a link in {took:?}, in which both sides showed two new certificates: none failed"
    );
}

/// How often either side has shown a new one.
fn shown(kept: &Kept) -> [usize; 2] {
    let all = [kept.server().log(), kept.one.log()];
    all.map(|log| log.matches("shows a new certificate on links").count())
}

fn chain(machine: &Machine) -> String {
    std::fs::read_to_string(machine.data().join("node/chain.pem")).unwrap()
}

//! Three machines that keep the records: whichever is lost, nothing that was saved is, and another leads.

use std::{net::Ipv4Addr, time::Instant};

use crate::{
    APP, Stage,
    machine::Machine,
    public::{Asker, publish, until_answers},
    server::{Server, says, until},
    three::Three,
};

#[test]
fn whichever_of_three_is_lost_another_leads_and_nothing_saved_is_lost() {
    let three = Three::join(None);
    odd_numbers_only(&three.stage.server);
    three.promote();
    let Three { mut stage, mut one, mut two, user, page, .. } = three;
    let server = &stage.server;
    user.run(server, &["nodes", "label", "edge-1", "saved=yes"]).ok();
    publish(|arguments| user.run(server, arguments));
    let (at, others) = (stage.bed.address(), [&one, &two].map(|one| one.port().address()));
    let is_said = |text: &str, machines: &[Ipv4Addr]| {
        for at in machines {
            until_answers(*at, &["text.shop.test", "TXT"], &[format!("\"{text}\"")]);
        }
    };
    is_said("hello", &[&[at], &others[..]].concat());

    // Whoever leads dies.
    let asker = Asker::of(others.to_vec());
    stage.server.kill9();
    let killed = Instant::now();
    let server = &stage.server;
    let leader = user.leader(server);
    println!("{:?} until {leader} answered after the death of the leader", killed.elapsed());
    assert_ne!(leader, "box");
    let nodes = user.nodes(server);
    let saved = nodes.iter().find(|one| one["name"] == "edge-1").unwrap();
    assert_eq!(saved["labels"]["saved"], "yes");
    for machine in [&one, &two] {
        machine.until_shows(APP, &page);
    }
    user.until_does(server, &["nodes", "label", "edge-2", "saved=too"]);
    user.until_is(server, "box", "down");
    println!("{} questions to the DNS of the others meanwhile", asker.all_was_answered());
    user.until_does(server, &["dns", "remove", "text.shop.test", "TXT"]);
    user.until_does(server, &["dns", "add", "text.shop.test", "TXT", "next"]);
    is_said("next", &others);

    // It comes back, and follows.
    stage.server.start_daemon(&[]);
    let server = &stage.server;
    user.until_is(server, "box", "up");
    assert_eq!(user.leader(server), leader);
    is_said("next", &[at]);
    // Whoever is root on a machine that keeps the records is an administrator there, too, and is led on as well.
    server.paas(&["nodes", "label", "edge-1", "near=yes"]).ok();
    let nodes = server.paas(&["nodes", "--json"]).json();
    let nodes = nodes.as_array().unwrap();
    assert!(nodes.iter().any(|one| one["name"] == "edge-1" && one["labels"]["near"] == "yes"));
    assert!(nodes.iter().any(|one| one["name"] == *leader && one["state"] == "control"));

    // Whoever leads now is cut off.
    let (cut, whole) = if leader == "edge-1" { (&mut one, &mut two) } else { (&mut two, &mut one) };
    cut.port().cut();
    let parted = Instant::now();
    let next = until("another leads", || {
        let next = user.leader(server);
        (next != leader).then_some(next)
    });
    println!("{:?} until {next} answered after {leader} was cut off", parted.elapsed());
    whole.until_shows(APP, &page);
    user.until_does(server, &["nodes", "label", "box", "saved=too"]);
    cut.port().mend();
    user.until_is(server, &leader, "up");
    cut.until_shows(APP, &page);
    let labels: Vec<_> =
        user.nodes(server).iter().map(|one| one["labels"]["saved"].clone()).collect();
    assert!(labels.iter().all(|saved| saved == "yes" || saved == "too"), "{labels:?}");
}

fn odd_numbers_only(server: &Server) {
    let refused = server.paas(&["nodes", "promote", "edge-1"]).ended(1);
    says(&refused, &["hint: ", "paas nodes promote edge-1 edge-2"]);
    let refused = server.paas(&["nodes", "promote", "nobody"]).ended(1);
    says(&refused, &["nobody", "hint: "]);
}

#[test]
fn a_change_that_is_cut_short_is_gone_on_with_by_the_same_command() {
    let mut stage = Stage::set();
    let page = stage.deploy("first");
    let mut one = Machine::join(&stage.server, "edge-1", stage.bed.plug(1));
    let two = Machine::join(&stage.server, "edge-2", stage.bed.plug(2));
    let all_are_up = |stage: &Stage| ["edge-1", "edge-2"].map(|node| stage.until_is(node, "up"));
    let promote = ["nodes", "promote", "edge-1", "edge-2"];
    let demote = ["nodes", "demote", "edge-1", "edge-2"];
    for point in ["council.founded", "council.charged"] {
        stage.server.terminate();
        stage.server.ended();
        stage.server.start_again(&[("PAAS_FAULT", point)]);
        all_are_up(&stage);
        assert_ne!(stage.server.paas(&promote).code, 0, "{point}");
        assert!(!stage.server.ended().success());
        stage.server.start_again(&[]);
        all_are_up(&stage);
    }
    one.kill9();
    one.start_with(&stage.server, &[("PAAS_FAULT", "council.resigned")]);
    all_are_up(&stage);
    assert!(keeps(&stage.server).len() <= 1, "nobody counts yet whom the leader has only asked");
    stage.server.paas(&promote).ok();
    assert_eq!(keeps(&stage.server), ["box", "edge-1", "edge-2"]);

    says(&stage.server.paas(&demote).ended(1), &["edge-1", "hint: "]);
    one.died();
    assert!(one.has_records());
    one.start(&stage.server);
    all_are_up(&stage);
    stage.server.paas(&demote).ok();
    assert!(keeps(&stage.server).len() <= 1);
    until("nobody has any records left", || {
        (!one.has_records() && !two.has_records()).then_some(())
    });
    all_are_up(&stage);
    for machine in [&one, &two] {
        machine.until_shows(APP, &page);
    }

    // A node that dies when it has just accepted is a member all the same when it is back.
    one.kill9();
    one.start_with(&stage.server, &[("PAAS_FAULT", "council.accepted")]);
    all_are_up(&stage);
    says(&stage.server.paas(&promote).ended(1), &["edge-1", "hint: "]);
    one.died();
    one.start(&stage.server);
    all_are_up(&stage);
    stage.server.paas(&promote).ok();
    assert_eq!(keeps(&stage.server), ["box", "edge-1", "edge-2"]);
}

/// Who keeps the records.
fn keeps(server: &Server) -> Vec<String> {
    let nodes = server.paas(&["nodes", "--json"]).json();
    let keep = nodes.as_array().unwrap().iter().filter(|one| one["keeps_records"] == true);
    keep.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

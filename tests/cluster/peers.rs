//! Nodes and the links between them: what visitors of one are answered by the instances of another, also while
//! nobody controls.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    APP, Stage,
    http::Request,
    machine::Machine,
    public::{publish, until_leads_to},
    server::{Server, until},
};

/// Visitors of another node come through to both machines while the two nodes are apart, and to the node while the
/// control is dead, even if all daemons of nodes begin anew; and each machine answers for the names. It is left so.
pub(crate) fn visitors_come_through_whoever_is_cut_off(stage: &mut Stage, one: &mut Machine) {
    let mut two = Machine::join(&stage.server, "edge-2", stage.bed.plug(2));
    until("edge-2 serves", || two.get(APP).ok().filter(|answer| answer.status == 200));
    let (there, all) = (names(&stage.server, "edge-1"), names(&stage.server, ""));
    assert_eq!((there.len(), all.len()), (2, 4));
    until_answered(&two, &all);

    two.port().part(one.port());
    let longest = until_answered(&two, &all);
    println!(
        "two nodes were apart and visitors went round: none failed, the longest took {longest:?}"
    );
    let apart = |node: &str| format!("reaches {node} by way of the control only");
    until("it is shown that they are apart", || {
        let shown = stage.server.paas(&["nodes"]).ok();
        ["edge-1", "edge-2"].iter().all(|node| shown.contains(&apart(node))).then_some(())
    });
    two.port().meet(one.port());
    until("they have met", || {
        (!stage.server.paas(&["nodes"]).ok().contains("by way of")).then_some(())
    });

    publish(|arguments| stage.server.paas(arguments));
    let machines = [stage.bed.address(), one.port().address(), two.port().address()];
    for machine in machines {
        until_leads_to(machine, &machines);
    }

    stage.server.kill9();
    let longest = until_answered(&two, &there);
    println!(
        "the control was dead, and visitors went straight: none failed, the longest took {longest:?}"
    );

    let begun = Instant::now();
    for machine in [&mut *one, &mut two] {
        machine.kill9();
        machine.start(&stage.server);
    }
    let served = |machine: &Machine| machine.get(APP).ok().filter(|answer| answer.status == 200);
    until("the nodes serve again", || Some((served(one)?, served(&two)?)));
    println!(
        "the control was dead and both nodes' daemons began anew: they served {:?} later",
        begun.elapsed()
    );
    until_answered(one, &there);
    until_answered(&two, &there);
    for machine in [one, &mut two] {
        until_leads_to(machine.port().address(), &machines);
    }
}

/// What the instances on a machine are called, or on any.
fn names(server: &Server, node: &str) -> BTreeSet<String> {
    let shown = server.ps(APP);
    let on = shown.iter().filter(|one| one["node"].as_str().unwrap().contains(node));
    on.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// Asks a machine's edge until each of these has answered, and fails unless each request is answered; how long the
/// longest took.
fn until_answered(machine: &Machine, expected: &BTreeSet<String>) -> Duration {
    let (mut answered, mut longest) = (BTreeSet::new(), Duration::ZERO);
    until(&format!("{expected:?} have answered"), || {
        let begun = Instant::now();
        let host = format!("{APP}.localhost");
        let answer = Request::get(&host, "/env/PAAS_PROCESS").at(machine.edge()).unwrap();
        longest = longest.max(begun.elapsed());
        assert_eq!(answer.status, 200, "{}", answer.text());
        answered.insert(answer.text());
        expected.is_subset(&answered).then_some(())
    });
    longest
}

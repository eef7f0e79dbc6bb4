//! Placement: on which machine an instance is started.

use std::collections::BTreeSet;

use super::{
    notation::{self, Situation},
    written,
};
use crate::{
    clock,
    control::apps::{
        placement::{Machine, Seating, images},
        plan::plan,
    },
    engine::Seat,
    model::{ByteSize, ControlLabels, ImageId, Labels, Node, NodeName},
    store::{self, Store, StoreError, StoreOptions},
};

/// What a machine lacks.
pub(super) enum Lacks {
    Nothing,
    /// The images, which are on their way.
    Images,
    /// The same, and they do not get there.
    ImagesForLong,
    /// It is away.
    Everything,
    /// It is `box`, and nobody can be sent them.
    Sources,
}

/// These machines besides `box`, which controls: `NAME`, and then any of `KEY=VALUE`, `drained`, and its memory such
/// as `2gib`, if that is not one.
pub(super) fn machines(nodes: &[(&str, Lacks)], all: &BTreeSet<ImageId>) -> Vec<Machine> {
    let machine = |(text, lacks): &(&str, Lacks)| {
        let (machine, memory) = machine(text);
        let there = matches!(lacks, Lacks::Nothing);
        let given_up = matches!(lacks, Lacks::ImagesForLong | Lacks::Sources);
        let seat = Seat {
            node: (!machine.is_here).then(|| machine.name.clone()),
            images: (!machine.is_here).then(|| all.iter().filter(|_| there).cloned().collect()),
            wanting: all.iter().filter(|_| given_up).cloned().collect(),
            memory: Some(memory),
        };
        Machine { seat: (!matches!(lacks, Lacks::Everything)).then_some(seat), ..machine }
    };
    let own = [("box", Lacks::Nothing)];
    let own = own.iter().filter(|_| !nodes.iter().any(|(text, _)| text.starts_with("box")));
    let mut machines: Vec<Machine> = own.chain(nodes).map(machine).collect();
    machines.sort_by_key(|machine| !machine.is_here);
    machines
}

/// What is planned with these machines.
#[track_caller]
pub(super) fn check(situation: &str, nodes: &[(&str, Lacks)], expected: &str) {
    let Situation { mut state, seen, now } = notation::read(situation);
    let machines = machines(nodes, &images([&state].into_iter()));
    let name = state.app.name.clone();
    let there = seen.iter().map(|observed| observed.instance.clone()).collect();
    let states = [(name.clone(), state.clone())].into();
    let mut seating = Seating::of(machines, &states, &[(name, there)].into());
    state.nowhere = seating.nowhere(&state);
    let mut plan = plan(&state, &seen, now);
    seating.place(&mut plan, &seen);
    let lines = |text: &str| text.trim().lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>();
    let planned = written(&plan);
    assert!(lines(&planned) == lines(expected), "the plan is:\n{planned}");
}

fn machine(text: &str) -> (Machine, ByteSize) {
    let mut words = text.split(' ');
    let name = words.next().unwrap();
    let mut labels: Labels = [("node".parse().unwrap(), name.parse().unwrap())].into();
    let (mut drained, mut memory) = (false, ByteSize::mib(1024));
    for word in words {
        match word.split_once('=') {
            Some((key, value)) => {
                labels.insert(key.parse().unwrap(), value.parse().unwrap());
            }
            None if word == "drained" => drained = true,
            None => memory = word.parse().unwrap(),
        }
    }
    let (is_here, name) = (name == "box", name.parse().unwrap());
    (Machine { name, labels, drained, is_here, seat: None }, memory)
}

#[test]
fn instances_spread_over_the_machines() {
    check(
        "now 50
         release v1 web=5
         current v1.0
         a web.1 v1.0 running 10 ready",
        &[("a", Lacks::Nothing), ("b", Lacks::Nothing)],
        "start web.2 of v1.0 attempt 0 on a
         start web.3 of v1.0 attempt 0 on b
         start web.4 of v1.0 attempt 0
         start web.5 of v1.0 attempt 0 on a",
    );
}

#[test]
fn a_new_release_spreads_by_itself_whoever_is_there_of_the_old() {
    check(
        "now 50
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout starting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready on a
         b web.2 v1.0 running 10 ready on a",
        &[("a", Lacks::Nothing)],
        "start web.1 of v2.0 attempt 0
         start web.2 of v2.0 attempt 0 on a
         look again at 170",
    );
}

#[test]
fn who_was_made_is_started_where_it_is() {
    check(
        "now 50
         release v1 web=1
         current v1.0
         a web.1 v1.0 created on b",
        &[("a", Lacks::Nothing), ("b", Lacks::Nothing)],
        "start web.1 of v1.0 attempt 0 on b",
    );
}

#[test]
fn a_machine_that_is_getting_the_image_is_waited_for_and_not_for_long() {
    let situation = "now 50
         release v1 web=2
         current v1.0
         a web.1 v1.0 running 10 ready";
    check(situation, &[("a", Lacks::Images)], "nothing");
    check(situation, &[("a", Lacks::ImagesForLong)], "start web.2 of v1.0 attempt 0");
}

#[test]
fn who_has_an_image_that_nobody_can_be_sent_gets_all_of_its_instances() {
    let situation = "now 60
         release v1 web=2
         rollout starting none > v1.0 since 50";
    check(
        situation,
        &[("box", Lacks::Sources), ("a", Lacks::Nothing), ("b", Lacks::Images)],
        "start web.1 of v1.0 attempt 0 on a
         start web.2 of v1.0 attempt 0 on a
         look again at 170",
    );
    check(
        situation,
        &[("box", Lacks::Sources), ("b", Lacks::Images)],
        "rollout 1 failed: v1 failed: there is no machine for web.1: the image of v1 is not on this machine any \
         more; `paas deploy` builds it anew",
    );
}

#[test]
fn nothing_is_started_on_a_machine_that_is_drained() {
    check(
        "now 50
         release v1 web=2
         current v1.1
         rollout starting v1.0 > v1.1 since 50
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready on a",
        &[("a drained", Lacks::Nothing), ("b", Lacks::Nothing)],
        "start web.1 of v1.1 attempt 0 on b
         start web.2 of v1.1 attempt 0
         look again at 170",
    );
}

#[test]
fn who_has_a_volume_stays_with_it() {
    check(
        "now 50
         release v1 web=2 worker=1
         disk worker data
         current v1.0",
        &[("a", Lacks::Nothing)],
        "start web.1 of v1.0 attempt 0
         start web.2 of v1.0 attempt 0 on a
         start worker.1 of v1.0 attempt 0",
    );
}

#[test]
fn processes_that_find_each_other_by_names_need_not_be_together() {
    check(
        "now 50
         release v1 api=1 web=2
         port api 9000
         current v1.0",
        &[("a", Lacks::Nothing)],
        "start api.1 of v1.0 attempt 0
         start web.1 of v1.0 attempt 0 on a
         start web.2 of v1.0 attempt 0",
    );
}

#[test]
fn what_a_lost_machine_had_is_started_elsewhere_and_is_too_much_when_it_is_back() {
    check(
        "now 50
         release v1 web=2
         current v1.0
         a web.1 v1.0 running 10 ready",
        &[],
        "start web.2 of v1.0 attempt 0",
    );
    check(
        "now 50
         release v1 web=2
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 20 ready on a unrouted 50
         c web.2 v1.0 running 40 ready",
        &[("a", Lacks::Nothing)],
        "terminate web.2 b",
    );
    // However often who took its place had to be started.
    check(
        "now 50
         release v1 web=1
         current v1.0
         b web.1 v1.0 running 20 ready on a unrouted 50
         c web.1 v1.0 #1 running 40 ready",
        &[("a", Lacks::Nothing)],
        "terminate web.1 b",
    );
}

#[test]
fn instances_go_where_the_labels_are_that_they_ask_for() {
    let situation = "now 50
         release v1 web=3 worker=1
         place web zone=a
         place worker node=box
         current v1.0";
    check(
        situation,
        &[("a zone=a", Lacks::Nothing), ("b zone=b", Lacks::Nothing), ("c zone=a", Lacks::Nothing)],
        "start web.1 of v1.0 attempt 0 on a
         start web.2 of v1.0 attempt 0 on c
         start web.3 of v1.0 attempt 0 on a
         start worker.1 of v1.0 attempt 0",
    );
    // Nobody is started where there is none of them, and who is there stays.
    check(
        "now 50
         release v1 web=2
         place web zone=a
         current v1.0
         a web.1 v1.0 running 10 ready on b",
        &[("b zone=b", Lacks::Nothing)],
        "nothing",
    );
}

#[test]
fn a_rollout_waits_a_moment_for_a_machine_to_be_there() {
    let situation = |now: u32| {
        format!(
            "now {now}
             release v1 web=1
             release v2 web=1
             place web zone=a disk=ssd
             current v1.0
             rollout starting v1.0 > v2.0 since 50
             a web.1 v1.0 running 10 ready"
        )
    };
    check(&situation(59), &[], "look again at 60");
    let of = |nodes: &[(&str, Lacks)], why: &str| {
        let expected = format!(
            "rollout 1 failed: v2 failed: there is no machine for web.1: {why}; v1 serves on"
        );
        check(&situation(60), nodes, &expected);
    };
    of(&[("a zone=a", Lacks::Nothing)], "no machine has disk=ssd and zone=a");
    of(
        &[
            ("a zone=a disk=ssd drained", Lacks::Nothing),
            ("b zone=a disk=ssd", Lacks::Everything),
            ("c zone=a", Lacks::Nothing),
        ],
        "of those that have disk=ssd and zone=a, a is drained, b runs no instances now",
    );
}

#[test]
fn who_has_to_stay_here_is_nowhere_if_here_is_not_what_it_asks_for() {
    check(
        "now 60
         release v1 worker=1
         disk worker data
         place worker zone=a
         rollout starting none > v1.0 since 50",
        &[("a zone=a", Lacks::Nothing)],
        "rollout 1 failed: v1 failed: there is no machine for worker.1: its volume is on box, which does \
         not have zone=a",
    );
}

#[test]
fn a_machine_whose_memory_is_promised_already_is_taken_last() {
    let situation = "now 50
         release v1 web=6
         current v1.0";
    check(
        situation,
        &[("a 2gib", Lacks::Nothing)],
        "start web.1 of v1.0 attempt 0 on a
         start web.2 of v1.0 attempt 0
         start web.3 of v1.0 attempt 0 on a
         start web.4 of v1.0 attempt 0
         start web.5 of v1.0 attempt 0 on a
         start web.6 of v1.0 attempt 0 on a",
    );
}

#[test]
fn a_drained_machine_gets_nothing_whether_it_controls_or_not() {
    check(
        "now 50
         release v1 web=2
         current v1.0",
        &[("box drained", Lacks::Nothing), ("a", Lacks::Nothing)],
        "start web.1 of v1.0 attempt 0 on a
         start web.2 of v1.0 attempt 0 on a",
    );
}

#[tokio::test]
async fn this_machine_is_one_whether_it_has_a_record_as_a_node_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
    let store = Store::open(&folder.path().join("store"), options).unwrap();
    let here: NodeName = "box".parse().unwrap();
    let own = ControlLabels { labels: [("zone".parse().unwrap(), "a".parse().unwrap())].into() };
    store.transact::<_, StoreError, _>(move |tx| tx.put(&own)).await.unwrap();
    let all = || {
        let machines = Machine::all(&store.snapshot(), &here, vec![]).unwrap();
        let told = |one: &Machine| {
            let labels: Vec<_> = one.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let (here, drained) = (if one.is_here { " here" } else { "" }, one.drained);
            format!(
                "{}{here} {}{}",
                one.name,
                labels.join(","),
                if drained { " drained" } else { "" }
            )
        };
        machines.iter().map(told).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(all(), "box here node=box,zone=a");
    for (name, zone, drained) in [("a", "b", false), ("box", "c", true)] {
        let labels = [("zone".parse().unwrap(), zone.parse().unwrap())].into();
        let node = Node { labels, drained, ..Node::example(name) };
        store.transact::<_, StoreError, _>(move |tx| tx.put(&node)).await.unwrap();
    }
    assert_eq!(all(), "box here node=box,zone=c drained; a node=a,zone=b");
    store.close().await;
}

//! Placement: on which machine an instance is started.

use std::collections::BTreeMap;

use super::{
    notation::{self, Situation},
    written,
};
use crate::{
    control::apps::{
        placement::{Seating, images},
        plan::plan,
    },
    engine::Seat,
};

/// What a machine lacks.
enum Lacks {
    Nothing,
    /// The images, which are on their way.
    Images,
    /// The same, and they do not get there.
    ImagesForLong,
}

#[track_caller]
fn check(situation: &str, nodes: &[(&str, Lacks)], expected: &str) {
    check_without(situation, nodes, "", expected);
}

/// The same where nothing new is to be started on one of the machines.
#[track_caller]
fn check_without(situation: &str, nodes: &[(&str, Lacks)], drained: &str, expected: &str) {
    let Situation { state, seen, now } = notation::read(situation);
    let mut plan = plan(&state, &seen, now);
    let all = images([&state].into_iter());
    let seat = |(node, lacks): &(&str, Lacks)| {
        let there = matches!(lacks, Lacks::Nothing);
        let given_up = matches!(lacks, Lacks::ImagesForLong);
        Seat {
            node: Some(node.parse().unwrap()),
            images: Some(all.iter().filter(|_| there).cloned().collect()),
            wanting: all.iter().filter(|_| given_up).cloned().collect(),
        }
    };
    let seats = [Seat::here()].into_iter().chain(nodes.iter().map(seat)).collect();
    let apps = BTreeMap::from([(state.app.name.clone(), seen.clone())]);
    let drained = drained.parse().into_iter().collect();
    Seating::of(seats, &drained, &apps).place(&mut plan, &state, &seen);
    let lines = |text: &str| text.trim().lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>();
    let planned = written(&plan);
    assert!(lines(&planned) == lines(expected), "the plan is:\n{planned}");
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
fn nothing_is_started_on_a_machine_that_is_drained() {
    check_without(
        "now 50
         release v1 web=2
         current v1.1
         rollout starting v1.0 > v1.1 since 50
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready on a",
        &[("a", Lacks::Nothing), ("b", Lacks::Nothing)],
        "a",
        "start web.1 of v1.1 attempt 0 on b
         start web.2 of v1.1 attempt 0
         look again at 170",
    );
}

#[test]
fn who_has_a_volume_stays_with_it() {
    check(
        "now 50
         release v1 web=1 worker=1
         disk worker data
         current v1.0",
        &[("a", Lacks::Nothing)],
        "start web.1 of v1.0 attempt 0
         start worker.1 of v1.0 attempt 0",
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
}

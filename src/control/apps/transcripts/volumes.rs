//! Volumes: who has one is alone, gone while it is restored, and nowhere while another machine has it.

use super::{
    check,
    placement::{self, Lacks},
};

#[test]
fn nobody_is_started_beside_another_writer() {
    check(
        "now 50
         release v1 web=1
         release v2 web=1
         disk web data
         current v1.0
         rollout starting v1.0 > v2.0 since 50 recreate web
         a web.1 v1.0 running 10 ready unrouted 50",
        "terminate web.1 a
         look again at 170",
    );
    check(
        "now 50
         release v1 web=1
         disk web data
         current v1.0
         a web.2 v1.0 running 10 ready",
        "nothing",
    );
}

#[test]
fn while_a_volume_is_held_its_process_does_not_run_and_others_do() {
    check(
        "now 50
         release v1 web=1 worker=1
         disk worker data
         held data
         current v1.0
         a web.1 v1.0 running 10 ready
         b worker.1 v1.0 running 10 ready",
        "terminate worker.1 b",
    );
    check(
        "now 50
         release v1 web=1 worker=1
         disk worker data
         held data
         current v1.0
         a web.1 v1.0 running 10 ready",
        "nothing",
    );
    check(
        "now 50
         release v1 web=1 worker=1
         disk worker data
         current v1.0
         a web.1 v1.0 running 10 ready",
        "start worker.1 of v1.0 attempt 0",
    );
}

#[test]
fn a_rollout_waits_while_a_volume_is_held() {
    check(
        "now 500
         release v1 web=1
         release v2 web=1
         disk web data
         held data
         current v1.0
         rollout starting v1.0 > v2.0 since 50 recreate web",
        "nothing",
    );
}

#[test]
fn whoever_has_a_volume_of_another_machine_stays_there_and_is_started_nowhere() {
    placement::check(
        "now 50
         release v1 web=2 worker=1
         disk worker data
         away data a
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready on a
         c worker.1 v1.0 running 10 ready on a",
        &[("a", Lacks::Nothing)],
        "nothing",
    );
    placement::check(
        "now 50
         release v1 web=1 worker=1
         disk worker data
         away data a
         current v1.0
         a web.1 v1.0 running 10 ready",
        &[("a", Lacks::Nothing)],
        "nothing",
    );
    // It was made, and its machine lost the lead before it was started.
    placement::check(
        "now 50
         release v1 worker=1
         disk worker data
         away data a
         current v1.0
         a worker.1 v1.0 created on a",
        &[("a", Lacks::Nothing)],
        "nothing",
    );
}

#[test]
fn a_deploy_costs_nobody_whose_volume_is_on_another_machine() {
    let situation = |now: u32, phase: &str| {
        format!(
            "now {now}
             release v1 worker=1
             release v2 worker=1
             disk worker data
             away data a
             current v1.0
             rollout {phase} v1.0 > v2.0 since 50 recreate worker
             a worker.1 v1.0 running 10 ready on a"
        )
    };
    let check = |now, phase, expected| {
        placement::check(&situation(now, phase), &[("a", Lacks::Nothing)], expected);
    };
    check(50, "starting", "look again at 60");
    check(
        60,
        "starting",
        "rollout 1 reverting: v2 failed: there is no machine for worker.1: its volume is on a, which does \
         not lead now; v1 takes over again",
    );
    check(61, "reverting", "rollout 1 failed: v1 serves again");
}

#[test]
fn the_records_of_a_volume_stay_until_its_machine_leads() {
    let situation = "now 50
         release v1 worker=1
         disk worker data
         destroyed";
    check(situation, "erase");
    check(&format!("{situation}\naway data a"), "nothing");
}

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
fn whoever_has_a_volume_is_where_that_is_whatever_else_there_is() {
    placement::check(
        "now 50
         release v1 web=1 worker=1
         disk worker data
         away data b
         current v1.0
         a web.1 v1.0 running 10 ready on a",
        &[("a", Lacks::Nothing), ("b drained", Lacks::Nothing)],
        "start worker.1 of v1.0 attempt 0 on b",
    );
    // It is getting the image, and nobody is started elsewhere meanwhile.
    placement::check(
        "now 50
         release v1 worker=1
         disk worker data
         away data b
         current v1.0",
        &[("a", Lacks::Nothing), ("b", Lacks::Images)],
        "nothing",
    );
    // It came back, and has it still.
    placement::check(
        "now 50
         release v1 worker=1
         disk worker data
         away data b
         current v1.0
         a worker.1 v1.0 running 10 ready on b",
        &[("a", Lacks::Nothing), ("b", Lacks::Nothing)],
        "nothing",
    );
}

#[test]
fn whoever_has_a_volume_of_a_lost_machine_is_started_nowhere() {
    for nodes in [
        &[("a", Lacks::Nothing), ("b", Lacks::Everything)][..],
        &[("a", Lacks::Nothing), ("b", Lacks::ImagesForLong)],
    ] {
        placement::check(
            "now 50
             release v1 web=1 worker=1
             disk worker data
             away data b
             current v1.0
             a web.1 v1.0 running 10 ready",
            nodes,
            "nothing",
        );
    }
}

#[test]
fn whoever_has_volumes_of_two_machines_waits_until_they_are_on_one() {
    placement::check(
        "now 50
         release v1 worker=1
         disk worker data
         disk worker files
         away files a
         current v1.0",
        &[("a", Lacks::Nothing)],
        "nothing",
    );
}

#[test]
fn a_deploy_costs_nobody_whose_machine_is_lost() {
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
    let check = |now, phase, lacks, expected| {
        placement::check(&situation(now, phase), &[("a", lacks)], expected);
    };
    check(50, "starting", Lacks::Nothing, "terminate worker.1 a\nlook again at 170");
    check(50, "starting", Lacks::Everything, "look again at 60");
    check(
        60,
        "starting",
        Lacks::Everything,
        "rollout 1 reverting: v2 failed: there is no machine for worker.1: its volume is on a, which runs \
         no instances now; v1 takes over again",
    );
    check(61, "reverting", Lacks::Everything, "rollout 1 failed: v1 serves again");
}

#[test]
fn the_records_of_an_app_stay_until_no_other_machine_has_a_volume_of_it() {
    let situation = "now 50
         release v1 worker=1
         disk worker data
         destroyed";
    check(situation, "erase");
    check(&format!("{situation}\naway data a"), "nothing");
}

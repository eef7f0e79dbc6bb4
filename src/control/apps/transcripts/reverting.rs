//! The way back from every point of a rollout: what stood by serves again, what had ended is started
//! again, and until then what took over stands in.

use super::check;

#[test]
fn one_that_dies_while_it_is_watched_gives_the_traffic_back() {
    check(
        "now 55
         release v1 web=1
         release v2 web=1
         current v2.0
         rollout watching v1.0 > v2.0 since 53
         a web.1 v1.0 running 10 ready unrouted 53
         d web.1 v2.0 exited 3 50..55",
        "rollout 1 reverting: v2 failed: web.1 had taken over and exited with code 3; v1 takes \
         over again",
    );
}

#[test]
fn one_that_runs_out_of_memory_does_too() {
    check(
        "now 55
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout watching v1.0 > v2.0 since 53 ends web=1
         a web.1 v1.0 running 10 ready unrouted 53
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready
         d web.1 v2.0 oom 50..55",
        "rollout 1 reverting: v2 failed: web.1 had taken over and ran out of memory; v1 takes \
         over again",
    );
}

#[test]
fn and_one_that_does_not_answer_any_more() {
    check(
        "now 55
         release v1 web=1
         release v2 web=1
         current v2.0
         rollout shifting v1.0 > v2.0 since 53
         a web.1 v1.0 running 10 ready
         d web.1 v2.0 running 50 failing",
        "rollout 1 reverting: v2 failed: web.1 had taken over and does not answer any more: \
         connection refused; v1 takes over again",
    );
}

#[test]
fn what_stood_by_serves_and_the_failed_goes() {
    check(
        "now 56
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout reverting v1.0 > v2.0 since 55
         a web.1 v1.0 running 10 ready
         d web.1 v2.0 exited 3 50..55 kept",
        "rollout 1 failed: v1 serves again",
    );
}

#[test]
fn the_second_wave_fails_and_the_first_is_undone() {
    check(
        "now 66
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout starting v1.0 > v2.0 since 63 ends web=1 wave 2
         b web.2 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready
         e web.2 v2.0 exited 3 64..66",
        "rollout 1 reverting wave 2: v2 failed: web.2 exited with code 3; v1 takes over again",
    );
}

#[test]
fn what_had_taken_over_stands_in_until_the_old_is_back() {
    check(
        "now 67
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout reverting v1.0 > v2.0 since 66 ends web=1 wave 2 stand-in v2.0 web=1
         b web.2 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready
         e web.2 v2.0 exited 3 64..66 kept",
        "start web.1 of v1.0 attempt 0
         remove web.2 e",
    );
}

#[test]
fn the_old_is_back_and_the_stand_in_leaves() {
    check(
        "now 69
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout reverting v1.0 > v2.0 since 66 ends web=1 wave 2 stand-in v2.0 web=1
         a web.1 v1.0 running 67 ready
         b web.2 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready unrouted 69",
        "rollout 1 failed wave 2: v1 serves again",
    );
}

#[test]
fn an_old_one_that_does_not_come_back_is_tried_again() {
    check(
        "now 127
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout reverting v1.0 > v2.0 since 66 ends web=1 wave 2 stand-in v2.0 web=1
         a web.1 v1.0 running 67 refused unrouted 67
         b web.2 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready",
        "terminate web.1 a",
    );
}

#[test]
fn one_of_the_first_wave_dies_during_the_second() {
    check(
        "now 64
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout starting v1.0 > v2.0 since 63 ends web=1 wave 2
         b web.2 v1.0 running 10 ready
         d web.1 v2.0 exited 1 50..64
         e web.2 v2.0 running 63 refused",
        "rollout 1 reverting wave 2: v2 failed: web.1 had taken over and exited with code 1; v1 \
         takes over again",
    );
}

#[test]
fn a_wave_that_is_not_ready_in_time() {
    check(
        "now 183
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout starting v1.0 > v2.0 since 63 ends web=1 wave 2
         b web.2 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready",
        "rollout 1 reverting wave 2: v2 failed: web.2 not ready after 120s; v1 takes over again",
    );
}

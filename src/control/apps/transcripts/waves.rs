//! Waves: what changes in each, and what stands by.

use super::check;

#[test]
fn the_first_wave_is_one_instance() {
    check(
        "now 50
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout starting v1.0 > v2.0 since 50 ends web=1
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready",
        "start web.1 of v2.0 attempt 0
         look again at 170",
    );
}

#[test]
fn it_takes_over_where_it_is_ready_and_nowhere_else() {
    check(
        "now 52
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout starting v1.0 > v2.0 since 50 ends web=1
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready unrouted 50",
        "rollout 1 shifting: v2 is ready and takes over in wave 1 of 2",
    );
}

#[test]
fn the_edge_has_shifted_the_first_wave() {
    check(
        "now 53
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout shifting v1.0 > v2.0 since 52 ends web=1
         a web.1 v1.0 running 10 ready unrouted 53
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready",
        "rollout 1 watching
         look again at 63",
    );
}

#[test]
fn the_old_stand_by_while_the_new_are_watched() {
    check(
        "now 62
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout watching v1.0 > v2.0 since 53 ends web=1
         a web.1 v1.0 running 10 ready unrouted 53
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready",
        "look again at 63",
    );
}

#[test]
fn the_next_wave_begins_when_the_watch_is_over() {
    check(
        "now 63
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout watching v1.0 > v2.0 since 53 ends web=1
         a web.1 v1.0 running 10 ready unrouted 53
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready",
        "rollout 1 starting wave 2",
    );
}

#[test]
fn the_second_wave_starts_beside_the_old_and_the_first_lets_go() {
    check(
        "now 64
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout starting v1.0 > v2.0 since 63 ends web=1 wave 2
         a web.1 v1.0 running 10 ready unrouted 53
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready",
        "start web.2 of v2.0 attempt 0
         start web.3 of v2.0 attempt 0
         terminate web.1 a
         look again at 183",
    );
}

#[test]
fn the_last_wave_is_watched_with_the_old_of_it_standing_by() {
    check(
        "now 70
         release v1 web=3
         release v2 web=3
         current v2.0
         rollout watching v1.0 > v2.0 since 66 ends web=1 wave 2
         b web.2 v1.0 running 10 ready unrouted 66
         c web.3 v1.0 running 10 ready unrouted 66
         d web.1 v2.0 running 50 ready
         e web.2 v2.0 running 64 ready
         f web.3 v2.0 running 64 ready",
        "look again at 76",
    );
}

#[test]
fn and_then_they_leave() {
    check(
        "now 76
         release v1 web=1
         release v2 web=1
         current v2.0
         rollout watching v1.0 > v2.0 since 66
         b web.1 v1.0 running 10 ready unrouted 66
         e web.1 v2.0 running 64 ready",
        "rollout 1 draining",
    );
}

#[test]
fn a_broken_release_touches_one_of_three() {
    check(
        "now 52
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout starting v1.0 > v2.0 since 50 ends web=1
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready
         d web.1 v2.0 exited 3 50..52",
        "rollout 1 failed: v2 failed: web.1 exited with code 3; v1 serves on",
    );
}

#[test]
fn some_may_fail_and_are_replaced() {
    check(
        "now 62
         release v1 web=1
         release v2 web=1
         max_fail 1
         current v1.0
         rollout starting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready
         d web.1 v2.0 exited 3 50..62 kept",
        "tell instance: web.1 exited with code 3; starting it again
         start web.1 of v2.0 attempt 1
         remove web.1 d
         look again at 170",
    );
}

#[test]
fn but_no_more_than_that() {
    check(
        "now 80
         release v1 web=1
         release v2 web=1
         max_fail 1
         current v1.0
         rollout starting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready
         d web.1 v2.0 #1 exited 3 65..80 kept",
        "rollout 1 failed: v2 failed: web.1 exited with code 3; v1 serves on",
    );
}

#[test]
fn one_that_may_fail_while_it_is_watched_hands_back_until_another_is_ready() {
    check(
        "now 75
         release v1 web=1
         release v2 web=1
         max_fail 1
         current v2.0
         rollout watching v1.0 > v2.0 since 66
         a web.1 v1.0 running 10 ready unrouted 66
         d web.1 v2.0 exited 3 50..75 kept",
        "rollout 1 starting
         tell instance: web.1 exited with code 3; starting it again
         start web.1 of v2.0 attempt 1
         remove web.1 d",
    );
}

#[test]
fn all_at_once_in_blue_and_green() {
    check(
        "now 53
         release v1 web=2
         release v2 web=2
         current v2.0
         rollout shifting v1.0 > v2.0 since 52
         a web.1 v1.0 running 10 ready unrouted 53
         b web.2 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready
         e web.2 v2.0 running 50 ready",
        "nothing",
    );
}

#[test]
fn the_old_end_first_where_two_must_not_be() {
    check(
        "now 50
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout starting v1.0 > v2.0 since 50 recreate web
         a web.1 v1.0 running 10 ready unrouted 50",
        "terminate web.1 a
         look again at 170",
    );
}

#[test]
fn the_new_wait_until_they_have_ended() {
    check(
        "now 51
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout starting v1.0 > v2.0 since 50 recreate web
         a web.1 v1.0 running 10 unrouted 50 told 50",
        "look again at 80",
    );
}

#[test]
fn and_start_then() {
    check(
        "now 52
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout starting v1.0 > v2.0 since 50 recreate web
         a web.1 v1.0 exited 143 10..52 told 50 kept",
        "start web.1 of v2.0 attempt 0
         remove web.1 a
         look again at 170",
    );
}

#[test]
fn if_the_new_fail_the_old_are_started_again() {
    check(
        "now 54
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout starting v1.0 > v2.0 since 50 recreate web
         d web.1 v2.0 exited 1 52..54",
        "rollout 1 reverting: v2 failed: web.1 exited with code 1; v1 takes over again",
    );
}

#[test]
fn but_not_beside_what_is_left_of_them() {
    check(
        "now 54
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout reverting v1.0 > v2.0 since 54 recreate web
         d web.1 v2.0 exited 1 52..54 kept
         e web.2 v2.0 running 52 ready unrouted 52",
        "remove web.1 d
         terminate web.2 e",
    );
}

#[test]
fn a_newer_deploy_in_the_middle_keeps_what_has_taken_over_until_it_is_replaced() {
    check(
        "now 70
         release v1 web=2
         release v2 web=2
         release v3 web=2
         current v1.0
         rollout starting v1.0 > v3.0 since 70 ends web=1 stand-in v2.0 web=1
         b web.2 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready
         e web.2 v2.0 running 64 refused unrouted 64",
        "start web.1 of v1.0 attempt 0
         start web.1 of v3.0 attempt 0
         terminate web.2 e
         look again at 190",
    );
}

#[test]
fn a_worker_does_not_stand_by() {
    check(
        "now 55
         release v1 worker=1
         release v2 worker=1
         current v2.0
         rollout watching v1.0 > v2.0 since 53
         a worker.1 v1.0 running 10
         b worker.1 v2.0 running 50",
        "terminate worker.1 a
         look again at 63",
    );
}

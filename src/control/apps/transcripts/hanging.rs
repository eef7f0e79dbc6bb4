//! Instances that hang, and who takes their place when.

use super::check;

#[test]
fn one_that_hangs_gets_a_successor_first() {
    check(
        "now 600
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 hung",
        "report of a: web.1 hangs (no answer); another is started in its place
         start web.1 of v1.0 attempt 1",
    );
}

#[test]
fn and_stays_until_that_one_is_ready() {
    check(
        "now 610
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 hung
         b web.1 v1.0 #1 running 600 refused unrouted 600",
        "look again at 660",
    );
}

#[test]
fn then_it_ends() {
    check(
        "now 620
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 hung unrouted 620
         b web.1 v1.0 #1 running 600 ready",
        "terminate web.1 a",
    );
}

#[test]
fn with_its_requests_done_or_cut() {
    check(
        "now 620
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 hung unrouted 610 requests 2
         b web.1 v1.0 #1 running 600 ready",
        "look again at 640",
    );
}

#[test]
fn one_that_recovers_needs_no_successor() {
    check(
        "now 610
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.1 v1.0 #1 running 600 refused unrouted 600",
        "terminate web.1 b",
    );
}

#[test]
fn a_successor_that_does_not_get_ready_ends() {
    check(
        "now 660
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 hung
         b web.1 v1.0 #1 running 600 refused unrouted 600",
        "terminate web.1 b",
    );
}

#[test]
fn and_so_does_one_that_hangs_too() {
    check(
        "now 640
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 hung
         b web.1 v1.0 #1 running 600 hung unrouted 600",
        "terminate web.1 b",
    );
}

#[test]
fn the_next_is_tried_after_a_while() {
    check(
        "now 661
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 hung
         b web.1 v1.0 #1 exited 143 600..660 told 658 kept",
        "look again at 670",
    );
    check(
        "now 670
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 hung
         b web.1 v1.0 #1 exited 143 600..660 told 658 kept",
        "report of a: web.1 hangs (no answer); another is started in its place
         start web.1 of v1.0 attempt 2
         remove web.1 b",
    );
}

#[test]
fn the_tenth_after_two_minutes() {
    check(
        "now 661
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 hung
         b web.1 v1.0 #9 exited 1 600..660 kept",
        "look again at 780",
    );
}

#[test]
fn one_at_a_time_when_all_hang() {
    check(
        "now 600
         release v1 web=3
         current v1.0
         a web.1 v1.0 running 20 hung
         b web.2 v1.0 running 10 hung
         c web.3 v1.0 running 20 hung",
        "report of b: web.2 hangs (no answer); another is started in its place
         start web.2 of v1.0 attempt 1",
    );
    check(
        "now 610
         release v1 web=3
         current v1.0
         a web.1 v1.0 running 20 hung
         b web.2 v1.0 running 10 hung
         d web.2 v1.0 #1 running 600 refused unrouted 600
         c web.3 v1.0 running 20 hung",
        "look again at 660",
    );
}

#[test]
fn while_one_waits_for_its_next_try_it_is_another_ones_turn() {
    check(
        "now 661
         release v1 web=2
         current v1.0
         a web.1 v1.0 running 20 hung
         b web.1 v1.0 #1 exited 1 600..660 kept
         c web.2 v1.0 running 30 hung",
        "report of c: web.2 hangs (no answer); another is started in its place
         start web.2 of v1.0 attempt 1",
    );
}

#[test]
fn processes_do_not_wait_for_one_another() {
    check(
        "now 600
         release v1 web=1 worker=1
         current v1.0
         a web.1 v1.0 running 20 hung
         b worker.1 v1.0 running 20 hung",
        "report of a: web.1 hangs (no answer); another is started in its place
         start web.1 of v1.0 attempt 1
         report of b: worker.1 hangs (no answer); another is started in its place
         start worker.1 of v1.0 attempt 1",
    );
}

#[test]
fn where_two_must_not_be_it_ends_first() {
    check(
        "now 600
         release v1 web=1
         current v1.0
         recreate web
         a web.1 v1.0 running 20 hung",
        "nothing",
    );
    check(
        "now 601
         release v1 web=1
         current v1.0
         recreate web
         a web.1 v1.0 running 20 hung unrouted 601",
        "report of a: web.1 hangs (no answer); it ends and is started again
         terminate web.1 a",
    );
}

#[test]
fn and_the_others_of_its_process_wait() {
    check(
        "now 600
         release v1 worker=2
         current v1.0
         recreate worker
         a worker.1 v1.0 running 20 hung told 590
         b worker.2 v1.0 running 20 hung",
        "look again at 620",
    );
}

#[test]
fn it_lives_a_minute_at_least() {
    check(
        "now 50
         release v1 worker=1
         current v1.0
         recreate worker
         a worker.1 v1.0 running 20 hung",
        "look again at 80",
    );
}

#[test]
fn a_new_release_whose_instance_hangs_is_given_up() {
    check(
        "now 65
         release v1 web=1
         release v2 web=1
         current v2.0
         rollout watching v1.0 > v2.0 since 60
         a web.1 v1.0 running 10 ready unrouted 60
         b web.1 v2.0 running 50 hung",
        "rollout 1 reverting: v2 failed: web.1 had taken over and does not answer any more: no \
         answer; v1 takes over again",
    );
}

#[test]
fn a_daemon_that_has_just_begun_ends_neither_of_two() {
    check(
        "now 610
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 unrouted 609
         b web.1 v1.0 #1 running 600 unrouted 609",
        "nothing",
    );
}

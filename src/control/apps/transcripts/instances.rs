//! Instances that come and go: scale, crashes, meddling.

use super::check;

#[test]
fn all_is_well() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready",
        "nothing",
    );
}

#[test]
fn nothing_was_deployed() {
    check("now 60", "nothing");
}

#[test]
fn scaled_up() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         scale web=3
         a web.1 v1.0 running 10 ready",
        "start web.2 of v1.0 attempt 0
         start web.3 of v1.0 attempt 0",
    );
}

#[test]
fn scaled_down() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready unrouted 59",
        "terminate web.3 c",
    );
}

#[test]
fn scaled_to_zero() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         scale web=0
         a web.1 v1.0 running 10 ready unrouted 60",
        "terminate web.1 a",
    );
}

#[test]
fn scaled_up_while_the_last_one_still_ends() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         scale web=2
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready unrouted 50 told 55",
        "look again at 85",
    );
}

#[test]
fn made_but_not_started() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 created",
        "start web.1 of v1.0 attempt 0",
    );
}

#[test]
fn made_but_not_wanted() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 created",
        "remove web.2 b",
    );
}

#[test]
fn the_first_crash_after_a_while_is_forgiven() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 exited 1 10..60",
        "tell instance: web.1 exited with code 1; starting it again
         start web.1 of v1.0 attempt 1
         look again at 70",
    );
}

#[test]
fn a_quick_crash_waits_a_second() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 exited 1 55..60",
        "look again at 61",
    );
}

#[test]
fn the_second_waits_two() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 #1 exited 1 55..60",
        "look again at 62",
    );
}

#[test]
fn the_fifth_waits_sixteen() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 #4 exited 1 55..60",
        "look again at 76",
    );
}

#[test]
fn the_hundredth_waits_a_minute() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 #99 exited 1 55..60",
        "look again at 120",
    );
}

#[test]
fn its_time_has_come() {
    check(
        "now 76
         release v1 web=1
         current v1.0
         a web.1 v1.0 #4 exited 1 55..60 kept",
        "tell instance: web.1 exited with code 1; starting it again
         start web.1 of v1.0 attempt 5
         remove web.1 a",
    );
}

#[test]
fn traces_of_earlier_ends_go() {
    check(
        "now 61
         release v1 web=1
         current v1.0
         a web.1 v1.0 #3 exited 1 40..42 kept
         b web.1 v1.0 #4 exited 1 55..60 kept",
        "remove web.1 a
         look again at 76",
    );
}

#[test]
fn a_long_run_resets_the_count() {
    check(
        "now 600
         release v1 web=1
         current v1.0
         a web.1 v1.0 #4 exited 1 200..600 kept",
        "remove web.1 a",
    );
}

#[test]
fn and_then_it_begins_anew() {
    check(
        "now 601
         release v1 web=1
         current v1.0",
        "start web.1 of v1.0 attempt 0",
    );
}

#[test]
fn a_vanished_container_comes_back() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         scale web=2
         a web.1 v1.0 running 10 ready",
        "start web.2 of v1.0 attempt 0",
    );
}

#[test]
fn two_owners_the_ready_one_stays() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 failing unrouted 60
         b web.1 v1.0 #1 running 50 ready",
        "terminate web.1 a",
    );
}

#[test]
fn two_owners_both_ready() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready unrouted 60
         b web.1 v1.0 #1 running 50 ready",
        "terminate web.1 a",
    );
}

#[test]
fn a_sick_instance_is_left_to_its_people() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 failing",
        "nothing",
    );
}

//! Instances that come and go: scale, crashes, meddling.

use super::check;

#[test]
fn all_is_well() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready",
        "?all_is_well?",
    );
}

#[test]
fn nothing_was_deployed() {
    check(
        "now 60",
        "?nothing_was_deployed?",
    );
}

#[test]
fn scaled_up() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         scale web=3
         a web.1 v1.0 running 10 ready",
        "?scaled_up?",
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
        "?scaled_down?",
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
        "?scaled_to_zero?",
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
        "?scaled_up_while_the_last_one_still_ends?",
    );
}

#[test]
fn made_but_not_started() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 created",
        "?made_but_not_started?",
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
        "?made_but_not_wanted?",
    );
}

#[test]
fn the_first_crash_after_a_while_is_forgiven() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 exited 1 10..60",
        "?the_first_crash_after_a_while_is_forgiven?",
    );
}

#[test]
fn a_quick_crash_waits_a_second() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 exited 1 55..60",
        "?a_quick_crash_waits_a_second?",
    );
}

#[test]
fn the_second_waits_two() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 #1 exited 1 55..60",
        "?the_second_waits_two?",
    );
}

#[test]
fn the_fifth_waits_sixteen() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 #4 exited 1 55..60",
        "?the_fifth_waits_sixteen?",
    );
}

#[test]
fn the_hundredth_waits_a_minute() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 #99 exited 1 55..60",
        "?the_hundredth_waits_a_minute?",
    );
}

#[test]
fn its_time_has_come() {
    check(
        "now 76
         release v1 web=1
         current v1.0
         a web.1 v1.0 #4 exited 1 55..60 kept",
        "?its_time_has_come?",
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
        "?traces_of_earlier_ends_go?",
    );
}

#[test]
fn a_long_run_resets_the_count() {
    check(
        "now 600
         release v1 web=1
         current v1.0
         a web.1 v1.0 #4 exited 1 200..600 kept",
        "?a_long_run_resets_the_count?",
    );
}

#[test]
fn and_then_it_begins_anew() {
    check(
        "now 601
         release v1 web=1
         current v1.0",
        "?and_then_it_begins_anew?",
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
        "?a_vanished_container_comes_back?",
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
        "?two_owners_the_ready_one_stays?",
    );
}

#[test]
fn two_owners_both_ready() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.1 v1.0 #1 running 50 ready unrouted 60",
        "?two_owners_both_ready?",
    );
}

#[test]
fn a_sick_instance_is_left_to_its_people() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 failing",
        "?a_sick_instance_is_left_to_its_people?",
    );
}

//! Instances that nobody wants any more, to their very end, and the end of apps.

use super::check;

#[test]
fn the_edge_still_sends_requests() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready requests 3",
        "?the_edge_still_sends_requests?",
    );
}

#[test]
fn it_has_requests_under_way() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready unrouted 55 requests 3",
        "?it_has_requests_under_way?",
    );
}

#[test]
fn the_drain_deadline() {
    check(
        "now 85
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready unrouted 55 requests 3",
        "?the_drain_deadline?",
    );
}

#[test]
fn told_and_ending() {
    check(
        "now 65
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 unrouted 55 told 60",
        "?told_and_ending?",
    );
}

#[test]
fn the_stop_timeout() {
    check(
        "now 90
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 unrouted 55 told 60",
        "?the_stop_timeout?",
    );
}

#[test]
fn ended_with_output_to_keep() {
    check(
        "now 65
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 exited 143 10..62 told 60",
        "?ended_with_output_to_keep?",
    );
}

#[test]
fn ended_with_its_output_kept() {
    check(
        "now 65
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 exited 143 10..62 told 60 kept",
        "?ended_with_its_output_kept?",
    );
}

#[test]
fn output_is_not_waited_for_for_ever() {
    check(
        "now 72
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 exited 143 10..62 told 60",
        "?output_is_not_waited_for_for_ever?",
    );
}

#[test]
fn a_worker_has_nothing_to_drain() {
    check(
        "now 60
         release v1 worker=1
         current v1.0
         a worker.1 v1.0 running 10
         b worker.2 v1.0 running 10",
        "?a_worker_has_nothing_to_drain?",
    );
}

#[test]
fn of_a_release_that_nobody_knows() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.1 v7.0 running 5 unrouted 60
         c web.1 v7.0 #1 running 5 unrouted 55 told 55",
        "?of_a_release_that_nobody_knows?",
    );
}

#[test]
fn of_a_release_that_nobody_knows_with_requests() {
    check(
        "now 85
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.1 v7.0 running 5 unrouted 60 requests 1",
        "?of_a_release_that_nobody_knows_with_requests?",
    );
}

#[test]
fn destroyed() {
    check(
        "now 60
         destroyed
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 ready requests 3
         b worker.1 v1.0 running 10
         c web.2 v1.0 created",
        "?destroyed?",
    );
}

#[test]
fn destroyed_and_it_will_not_end() {
    check(
        "now 95
         destroyed
         release v1 web=1
         current v1.0
         a web.1 v1.0 running 10 told 60",
        "?destroyed_and_it_will_not_end?",
    );
}

#[test]
fn destroyed_in_the_middle_of_a_rollout() {
    check(
        "now 60
         destroyed
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout starting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready
         b web.1 v2.0 exited 1 50..52 kept",
        "?destroyed_in_the_middle_of_a_rollout?",
    );
}

#[test]
fn destroyed_and_empty() {
    check(
        "now 60
         destroyed
         release v1 web=1
         current v1.0",
        "?destroyed_and_empty?",
    );
}

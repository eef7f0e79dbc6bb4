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
        "nothing",
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
        "look again at 85",
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
        "terminate web.2 b",
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
        "look again at 90",
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
        "kill web.2 b
         look again at 95",
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
        "look again at 72",
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
        "remove web.2 b",
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
        "remove web.2 b",
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
        "terminate worker.2 b",
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
        "terminate web.1 b
         look again at 85",
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
        "look again at 90",
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
        "terminate web.1 a
         terminate worker.1 b
         remove web.2 c",
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
        "kill web.1 a
         look again at 100",
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
        "terminate web.1 a
         remove web.1 b",
    );
}

#[test]
fn destroyed_and_kept() {
    let kept = |now: &str| {
        format!(
            "now {now}
             destroyed
             kept 100
             release v1 web=1
             current v1.0"
        )
    };
    check(&kept("60"), "look again at 100");
    check(&kept("100"), "erase");
}

#[test]
fn destroyed_and_empty() {
    check(
        "now 60
         destroyed
         release v1 web=1
         current v1.0",
        "erase",
    );
}

//! Rollouts that succeed, from the first start to the last old instance.

use super::check;

#[test]
fn a_first_deploy_starts_every_slot() {
    check(
        "now 50
         release v1 web=2 worker=1
         rollout starting none > v1.0 since 50",
        "start web.1 of v1.0 attempt 0
         start web.2 of v1.0 attempt 0
         start worker.1 of v1.0 attempt 0
         look again at 170",
    );
}

#[test]
fn a_first_deploy_waits() {
    check(
        "now 51
         release v1 web=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 running 50 refused",
        "look again at 110",
    );
}

#[test]
fn a_first_deploy_is_ready() {
    check(
        "now 53
         release v1 web=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 running 50 ready unrouted 50",
        "rollout 1 shifting: v1 is ready and takes over",
    );
}

#[test]
fn a_worker_is_ready_once_it_has_run_for_a_while() {
    check(
        "now 51
         release v1 worker=1
         rollout starting none > v1.0 since 50
         a worker.1 v1.0 running 50",
        "look again at 52",
    );
}

#[test]
fn a_worker_has_run_for_a_while() {
    check(
        "now 52
         release v1 worker=1
         rollout starting none > v1.0 since 50
         a worker.1 v1.0 running 50",
        "rollout 1 shifting: v1 is ready and takes over",
    );
}

#[test]
fn a_settled_worker_is_not_waited_for() {
    check(
        "now 58
         release v1 web=1 worker=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 running 50 refused
         b worker.1 v1.0 running 50",
        "look again at 110",
    );
}

#[test]
fn a_second_deploy_starts_beside_the_first() {
    check(
        "now 50
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout starting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready",
        "start web.1 of v2.0 attempt 0
         look again at 170",
    );
}

#[test]
fn a_second_deploy_takes_over() {
    check(
        "now 52
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout starting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready
         b web.1 v2.0 running 50 ready unrouted 50",
        "rollout 1 shifting: v2 is ready and takes over",
    );
}

#[test]
fn shifting_waits_for_the_edge() {
    check(
        "now 53
         release v1 web=1
         release v2 web=1
         current v2.0
         rollout shifting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready
         b web.1 v2.0 running 50 ready",
        "nothing",
    );
}

#[test]
fn the_edge_has_shifted() {
    check(
        "now 53
         release v1 web=1
         release v2 web=1
         current v2.0
         rollout shifting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready unrouted 53 requests 2
         b web.1 v2.0 running 50 ready",
        "rollout 1 watching
         look again at 63",
    );
}

#[test]
fn draining_with_requests_under_way() {
    check(
        "now 55
         release v1 web=1
         release v2 web=1
         current v2.0
         rollout draining v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready unrouted 53 requests 2
         b web.1 v2.0 running 50 ready",
        "look again at 83",
    );
}

#[test]
fn draining_without() {
    check(
        "now 55
         release v1 web=1
         release v2 web=1
         current v2.0
         rollout draining v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready unrouted 53
         b web.1 v2.0 running 50 ready",
        "terminate web.1 a",
    );
}

#[test]
fn drained() {
    check(
        "now 58
         release v1 web=1
         release v2 web=1
         current v2.0
         rollout draining v1.0 > v2.0 since 50
         b web.1 v2.0 running 50 ready",
        "rollout 1 done",
    );
}

#[test]
fn superseded_while_starting() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1
         release v3 web=1
         current v1.0
         rollout starting v1.0 > v3.0 since 60
         a web.1 v1.0 running 10 ready
         b web.1 v2.0 running 50 ready unrouted 50",
        "start web.1 of v3.0 attempt 0
         terminate web.1 b
         look again at 180",
    );
}

#[test]
fn superseded_while_shifting() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1
         release v3 web=1
         current v2.0
         rollout starting v2.0 > v3.0 since 60
         a web.1 v1.0 running 10 ready
         b web.1 v2.0 running 50 ready unrouted 50",
        "start web.1 of v3.0 attempt 0
         look again at 180",
    );
}

#[test]
fn superseded_while_draining() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1
         release v3 web=1
         current v2.0
         rollout starting v2.0 > v3.0 since 60
         a web.1 v1.0 running 10 ready unrouted 55 told 58
         b web.1 v2.0 running 50 ready",
        "start web.1 of v3.0 attempt 0
         look again at 88",
    );
}

#[test]
fn a_restart_is_a_rollout() {
    check(
        "now 60
         release v1 web=1
         current v1.0
         rollout starting v1.0 > v1.1 since 60
         a web.1 v1.0 running 10 ready",
        "start web.1 of v1.1 attempt 0
         look again at 180",
    );
}

#[test]
fn a_restart_has_taken_over() {
    check(
        "now 63
         release v1 web=1
         current v1.1
         rollout draining v1.0 > v1.1 since 60
         a web.1 v1.0 running 10 ready unrouted 62
         b web.1 v1.1 running 60 ready",
        "terminate web.1 a",
    );
}

#[test]
fn an_app_of_workers_only() {
    check(
        "now 63
         release v1 worker=1
         release v2 worker=1
         current v2.0
         rollout shifting v1.0 > v2.0 since 60
         a worker.1 v1.0 running 10
         b worker.1 v2.0 running 60",
        "rollout 1 watching
         terminate worker.1 a
         look again at 73",
    );
}

#[test]
fn a_process_that_the_new_release_does_not_have() {
    check(
        "now 63
         release v1 web=1 worker=1
         release v2 web=1
         current v2.0
         rollout draining v1.0 > v2.0 since 60
         a web.1 v2.0 running 60 ready
         b worker.1 v1.0 running 10",
        "terminate worker.1 b",
    );
}

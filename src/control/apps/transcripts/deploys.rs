//! Rollouts, from the first start to the last old instance, and how they fail.

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
fn a_crash_on_boot_ends_the_deploy_at_once() {
    check(
        "now 51
         release v1 web=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 exited 1 50..51",
        "rollout 1 failed: v1 failed: web.1 exited with code 1",
    );
}

#[test]
fn one_that_cannot_even_start_ends_it_too() {
    check(
        "now 51
         release v1 web=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 broken 51",
        "rollout 1 failed: v1 failed: web.1 could not start: no such file",
    );
}

#[test]
fn out_of_memory() {
    check(
        "now 58
         release v1 web=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 oom 50..57",
        "rollout 1 failed: v1 failed: web.1 ran out of memory",
    );
}

#[test]
fn another_port_is_given_time_to_be_temporary() {
    check(
        "now 55
         release v1 web=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 running 50 elsewhere 0.0.0.0:3000",
        "look again at 60",
    );
}

#[test]
fn another_port() {
    check(
        "now 60
         release v1 web=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 running 50 elsewhere 0.0.0.0:3000",
        "rollout 1 failed: v1 failed: web.1 listens on 0.0.0.0:3000 and not on 0.0.0.0:$PORT (here 8080)",
    );
}

#[test]
fn only_the_loopback_address() {
    check(
        "now 60
         release v1 web=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 running 50 elsewhere 127.0.0.1:8080",
        "rollout 1 failed: v1 failed: web.1 listens on 127.0.0.1:8080 and not on 0.0.0.0:$PORT (here 8080)",
    );
}

#[test]
fn never_ready_within_its_grace() {
    check(
        "now 110
         release v1 web=1
         rollout starting none > v1.0 since 50
         a web.1 v1.0 running 50 refused",
        "rollout 1 failed: v1 failed: web.1 was not ready 60s after its start: connection refused",
    );
}

#[test]
fn not_all_ready_within_the_deploys_timeout() {
    check(
        "now 170
         release v1 web=2
         rollout starting none > v1.0 since 50
         a web.1 v1.0 running 60 ready
         b web.2 v1.0 running 165 refused",
        "rollout 1 failed: v1 failed: web.2 not ready after 120s
         look again at 225",
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
fn a_second_deploy_fails_and_the_first_serves_on() {
    check(
        "now 52
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout starting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready
         b web.1 v2.0 exited 3 50..52",
        "rollout 1 failed: v2 failed: web.1 exited with code 3; v1 serves on",
    );
}

#[test]
fn what_failed_is_cleaned_up() {
    check(
        "now 53
         release v1 web=2
         release v2 web=2
         current v1.0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready
         c web.1 v2.0 exited 3 50..52 kept
         d web.2 v2.0 running 50 ready unrouted 50",
        "remove web.1 c
         terminate web.2 d",
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
        "rollout 1 draining
         look again at 83",
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
        "rollout 1 draining
         terminate worker.1 a",
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

#[test]
fn told_to_end_for_a_while_says_nothing_of_the_new_release() {
    check(
        "now 63
         release v1 web=2
         rollout starting none > v1.0 since 50
         a web.1 v1.0 running 50 ready
         b web.2 v1.0 exited 143 50..60 told 59",
        "look again at 70",
    );
}

//! Rollouts that fail, why, and what becomes of what they started.

use super::check;

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

#[test]
fn a_file_that_is_made_of_nothing() {
    check(
        "now 50
         release v1 web=1
         release v2 web=1 /etc/motd=MOTD
         current v1.0
         rollout starting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready",
        "rollout 1 failed: v2 failed: the file /etc/motd is made of MOTD, which is not set; v1 serves on",
    );
}

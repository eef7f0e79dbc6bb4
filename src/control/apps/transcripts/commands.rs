//! Release commands: begun on record, run once, and what follows from every end of them.

use super::check;

#[test]
fn it_is_put_on_record_and_then_started() {
    check(
        "now 50
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         rollout releasing v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready",
        "rollout 1 releasing
         start release.1 of v2.0 attempt 0",
    );
}

#[test]
fn nothing_else_starts_while_it_runs() {
    check(
        "now 52
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         rollout releasing v1.0 > v2.0 since 50 begun 50
         a web.1 v1.0 running 10 ready
         b release.1 v2.0 running 51",
        "look again at 650",
    );
}

#[test]
fn it_has_done_its_work() {
    check(
        "now 53
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         rollout releasing v1.0 > v2.0 since 50 begun 50
         a web.1 v1.0 running 10 ready
         b release.1 v2.0 exited 0 51..53",
        "rollout 1 starting",
    );
}

#[test]
fn its_traces_go_when_the_new_start() {
    check(
        "now 54
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         rollout starting v1.0 > v2.0 since 53 begun 50
         a web.1 v1.0 running 10 ready
         b release.1 v2.0 exited 0 51..53 kept",
        "start web.1 of v2.0 attempt 0
         remove release.1 b
         look again at 173",
    );
}

#[test]
fn it_fails_and_nothing_was_started() {
    check(
        "now 53
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         rollout releasing v1.0 > v2.0 since 50 begun 50
         a web.1 v1.0 running 10 ready
         b release.1 v2.0 exited 1 51..53",
        "rollout 1 failed: v2 failed: the release command exited with code 1; v1 serves on",
    );
}

#[test]
fn it_fails_before_anything_ever_served() {
    check(
        "now 53
         release v1 web=1 release=0
         rollout releasing none > v1.0 since 50 begun 50
         b release.1 v1.0 oom 51..53",
        "rollout 1 failed: v1 failed: the release command ran out of memory",
    );
}

#[test]
fn it_takes_too_long() {
    check(
        "now 650
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         rollout releasing v1.0 > v2.0 since 50 begun 50
         a web.1 v1.0 running 10 ready
         b release.1 v2.0 running 51",
        "rollout 1 failed: v2 failed: the release command was not done after 600s; v1 serves on",
    );
}

#[test]
fn and_is_ended() {
    check(
        "now 651
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         a web.1 v1.0 running 10 ready
         b release.1 v2.0 running 51",
        "terminate release.1 b",
    );
}

#[test]
fn nobody_knows_what_became_of_it() {
    check(
        "now 53
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         rollout releasing v1.0 > v2.0 since 50 begun 50
         a web.1 v1.0 running 10 ready",
        "rollout 1 failed: v2 failed: the outcome of the release command is unknown: it was begun, \
         and is neither running nor has it left an exit code; v1 serves on",
    );
}

#[test]
fn one_that_was_made_and_not_started_has_not_run() {
    check(
        "now 53
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         rollout releasing v1.0 > v2.0 since 50 begun 50
         a web.1 v1.0 running 10 ready
         b release.1 v2.0 created",
        "start release.1 of v2.0 attempt 0
         look again at 650",
    );
}

#[test]
fn a_newer_deploy_waits_for_that_of_the_one_before() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1 release=0
         release v3 web=1 release=0
         current v1.0
         rollout releasing v1.0 > v3.0 since 60
         a web.1 v1.0 running 10 ready
         b release.1 v2.0 running 51",
        "look again at 651",
    );
}

#[test]
fn one_that_was_aborted_is_ended() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1 release=0
         current v1.0
         rollout reverting v1.0 > v2.0 since 60 begun 50
         a web.1 v1.0 running 10 ready
         b release.1 v2.0 running 51",
        "rollout 1 failed: v1 serves again",
    );
}

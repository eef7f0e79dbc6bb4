//! Trials: one instance beside all the old, compared, and then taken or dropped.

use super::check;

#[test]
fn who_is_ready_is_tried_and_replaces_nobody() {
    check(
        "now 52
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout starting v1.0 > v2.0 since 50 ends web=1 trial 0 0/0 0/0
         a web.1 v1.0 running 10 ready
         b web.2 v1.0 running 10 ready
         c web.1 v2.0 running 50 ready unrouted 50",
        "rollout 1 canary: v2 is tried: web.1 of it gets 10% of the requests for 300s",
    );
}

#[test]
fn a_release_that_does_not_start_is_not_tried() {
    check(
        "now 52
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout starting v1.0 > v2.0 since 50 trial 0 0/0 0/0
         a web.1 v1.0 running 10 ready
         c web.1 v2.0 exited 3 50..52",
        "rollout 1 failed: v2 failed: web.1 exited with code 3; v1 serves on",
    );
}

#[test]
fn what_was_counted_is_recorded_every_few_seconds() {
    let at = |now: u32, expected: &str| {
        let situation = format!(
            "now {now}
             release v1 web=1
             release v2 web=1
             current v1.0
             rollout trying v1.0 > v2.0 since 52 trial 60 1/9 0/80
             a web.1 v1.0 running 10 ready tried 0/90
             c web.1 v2.0 running 50 ready tried 1/10"
        );
        check(&situation, expected);
    };
    at(64, "look again at 65");
    at(65, "rollout 1 counts 1/10 and 0/90\nlook again at 352");
}

#[test]
fn nothing_is_recorded_while_nothing_is_asked() {
    check(
        "now 90
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout trying v1.0 > v2.0 since 52 trial 60 1/9 0/80
         a web.1 v1.0 running 10 ready tried 0/80
         c web.1 v2.0 running 50 ready tried 1/9",
        "look again at 352",
    );
}

#[test]
fn one_that_is_certainly_worse_is_dropped_before_its_time() {
    check(
        "now 64
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout trying v1.0 > v2.0 since 52 ends web=1 trial 62 1/4 0/40
         a web.1 v1.0 running 10 ready tried 0/45
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready tried 4/5",
        "rollout 1 counts 4/5 and 0/45
         rollout 1 failed: v2 failed: the canary is worse: 4 of 5 requests failed, and 0 of 45 \
         with what served; v1 serves on",
    );
}

#[test]
fn one_that_is_not_worse_takes_over_when_its_time_is_over() {
    check(
        "now 352
         release v1 web=3
         release v2 web=3
         current v1.0
         rollout trying v1.0 > v2.0 since 52 ends web=1 trial 350 1/40 3/120
         a web.1 v1.0 running 10 ready tried 3/120
         b web.2 v1.0 running 10 ready
         c web.3 v1.0 running 10 ready
         d web.1 v2.0 running 50 ready tried 1/40",
        "rollout 1 shifting: v2 is ready and takes over in wave 1 of 2: 1 of 40 requests failed, \
         3 of 120 with what served",
    );
}

#[test]
fn nobody_asked_and_it_takes_over_and_says_so() {
    check(
        "now 352
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout trying v1.0 > v2.0 since 52 trial 52 0/0 0/0
         a web.1 v1.0 running 10 ready tried 0/0
         d web.1 v2.0 running 50 ready tried 0/0",
        "rollout 1 shifting: v2 is ready and takes over: too few requests to compare: 0, and none \
         failed",
    );
}

#[test]
fn somebody_did_not_want_to_wait() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1
         current v1.0
         rollout trying v1.0 > v2.0 since 52 trial 52 0/0 0/0 promoted
         a web.1 v1.0 running 10 ready tried 0/0
         d web.1 v2.0 running 50 ready tried 0/0",
        "rollout 1 shifting: v2 is ready and takes over: promoted by paas",
    );
}

#[test]
fn one_that_dies_while_it_is_tried_costs_nothing_else() {
    check(
        "now 60
         release v1 web=2
         release v2 web=2
         current v1.0
         rollout trying v1.0 > v2.0 since 52 ends web=1 trial 52 0/0 0/0
         a web.1 v1.0 running 10 ready tried 0/0
         b web.2 v1.0 running 10 ready
         d web.1 v2.0 exited 3 50..60",
        "rollout 1 failed: v2 failed: web.1 was tried and exited with code 3; v1 serves on",
    );
}

#[test]
fn a_daemon_that_has_just_begun_does_not_judge_before_it_has_asked() {
    let with = |health: &str, expected: &str| {
        let situation = format!(
            "now 360
             release v1 web=1
             release v2 web=1
             current v1.0
             rollout trying v1.0 > v2.0 since 52 trial 345 0/40 0/400
             a web.1 v1.0 running 10 ready tried 0/400
             d web.1 v2.0 running 50 {health} tried 0/40"
        );
        check(&situation, expected);
    };
    with("unrouted 50", "nothing");
    with(
        "refused",
        "rollout 1 failed: v2 failed: web.1 was tried and does not answer any more: connection \
         refused; v1 serves on",
    );
}

#[test]
fn one_that_may_fail_is_replaced_and_tried_anew() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1
         max_fail 1
         current v1.0
         rollout trying v1.0 > v2.0 since 52 trial 52 0/0 0/0
         a web.1 v1.0 running 10 ready tried 0/0
         d web.1 v2.0 exited 3 55..60",
        "rollout 1 starting
         look again at 61",
    );
}

#[test]
fn what_is_not_tried_waits_for_the_end_of_the_trial() {
    check(
        "now 60
         release v1 web=1 worker=1
         release v2 web=1 worker=1
         current v1.0
         rollout trying v1.0 > v2.0 since 52 ends web=1,worker=0 recreate worker trial 52 0/0 0/0
         a web.1 v1.0 running 10 ready tried 0/0
         b worker.1 v1.0 running 10
         d web.1 v2.0 running 50 ready tried 0/0",
        "look again at 352",
    );
}

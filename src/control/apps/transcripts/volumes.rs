//! Volumes: who has one is alone, and gone while it is restored.

use super::check;

#[test]
fn nobody_is_started_beside_another_writer() {
    check(
        "now 50
         release v1 web=1
         release v2 web=1
         disk web data
         current v1.0
         rollout starting v1.0 > v2.0 since 50 recreate web
         a web.1 v1.0 running 10 ready unrouted 50",
        "terminate web.1 a
         look again at 170",
    );
    check(
        "now 50
         release v1 web=1
         disk web data
         current v1.0
         a web.2 v1.0 running 10 ready",
        "nothing",
    );
}

#[test]
fn while_a_volume_is_held_its_process_does_not_run_and_others_do() {
    check(
        "now 50
         release v1 web=1 worker=1
         disk worker data
         held data
         current v1.0
         a web.1 v1.0 running 10 ready
         b worker.1 v1.0 running 10 ready",
        "terminate worker.1 b",
    );
    check(
        "now 50
         release v1 web=1 worker=1
         disk worker data
         held data
         current v1.0
         a web.1 v1.0 running 10 ready",
        "nothing",
    );
    check(
        "now 50
         release v1 web=1 worker=1
         disk worker data
         current v1.0
         a web.1 v1.0 running 10 ready",
        "start worker.1 of v1.0 attempt 0",
    );
}

#[test]
fn a_rollout_waits_while_a_volume_is_held() {
    check(
        "now 500
         release v1 web=1
         release v2 web=1
         disk web data
         held data
         current v1.0
         rollout starting v1.0 > v2.0 since 50 recreate web",
        "nothing",
    );
}

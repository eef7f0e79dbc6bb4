//! The command that runs when a release serves: once, and whatever comes of it.

use super::check;

fn at(now: u32, rollout: &str, rest: &str, expected: &str) {
    let situation = format!(
        "now {now}
         release v1 web=1
         release v2 web=1 post_deploy=0
         current v2.0
         rollout {rollout}
         b web.1 v2.0 running 50 ready
         {rest}"
    );
    check(situation.trim(), expected);
}

const OLD: &str = "a web.1 v1.0 running 10 ready unrouted 53";

#[test]
fn it_begins_when_the_release_serves() {
    at(
        53,
        "watching v1.0 > v2.0 since 53",
        OLD,
        "rollout 1 tells: v2 serves: its post_deploy command begins
         start post_deploy.1 of v2.0 attempt 0
         look again at 63",
    );
}

#[test]
fn not_a_second_time() {
    at(
        54,
        "watching v1.0 > v2.0 since 53 post 53",
        &format!("{OLD}\nc post_deploy.1 v2.0 running 53"),
        "look again at 63",
    );
    at(
        54,
        "watching v1.0 > v2.0 since 53 post 53",
        OLD,
        "rollout 1 tells: the outcome of the post_deploy command is unknown: it was begun, and is \
         neither running nor has it left an exit code; v2 serves on
         look again at 63",
    );
}

#[test]
fn not_where_the_release_is_taken_back_in_the_same_moment() {
    let rollout = "rollout watching v1.0 > v2.0 since 53";
    let situation = |rest: &str| {
        format!(
            "now 53
             release v1 web=1
             release v2 web=1 post_deploy=0
             {rest}
             current v2.0
             {rollout}
             a web.1 v1.0 running 10 ready unrouted 53
             b web.1 v2.0 exited 1 50..53"
        )
    };
    check(
        &situation("scale web=1"),
        "rollout 1 reverting: v2 failed: web.1 had taken over and exited with code 1; v1 takes \
         over again",
    );
    check(&situation("max_fail 1"), "rollout 1 starting\nlook again at 54");
}

#[test]
fn it_is_not_cut_when_an_instance_is_replaced_meanwhile() {
    let situation = |phase: &str| {
        format!(
            "now 55
             release v1 web=1
             release v2 web=1 post_deploy=0
             max_fail 1
             current v1.0
             rollout {phase} v1.0 > v2.0 since 55 post 53
             a web.1 v1.0 running 10 ready
             b web.1 v2.0 #1 running 55
             c post_deploy.1 v2.0 running 53"
        )
    };
    check(&situation("starting"), "look again at 115");
    check(&situation("reverting"), "terminate post_deploy.1 c");
}

#[test]
fn how_it_ended_is_told_and_changes_nothing() {
    for (ended, told) in [
        ("exited 0 53..55", "the post_deploy command of v2 is done"),
        ("exited 4 53..55", "the post_deploy command exited with code 4; v2 serves on"),
    ] {
        at(
            55,
            "draining v1.0 > v2.0 since 54 post 53",
            &format!("c post_deploy.1 v2.0 {ended}"),
            &format!("rollout 1 tells: {told}"),
        );
    }
}

#[test]
fn it_is_waited_for_and_then_ended() {
    at(
        100,
        "draining v1.0 > v2.0 since 54 post 53",
        "c post_deploy.1 v2.0 running 53",
        "look again at 653",
    );
    at(
        653,
        "draining v1.0 > v2.0 since 54 post 53",
        "c post_deploy.1 v2.0 running 53",
        "rollout 1 tells: the post_deploy command was not done after 600s; v2 serves on",
    );
    at(
        654,
        "draining v1.0 > v2.0 since 54 post-ended 653",
        "c post_deploy.1 v2.0 running 53",
        "rollout 1 done
         terminate post_deploy.1 c",
    );
}

#[test]
fn what_was_released_before_has_had_it() {
    check(
        "now 53
         release v2 web=1 post_deploy=0
         current v2.1
         rollout watching v2.0 > v2.1 since 53
         a web.1 v2.0 running 10 ready unrouted 53
         b web.1 v2.1 running 50 ready",
        "look again at 63",
    );
}

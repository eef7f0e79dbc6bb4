//! Earlier releases whose files can still be had: who lingers, from the rollout that takes its place to its
//! end.

use super::check;

/// v1 and v2 have files that last a minute; v2 took the place of v1 at 50.
const BOTH: &str = "release v1 web=2
    release v2 web=1
    assets 60
    current v2.0
    earlier v1.0 50
    n web.1 v2.0 running 40 ready";

#[test]
fn one_of_the_old_stays_when_the_others_go() {
    let situation = format!(
        "now 60
         {BOTH}
         rollout draining v1.0 > v2.0 since 60
         a web.1 v1.0 running 10 ready unchosen 51
         b web.2 v1.0 running 10 ready unrouted 60"
    );
    check(&situation, "terminate web.2 b\n look again at 110");
}

#[test]
fn the_rollout_does_not_wait_for_who_lingers() {
    let situation = format!(
        "now 62
         {BOTH}
         rollout draining v1.0 > v2.0 since 60
         a web.1 v1.0 running 10 ready unchosen 51"
    );
    check(&situation, "rollout 1 done\n look again at 110");
}

#[test]
fn who_stands_by_is_shifted_although_it_is_asked_for_files() {
    check(
        "now 51
         release v1 web=1
         release v2 web=1
         assets 60
         current v2.0
         earlier v1.0 50
         rollout shifting v1.0 > v2.0 since 50
         a web.1 v1.0 running 10 ready unchosen 51
         n web.1 v2.0 running 40 ready",
        "rollout 1 watching
         look again at 61",
    );
}

#[test]
fn its_time_is_over() {
    let situation = format!("now 110\n {BOTH}\n a web.1 v1.0 running 10 ready unchosen 51");
    check(&situation, "nothing");
    let forgotten = format!("now 111\n {BOTH}\n a web.1 v1.0 running 10 ready unrouted 111");
    check(&forgotten, "terminate web.1 a");
    let told = format!("now 112\n {BOTH}\n a web.1 v1.0 running 10 ready unrouted 111 told 111");
    check(&told, "look again at 141");
}

#[test]
fn a_file_is_on_its_way_when_its_time_is_over() {
    let situation = format!("now 112\n {BOTH}\n a web.1 v1.0 running 10 unrouted 111 requests 1");
    check(&situation, "look again at 141");
}

#[test]
fn one_that_ends_is_not_replaced() {
    let situation = format!("now 70\n {BOTH}\n a web.1 v1.0 exited 1 10..69 kept");
    check(&situation, "remove web.1 a");
    check(&format!("now 71\n {BOTH}"), "nothing");
}

#[test]
fn a_daemon_that_has_just_begun_knows_of_nobody_that_he_is_ready_and_ends_nobody() {
    let situation = format!("now 70\n {BOTH}\n a web.1 v1.0 running 10");
    check(&situation, "look again at 110");
}

#[test]
fn who_is_ready_lingers_rather_than_who_is_first() {
    let situation = format!(
        "now 60
         {BOTH}
         a web.1 v1.0 running 10 failing unrouted 60
         b web.2 v1.0 running 10 ready unchosen 51"
    );
    check(&situation, "terminate web.1 a\n look again at 110");
}

#[test]
fn three_linger_and_the_fourth_goes() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1
         release v3 web=1
         release v4 web=1
         release v5 web=1
         assets 60
         current v5.0
         earlier v4.0 50
         earlier v3.0 45
         earlier v2.0 44
         earlier v1.0 43
         n web.1 v5.0 running 40 ready
         d web.1 v4.0 running 30 ready unchosen 50
         c web.1 v3.0 running 30 ready unchosen 45
         b web.1 v2.0 running 20 ready unchosen 44
         a web.1 v1.0 running 10 ready unrouted 60",
        "terminate web.1 a
         look again at 104",
    );
}

#[test]
fn who_may_take_over_again_takes_no_place_of_another() {
    check(
        "now 52
         release v1 web=1
         release v2 web=1
         release v3 web=1
         release v4 web=1
         release v5 web=1
         assets 60
         current v5.0
         earlier v4.0 50
         earlier v3.0 45
         earlier v2.0 44
         earlier v1.0 43
         rollout watching v4.0 > v5.0 since 51
         n web.1 v5.0 running 40 ready
         d web.1 v4.0 running 30 ready unchosen 50
         c web.1 v3.0 running 30 ready unchosen 45
         b web.1 v2.0 running 20 ready unchosen 44
         a web.1 v1.0 running 10 ready unchosen 43",
        "look again at 61",
    );
}

#[test]
fn nobody_lingers_for_the_same_files() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1
         release v3 web=1
         release v4 web=1
         assets 60
         image v4 v2
         image v3 v1
         current v4.0
         earlier v3.0 50
         earlier v2.0 45
         earlier v1.0 40
         n web.1 v4.0 running 40 ready
         c web.1 v3.0 running 30 ready unchosen 50
         b web.1 v2.0 running 20 ready unrouted 60
         a web.1 v1.0 running 10 ready unrouted 60",
        "terminate web.1 b
         terminate web.1 a
         look again at 110",
    );
}

#[test]
fn nobody_lingers_where_none_of_it_is_declared_or_wanted() {
    let ends = |change: &str| {
        let situation =
            format!("now 60\n {BOTH}\n {change}\n a web.1 v1.0 running 10 ready unrouted 60");
        check(&situation, "terminate web.1 a");
    };
    ends("release v2 web=1");
    ends("disk web data");
    ends("recreate web");
}

#[test]
fn nobody_lingers_for_an_app_that_is_stopped_or_destroyed() {
    let all = format!(
        "now 60
         {}
         a web.1 v1.0 running 10 ready unrouted 60",
        BOTH.replace("40 ready", "40 ready unrouted 60")
    );
    check(&format!("{all}\n scale web=0"), "terminate web.1 n\n terminate web.1 a");
    check(&format!("{all}\n destroyed"), "terminate web.1 n\n terminate web.1 a");
}

#[test]
fn gone_back_to_what_served_before_the_other_lingers_in_its_turn() {
    check(
        "now 80
         release v1 web=1
         release v2 web=1
         release v3 web=1
         assets 60
         image v3 v1
         current v3.0
         earlier v2.0 75
         earlier v1.0 50
         n web.1 v3.0 running 70 ready
         b web.1 v2.0 running 40 ready unchosen 75
         a web.1 v1.0 running 10 ready unrouted 76",
        "terminate web.1 a
         look again at 135",
    );
}

#[test]
fn a_release_that_fails_changes_nothing_of_it() {
    check(
        "now 60
         release v1 web=1
         release v2 web=1
         release v3 web=1
         assets 60
         current v2.0
         earlier v1.0 50
         rollout starting v2.0 > v3.0 since 55
         a web.1 v1.0 running 10 ready unchosen 50
         b web.1 v2.0 running 40 ready
         c web.1 v3.0 exited 1 56..59 kept",
        "rollout 1 failed: v3 failed: web.1 exited with code 1; v2 serves on
         look again at 110",
    );
}

//! The planner of cron, by the minute. Times are those of one day, in UTC.

use super::*;
use crate::model::{CronCommand, Overlap, TimeZone};

fn at(clock: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-20T{clock}:00Z")).unwrap()
}

fn job(schedule: &str) -> CronJob {
    CronJob {
        schedule: schedule.parse().unwrap(),
        timezone: TimeZone::default(),
        command: CronCommand::Shell("true".to_owned()),
        process: None,
        memory: None,
        timeout: Duration::from_hours(1),
        overlap: Overlap::Forbid,
        catch_up: Duration::from_hours(1),
    }
}

fn state(job: &CronJob, seen: Timestamp) -> CronState {
    let counting =
        Counting { schedule: job.schedule.clone(), timezone: job.timezone.clone(), seen };
    let state = CronState::new("shop".parse().unwrap(), "nightly".parse().unwrap());
    CronState { counting: Some(counting), ..state }
}

/// What is planned for a job of which all until `seen` was dealt with, in words.
fn check(schedule: &str, seen: &str, now: &str, expected: &str) {
    let job = job(schedule);
    check_of(&job, at(seen), at(now), expected);
}

fn check_of(job: &CronJob, seen: Timestamp, now: Timestamp, expected: &str) {
    let clock = |at: Timestamp| at.to_string()[8..16].replace('T', " ");
    let told = match plan(Some(job), Some(&state(job, seen)), now) {
        (None, Some(next)) => format!("wait until {}", clock(next)),
        (Some(Step::Tick(due)), None) => {
            let run = due.run.map(|at| format!("run {}; ", clock(at)));
            let missed = due.missed.map(|it| {
                format!("missed {} from {} until {}; ", it.count, clock(it.from), clock(it.until))
            });
            format!(
                "{}{}seen {}",
                missed.unwrap_or_default(),
                run.unwrap_or_default(),
                clock(due.seen)
            )
        }
        (Some(Step::Count), None) => "count".to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told, expected);
}

#[test]
fn a_tick_runs_when_it_has_come_and_once() {
    check("30 3 * * *", "03:00", "03:29", "wait until 20 03:30");
    check("30 3 * * *", "03:00", "03:30", "run 20 03:30; seen 20 03:30");
    check("30 3 * * *", "03:30", "03:30", "wait until 21 03:30");
}

#[test]
fn of_ticks_that_were_missed_the_last_runs_if_it_is_not_too_late() {
    check("30 3 * * *", "03:00", "04:30", "run 20 03:30; seen 20 03:30");
    check("30 3 * * *", "03:00", "04:31", "missed 1 from 20 03:30 until 20 03:30; seen 20 03:30");
    let several = "missed 2 from 20 04:00 until 20 05:00; run 20 06:00; seen 20 06:00";
    check("0 * * * *", "03:30", "06:30", several);
    let strict = CronJob { catch_up: Duration::from_millis(1), ..job("0 * * * *") };
    check_of(&strict, at("03:30"), at("04:01"), "run 20 04:00; seen 20 04:00");
    let late = "missed 1 from 20 04:00 until 20 04:00; seen 20 04:00";
    check_of(&strict, at("03:30"), at("04:02"), late);
}

#[test]
fn a_year_of_minutes_is_dealt_with_at_once() {
    let long_ago = Timestamp::parse("2025-11-20T00:00:30Z").unwrap();
    let expected = "missed 2879 from 20 00:01 until 20 11:59; run 20 12:00; seen 20 12:00";
    check_of(&job("* * * * *"), long_ago, at("12:00"), expected);
}

#[test]
fn a_clock_that_is_set_back_runs_nothing_twice() {
    check("0 * * * *", "06:00", "04:30", "wait until 20 07:00");
    let tomorrow = Timestamp::parse("2026-11-21T04:31:00Z").unwrap();
    check_of(&job("0 * * * *"), tomorrow, at("04:30"), "count");
}

#[test]
fn a_job_counts_from_when_it_is_first_seen_with_its_schedule() {
    let hourly = job("0 * * * *");
    let count = |state: Option<&CronState>| {
        let (step, again) = plan(Some(&hourly), state, at("04:30"));
        assert_eq!(again, None);
        step == Some(Step::Count)
    };
    assert!(count(None));
    let daily = state(&job("@daily"), at("00:00"));
    assert!(count(Some(&daily)));
    let rests = CronState { counting: None, ..daily.clone() };
    assert!(count(Some(&rests)));
    let seen = |rests: &CronState| rests.counting_anew(&hourly, at("04:30")).seen;
    assert_eq!(seen(&rests), at("04:30"));
    let ran = |tick| CronState { last_tick: Some(tick), ..rests.clone() };
    // The clock was set back; by how much decides.
    assert_eq!(seen(&ran(at("06:00"))), at("06:00"));
    assert_eq!(seen(&ran(at("06:00").plus(SET_BACK))), at("04:30"));
    assert_eq!(plan(None, Some(&daily), at("04:30")), (Some(Step::Rest), None));
    assert_eq!(plan(None, Some(&rests), at("04:30")), (None, None));
    let mut paused = state(&hourly, at("00:00"));
    paused.paused_by = Some("root".parse().unwrap());
    assert_eq!(plan(Some(&hourly), Some(&paused), at("04:30")), (None, None));
}

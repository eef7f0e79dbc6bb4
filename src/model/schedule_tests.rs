//! When jobs run, by tables: clocks that are put forward and back, leap days, ends of months; and what
//! is said of what is no schedule.

use super::*;

/// The times after `after` as the zone's clocks show them, so many as are expected.
fn check(schedule: &str, zone: &str, after: &str, expected: &[&str]) {
    let (schedule, zone): (Schedule, TimeZone) = (schedule.parse().unwrap(), zone.parse().unwrap());
    let mut at = Timestamp::parse(after).unwrap();
    for expected in expected {
        at = schedule.next(at, &zone).unwrap();
        assert_eq!(zone.shown(at), *expected, "{schedule} in {zone}");
    }
}

#[test]
fn in_the_hour_that_is_skipped_a_fixed_time_comes_right_after_it() {
    // Berlin, 29 March 2026: 02:00 becomes 03:00.
    let after = "2026-03-28T12:00:00Z";
    let days = ["2026-03-29 03:00 CEST", "2026-03-30 02:30 CEST", "2026-03-31 02:30 CEST"];
    check("30 2 * * *", "Europe/Berlin", after, &days);
    // Two that fall into it are one run.
    let twice = ["2026-03-29 03:00 CEST", "2026-03-30 02:10 CEST", "2026-03-30 02:40 CEST"];
    check("10,40 2 * * *", "Europe/Berlin", after, &twice);
    // One that comes elsewhere too loses nothing.
    let lists = ["2026-03-29 03:00 CEST", "2026-03-29 03:15 CEST", "2026-03-29 14:15 CEST"];
    check("15 2,3,14 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", &lists);
    // New York, 8 March 2026: 02:00 becomes 03:00.
    let days = ["2026-03-08 03:00 EDT", "2026-03-09 02:30 EDT"];
    check("30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", &days);
    // Lord Howe, 4 October 2026: 02:00 becomes 02:30.
    let days = ["2026-10-04 02:30 +11", "2026-10-05 02:15 +11"];
    check("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T14:00:00Z", &days);
}

#[test]
fn in_the_hour_that_is_repeated_a_fixed_time_comes_once() {
    // Berlin, 25 October 2026: 03:00 becomes 02:00.
    let days = ["2026-10-25 02:30 CEST", "2026-10-26 02:30 CET"];
    check("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", &days);
    // From within the second of the two it is tomorrow's.
    check("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", &["2026-10-26 02:30 CET"]);
    let lists = ["2026-10-25 02:10 CEST", "2026-10-25 02:40 CEST", "2026-10-26 02:10 CET"];
    check("10,40 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", &lists);
    let days = ["2026-11-01 01:30 EDT", "2026-11-02 01:30 EST"];
    check("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", &days);
    // Lord Howe, 5 April 2026: 02:00 becomes 01:30.
    let days = ["2026-04-05 01:45 +11", "2026-04-06 01:45 +1030"];
    check("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", &days);
}

#[test]
fn what_runs_at_intervals_goes_by_the_time_that_passes() {
    // An hour is missing, and no run is made up for it.
    let hours = ["2026-03-29 01:00 CET", "2026-03-29 03:00 CEST", "2026-03-29 04:00 CEST"];
    check("0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", &hours);
    // An hour comes twice, and so does the run.
    let hours = ["2026-10-25 02:00 CEST", "2026-10-25 02:00 CET", "2026-10-25 03:00 CET"];
    check("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", &hours);
    let hours = ["2026-03-29 00:30 CET", "2026-03-29 04:30 CEST", "2026-03-29 06:30 CEST"];
    check("30 */2 * * *", "Europe/Berlin", "2026-03-28T22:00:00Z", &hours);
    let halves = ["2026-10-25 02:30 CEST", "2026-10-25 02:00 CET", "2026-10-25 02:30 CET"];
    check("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", &halves);
}

#[test]
fn days_and_months_are_those_of_the_calendar() {
    let quiet = ["2026-06-01 00:00 -03", "2026-07-01 00:00 -03"];
    check("@monthly", "America/Sao_Paulo", "2026-05-10T00:00:00Z", &quiet);
    let leap = ["2028-02-29 12:00 UTC", "2032-02-29 12:00 UTC"];
    check("0 12 29 2 *", "UTC", "2026-01-01T00:00:00Z", &leap);
    // 2100 has no leap day.
    check("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29 00:00 UTC"]);
    let last = ["2026-02-28 08:00 UTC", "2026-03-31 08:00 UTC"];
    check("0 8 l * *", "UTC", "2026-02-01T00:00:00Z", &last);
    // Either of day and weekday will do, as ever.
    let either = ["2026-11-13 00:00 UTC", "2026-11-16 00:00 UTC", "2026-11-23 00:00 UTC"];
    check("0 0 13 * mon", "UTC", "2026-11-10T00:00:00Z", &either);
    let names = ["2027-01-01 09:00 UTC", "2027-01-04 09:00 UTC"];
    check("0 9 * JAN,jul Mon-Fri", "UTC", "2026-11-10T00:00:00Z", &names);
    let week = ["2026-11-15 00:00 UTC", "2026-11-22 00:00 UTC"];
    check("@weekly", "UTC", "2026-11-10T00:00:00Z", &week);
    check("0 0 * * 7", "UTC", "2026-11-10T00:00:00Z", &week);
}

#[test]
fn a_time_is_not_after_itself() {
    let schedule: Schedule = "* * * * *".parse().unwrap();
    let next = |millis| schedule.next(Timestamp::from_millis(millis), &TimeZone::default());
    assert_eq!(next(60_000), Some(Timestamp::from_millis(120_000)));
    assert_eq!(next(60_001), Some(Timestamp::from_millis(120_000)));
    assert_eq!(next(119_999), Some(Timestamp::from_millis(120_000)));
}

#[test]
fn what_is_wrong_is_said_of_the_field() {
    let error = |text: &str| text.parse::<Schedule>().unwrap_err().to_string();
    let field = |text: &str| error(text).split(':').next().unwrap().to_owned();
    assert_eq!(field("61 * * * *"), "`61` is not a minute");
    assert_eq!(field("0 24 * * *"), "`24` is not an hour");
    assert_eq!(field("0 0 0 * *"), "`0` is not a day of the month");
    assert_eq!(field("0 0 * 13 *"), "`13` is not a month");
    assert_eq!(field("0 0 * * fun"), "`fun` is not a day of the week");
    assert_eq!(field("*/0 * * * *"), "`*/0` is not a minute");
    assert_eq!(field("@a * * * *"), "`@a` is not a minute");
    assert!(error("0 0 30 2 *").contains("never comes"));
    for form in ["", "daily", "@reboot", "* * * *", "0 * * * * *", "ä * * * *", "@daily @daily"] {
        assert!(error(form).contains("is not a schedule; write five fields"), "{form}");
    }
}

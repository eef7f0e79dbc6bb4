//! The date format of HTTP (RFC 9110 section 5.6.7).
//!
//! It only writes. The clock is the caller's.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::digits::{put_number, put_two};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Such as `Sun, 06 Nov 1994 08:49:37 GMT`. Times before 1970 are written as 1970.
pub(crate) fn http_date(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut out = Vec::with_capacity(LENGTH);
    let (weekday, month) = (name(&DAYS, days % 7), name(&MONTHS, month - 1));
    out.extend_from_slice(weekday.as_bytes());
    out.extend_from_slice(b", ");
    put_two(&mut out, day);
    for part in [" ", month, " "] {
        out.extend_from_slice(part.as_bytes());
    }
    put_number(&mut out, year);
    for (before, number) in [(b' ', second / 3600), (b':', second / 60 % 60), (b':', second % 60)] {
        out.push(before);
        put_two(&mut out, number);
    }
    out.extend_from_slice(b" GMT");
    String::from_utf8(out).unwrap_or_default()
}

/// Of a date in this format.
const LENGTH: usize = 29;

fn name(names: &[&'static str], index: u64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar. Years are
/// counted from March, so that the leap day is the last of a year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, date)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(seconds: u64, expected: &str) {
        assert_eq!(http_date(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
    }

    #[test]
    fn dates_are_written_as_http_wants_them() {
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
        check(4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT");
        check(4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT");
    }
}

//! Sizes, shares, durations and ages, as people read them.

use std::time::Duration;

use jiff::Timestamp;

/// A number of things: `1 file`, `2 files`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Bytes: `4.2 KiB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scale = 0;
    let mut divisor = 1_u64;
    while count / divisor >= 1024 && scale + 1 < units.len() {
        divisor *= 1024;
        scale += 1;
    }
    let unit = units.get(scale).copied().unwrap_or("B");
    let tenths = u128::from(count) * 10 / u128::from(divisor);
    if divisor == 1 || tenths >= 1000 {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// Thousandths of a core as a share of one: `12%`.
pub(crate) fn cores(millis: u32) -> String {
    format!("{}.{}%", millis / 10, millis % 10)
}

/// A duration: `0.4 s`, `2 m 5 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let whole = duration.as_secs();
    format!("{} m {} s", whole / 60, whole % 60)
}

/// How long ago `at` was, in its largest unit: `45s`, `12m`, `3h`, `9d`. What is no time stays as
/// it is.
pub(crate) fn age(at: &str, now: Timestamp) -> String {
    let Ok(at) = at.parse::<Timestamp>() else { return at.to_owned() };
    // Another machine's clock may be a little ahead.
    largest(now.as_second().saturating_sub(at.as_second()).max(0))
}

/// A place in the queue of builds, with so many before it.
pub(crate) fn in_queue(ahead: u32, behind: Option<&str>) -> String {
    let place = ahead.saturating_add(1);
    let ending = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    let behind = behind.map_or_else(String::new, |build| format!(", behind {build}"));
    format!("{place}{ending} in the queue{behind}")
}

/// How far ahead `at` is: `in 4m`, or `now`. What is no time stays as it is.
pub(crate) fn ahead(at: &str, now: Timestamp) -> String {
    let Ok(at) = at.parse::<Timestamp>() else { return at.to_owned() };
    match at.as_second().saturating_sub(now.as_second()) {
        ..1 => "now".to_owned(),
        seconds => format!("in {}", largest(seconds)),
    }
}

/// Seconds in their largest unit.
fn largest(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The time from one RFC 3339 time to another, if both are.
pub(crate) fn since(from: &str, to: &str) -> Option<Duration> {
    let from: Timestamp = from.parse().ok()?;
    let to: Timestamp = to.parse().ok()?;
    to.duration_since(from).try_into().ok()
}

/// A commit as people call it.
pub(crate) fn commit(id: &str) -> String {
    id.chars().take(7).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(4_300), "4.1 KiB");
        assert_eq!(bytes(150 << 20), "150 MiB");
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
        assert_eq!(cores(123), "12.3%");
        assert_eq!(seconds(Duration::from_millis(1_234)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 m 5 s");
    }

    #[test]
    fn ages_use_one_unit() {
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
        for (at, expected) in [
            ("2026-01-09T23:59:15Z", "45s"),
            ("2026-01-09T23:48:00.5Z", "12m"),
            ("2026-01-09T21:00:00Z", "3h"),
            ("2026-01-01T00:00:00Z", "9d"),
            ("2026-01-11T00:00:00Z", "0s"),
            ("soon", "soon"),
        ] {
            assert_eq!(age(at, now), expected, "{at}");
        }
        let places = [0, 1, 2, 3, 10, 11, 12, 20].map(|before| in_queue(before, None));
        let places = places.map(|place| place.replace(" in the queue", ""));
        assert_eq!(places, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st"]);
        assert_eq!(in_queue(1, Some("blog #12")), "2nd in the queue, behind blog #12");
        assert_eq!(ahead("2026-01-10T00:04:00Z", now), "in 4m");
        assert_eq!(ahead("2026-01-09T00:04:00Z", now), "now");
    }
}

//! A length of time as people type it: `90s`, `1h30m`, `7d`.

/// The seconds that a text such as `1h30m` says; `None` if it says none.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let unit = after.chars().next()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let part = number.parse::<i64>().ok()?.checked_mul(seconds)?;
        total = total.checked_add(part)?;
        rest = after.get(unit.len_utf8()..).unwrap_or_default();
    }
    (!text.is_empty()).then_some(total)
}

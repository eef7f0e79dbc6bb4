//! Text that others wrote, made harmless for a terminal: no title is set, no screen cleared, no
//! line overwritten. Colours may stay.

/// `text` without control characters; colour sequences stay if `colour` is wanted.
pub(crate) fn clean(text: &str, colour: bool) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '\x1b' {
            let (sequence, after) = rest.split_at(escape_length(rest));
            if colour && is_colour(sequence) {
                clean.push_str(sequence);
            }
            rest = after;
            continue;
        }
        if c == '\t' || c == '\n' || !c.is_control() {
            clean.push(c);
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    if clean.contains('\x1b') && !clean.ends_with(RESET) {
        clean.push_str(RESET);
    }
    clean
}

const RESET: &str = "\x1b[0m";

/// The length of the escape sequence that `text` begins with: up to its final letter.
fn escape_length(text: &str) -> usize {
    match text.get(1..2) {
        Some("[") => text
            .char_indices()
            .skip(2)
            .find(|(_, c)| !matches!(c, '\x20'..='\x3f'))
            .map_or(text.len(), |(at, c)| at + c.len_utf8()),
        // An operating system command reaches to the bell or to the string terminator.
        Some("]") => text.find('\x07').map_or(text.len(), |at| at + 1),
        _ => 1,
    }
}

fn is_colour(sequence: &str) -> bool {
    let inner = sequence.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix('m'));
    inner.is_some_and(|inner| inner.bytes().all(|b| b.is_ascii_digit() || b == b';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_may_stay_and_all_else_goes() {
        let text = "a\x1b[31mred\x1b[2J\x1b]0;title\x07\rb\x08\tc";
        assert_eq!(clean(text, true), "a\x1b[31mredb\tc\x1b[0m");
        assert_eq!(clean(text, false), "aredb\tc");
        assert_eq!(clean("\x1b[1mx\x1b[0m", true), "\x1b[1mx\x1b[0m");
        assert_eq!(clean("\x1b", true), "");
        assert_eq!(clean("\x1b[31", true), "");
        assert_eq!(clean("ü\x1b[ü", false), "ü");
    }
}

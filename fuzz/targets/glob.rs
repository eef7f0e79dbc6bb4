//! The patterns of slices: what they match is what the plain rules say, tried one way after another.
//! The first line is the pattern, the second the path.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/build/export/glob.rs"]
mod matcher;

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (pattern, path) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let found = matcher::matches(pattern, path);
    // Each `*` can end anywhere: too many of them are for the matcher alone.
    let stars = pattern.iter().filter(|byte| **byte == b'*').count();
    if stars <= 4 && path.len() <= 40 {
        assert_eq!(found, naive(pattern, path));
    }
});

/// Go's `filepath.Match`, case by case.
fn naive(pattern: &[u8], path: &[u8]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return path.is_empty() };
    if *first == b'*' {
        let most = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
        return (0..=most).any(|taken| naive(rest, &path[taken..]));
    }
    let Some((byte, after)) = path.split_first() else { return false };
    match first {
        b'?' => *byte != b'/' && naive(rest, after),
        b'[' => class(rest, *byte).is_some_and(|rest| naive(rest, after)),
        b'\\' if !rest.is_empty() => rest[0] == *byte && naive(&rest[1..], after),
        literal => literal == byte && naive(rest, after),
    }
}

/// What follows a class that takes `byte`.
fn class(text: &[u8], byte: u8) -> Option<&[u8]> {
    let negated = text.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    for count in 0.. {
        if count > 0 && text.get(at) == Some(&b']') {
            return (found != negated && byte != b'/').then(|| &text[at + 1..]);
        }
        let low = member(text, &mut at)?;
        let mut high = low;
        if text.get(at) == Some(&b'-') {
            at += 1;
            high = member(text, &mut at)?;
        }
        found |= low <= byte && byte <= high;
    }
    None
}

fn member(text: &[u8], at: &mut usize) -> Option<u8> {
    let mut byte = *text.get(*at)?;
    if byte == b'-' || byte == b']' {
        return None;
    }
    if byte == b'\\' && *at + 1 < text.len() {
        *at += 1;
        byte = text[*at];
    }
    *at += 1;
    Some(byte)
}

//! The patterns of Go's `filepath.Match`, which the buildpacks' specification uses. Pure.
//!
//! `*` and `?` stop at slashes, `[a-z]` and `[^a]` are classes, a backslash takes the next byte as
//! it is. A malformed pattern matches nothing.

/// Whether `pattern` matches all of `path`.
pub(crate) fn matches(pattern: &[u8], path: &[u8]) -> bool {
    // Where to go on if the last `*` has to take one byte more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    let (mut pattern, mut path) = (pattern, path);
    loop {
        match (pattern, path) {
            ([], []) => return true,
            ([b'*', rest @ ..], _) => {
                retry = Some((rest, path));
                pattern = rest;
                continue;
            }
            (_, [byte, after @ ..]) => {
                if let Some(rest) = step(pattern, *byte) {
                    (pattern, path) = (rest, after);
                    continue;
                }
            }
            (_, []) => {}
        }
        match retry {
            Some((rest, [taken, after @ ..])) if *taken != b'/' => {
                retry = Some((rest, after));
                (pattern, path) = (rest, after);
            }
            _ => return false,
        }
    }
}

/// What is left of `pattern` once it has matched `byte`.
fn step(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => (byte != b'/').then_some(rest),
        [b'[', rest @ ..] => class(rest, byte),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

fn class(mut rest: &[u8], byte: u8) -> Option<&[u8]> {
    let negated = rest.first() == Some(&b'^');
    if negated {
        rest = rest.get(1..)?;
    }
    let (mut found, mut first) = (false, true);
    loop {
        if let ([b']', after @ ..], false) = (rest, first) {
            return (found != negated && byte != b'/').then_some(after);
        }
        let (low, after) = literal(rest)?;
        let (high, after) = match after {
            [b'-', after @ ..] => literal(after)?,
            _ => (low, after),
        };
        found |= (low..=high).contains(&byte);
        (rest, first) = (after, false);
    }
}

fn literal(pattern: &[u8]) -> Option<(u8, &[u8])> {
    match pattern {
        [b'-' | b']', ..] | [] => None,
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => Some((*byte, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_are_those_of_go() {
        let cases = [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a/b", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[]a]", "]", false),
            ("a[", "a", false),
            ("public/*", "public/a.css", true),
            ("", "a", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), expected, "{pattern} {path}");
        }
    }
}

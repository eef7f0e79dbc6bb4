//! The names of an archive's entries, judged before anything is done with them. Pure.

use super::{Rule, UnpackLimits};

/// A path that stays where it is put: no absolute one, no `..`, no surprises. `None` is the root
/// of the archive itself.
pub(super) fn accept<'a>(
    path: &'a [u8],
    limits: &UnpackLimits,
) -> Result<Option<Vec<&'a [u8]>>, Rule> {
    if path.is_empty() {
        return Err(Rule::Nameless);
    }
    if path.len() > limits.path {
        return Err(Rule::LongPath);
    }
    if path.contains(&0) {
        return Err(Rule::Nul);
    }
    if path.starts_with(b"/") {
        return Err(Rule::Absolute);
    }
    let mut parts = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(Rule::Climbs),
            _ if part.starts_with(WHITEOUT) => return Err(Rule::Whiteout),
            _ if part.len() > MAX_NAME => return Err(Rule::LongPath),
            _ => parts.push(part),
        }
    }
    if parts.len() > limits.depth {
        return Err(Rule::Deep);
    }
    Ok(if parts.is_empty() { None } else { Some(parts) })
}

/// How the layers of an image say that a file of a lower layer is gone.
pub(crate) const WHITEOUT: &[u8] = b".wh.";
/// The longest name that Linux file systems take.
const MAX_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    /// How many parts a path has.
    type Parts = Result<Option<usize>, Rule>;

    #[test]
    fn paths_stay_below_the_root() {
        let limits = UnpackLimits { depth: 3, path: 300, ..UnpackLimits::default() };
        let long = [b'a'; 256];
        let cases: &[(&[u8], Parts)] = &[
            (b"a", Ok(Some(1))),
            (b"./a//b/", Ok(Some(2))),
            (b"\xff\xfe", Ok(Some(1))),
            (b"...", Ok(Some(1))),
            (b"./", Ok(None)),
            (b"", Err(Rule::Nameless)),
            (b"/etc/passwd", Err(Rule::Absolute)),
            (b"a/../b", Err(Rule::Climbs)),
            (b"..", Err(Rule::Climbs)),
            (b"a\0b", Err(Rule::Nul)),
            (b"a/.wh.b", Err(Rule::Whiteout)),
            (b"a/.wh..wh..opq", Err(Rule::Whiteout)),
            (b"a/b/c/d", Err(Rule::Deep)),
            (&long, Err(Rule::LongPath)),
            (&[b'/'; 301], Err(Rule::LongPath)),
        ];
        for (path, expected) in cases {
            let parts = accept(path, &limits).map(|parts| parts.map(|it| it.len()));
            assert_eq!(parts, *expected, "{}", path.escape_ascii());
        }
    }
}

//! `.dockerignore`: what fits a folder fits all below it, and the last pattern that fits decides. The last
//! line is the path, those before it are the file. Simple patterns are tried one way after another, too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use matcher::Ignore;

#[path = "../../src/build/export/glob.rs"]
mod glob;

#[path = "../../src/build/dockerfile/ignore.rs"]
mod matcher;

/// As the daemon's own tree has it.
mod build {
    pub(crate) mod export {
        pub(crate) use crate::glob;
    }
}

fuzz_target!(|text: &str| {
    let Some((file, path)) = text.rsplit_once('\n') else { return };
    if path.is_empty() || path.starts_with('/') {
        return;
    }
    let left_out = |file: &str, path: &str| Ignore::parse(file).leaves_out(path.as_bytes());
    let out = left_out(file, path);
    assert!(left_out(&format!("{file}\n**"), path));
    assert!(!left_out(&format!("{file}\n!**"), path));
    if out && !file.contains('!') {
        assert!(left_out(file, &format!("{path}/below")));
    }
    let simple = |c: char| c.is_ascii_lowercase() || "*?/".contains(c);
    let parts = || file.split('/');
    if file.chars().all(simple) && parts().all(|part| !part.is_empty()) && path.len() <= 30 {
        let stars = file.bytes().filter(|byte| *byte == b'*').count();
        let above = path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]);
        // Each `*` can end anywhere: too many of them are for the matcher alone.
        if stars <= 4 && !path.starts_with('/') && !path.contains("//") {
            let mut above = above.filter(|above| !above.is_empty());
            assert_eq!(out, above.any(|above| naive(file.as_bytes(), above.as_bytes())));
        }
    }
});

/// Docker's rules, case by case.
fn naive(pattern: &[u8], path: &[u8]) -> bool {
    let any = |rest: &[u8], fits: &dyn Fn(&[u8]) -> bool| {
        (0..=path.len()).any(|taken| fits(&path[..taken]) && naive(rest, &path[taken..]))
    };
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*'] => true,
        [b'*', b'*', b'/', rest @ ..] | [b'*', b'*', rest @ ..] => {
            any(rest, &|taken| taken.is_empty() || taken.ends_with(b"/"))
        }
        [b'*', rest @ ..] => any(rest, &|taken| !taken.contains(&b'/')),
        [first, rest @ ..] => path.split_first().is_some_and(|(byte, after)| {
            (first == byte || (*first == b'?' && *byte != b'/')) && naive(rest, after)
        }),
    }
}

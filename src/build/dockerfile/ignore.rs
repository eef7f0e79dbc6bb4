//! `.dockerignore`: which files of a folder are no part of what a Dockerfile sees. Pure.
//!
//! The grammar is Docker's own, that of Go's `filepath.Match` with `**` for any number of folders and
//! `!` for exceptions; the last pattern that fits a path or a folder above it decides. A malformed
//! pattern fits nothing. Time is bounded by the length of pattern and path.

use crate::build::export::glob;

/// The patterns of a file.
#[derive(Debug, Default)]
pub(crate) struct Ignore(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    parts: Vec<Part>,
    exception: bool,
}

#[derive(Debug)]
enum Part {
    /// A character, `?` or a class, as glob's own pattern of one byte.
    One(Vec<u8>),
    /// `*`: anything but a slash.
    Within,
    /// `**` at the end: anything.
    Rest,
    /// `**/`: no folder, one, or several.
    Folders,
}

impl Ignore {
    /// Reads the text of a `.dockerignore`.
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let wanted = lines.filter(|line| !line.starts_with('#')).map(str::trim);
        Self(wanted.filter_map(Pattern::parse).collect())
    }

    /// Whether the entry at `path`, without a leading slash, is left out.
    pub(crate) fn leaves_out(&self, path: &[u8]) -> bool {
        let mut out = false;
        for pattern in &self.0 {
            // What is known already needs no look.
            if out == pattern.exception && pattern.fits(path) {
                out = !pattern.exception;
            }
        }
        out
    }
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        let (text, exception) = match line.strip_prefix('!') {
            Some(rest) => (rest.trim(), true),
            None => (line, false),
        };
        let text = clean(text);
        let parts = parts(text.as_bytes())?;
        (!parts.is_empty()).then_some(Self { parts, exception })
    }

    /// Whether it fits the path or a folder above it.
    fn fits(&self, path: &[u8]) -> bool {
        let mut states = States::begin(self);
        for (index, byte) in path.iter().enumerate() {
            if index > 0 && *byte == b'/' && states.at_end() {
                return true;
            }
            states.step(self, *byte);
        }
        states.at_end()
    }
}

/// Where in a pattern a match may be: `fresh[i]` before part `i`, `inside[i]` in a `**/` there.
struct States {
    fresh: Vec<bool>,
    inside: Vec<bool>,
}

impl States {
    fn begin(pattern: &Pattern) -> Self {
        let places = pattern.parts.len() + 1;
        let mut states = Self { fresh: vec![false; places], inside: vec![false; places] };
        states.enter(pattern, 0);
        states
    }

    /// Before part `at`, and whatever may be passed over from there.
    fn enter(&mut self, pattern: &Pattern, mut at: usize) {
        while let Some(fresh) = self.fresh.get_mut(at).filter(|fresh| !**fresh) {
            *fresh = true;
            match pattern.parts.get(at) {
                Some(Part::Within | Part::Rest | Part::Folders) => at += 1,
                Some(Part::One(_)) | None => return,
            }
        }
    }

    fn step(&mut self, pattern: &Pattern, byte: u8) {
        let places = self.fresh.len();
        let next = Self { fresh: vec![false; places], inside: vec![false; places] };
        let before = std::mem::replace(self, next);
        let known = before.fresh.iter().zip(&before.inside).zip(&pattern.parts).enumerate();
        for (at, ((fresh, inside), part)) in known {
            match part {
                Part::One(one) if *fresh && glob::matches(one, &[byte]) => {
                    self.enter(pattern, at + 1);
                }
                Part::Within if *fresh && byte != b'/' => self.enter(pattern, at),
                Part::Rest if *fresh => self.enter(pattern, at),
                Part::Folders if *fresh || *inside => {
                    if let Some(inside) = self.inside.get_mut(at) {
                        *inside = true;
                    }
                    if byte == b'/' {
                        self.enter(pattern, at + 1);
                    }
                }
                Part::One(_) | Part::Within | Part::Rest | Part::Folders => {}
            }
        }
    }

    fn at_end(&self) -> bool {
        self.fresh.last().copied().unwrap_or_default()
    }
}

/// As Go's `filepath.Clean`, relative to the folder.
fn clean(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The parts of a pattern; `None` if it is malformed.
fn parts(text: &[u8]) -> Option<Vec<Part>> {
    let (mut parts, mut rest) = (Vec::new(), text);
    loop {
        let (part, after) = match rest {
            [] => return Some(parts),
            [b'*', b'*', b'/', after @ ..] => (Part::Folders, after),
            [b'*', b'*'] => (Part::Rest, rest.get(2..)?),
            [b'*', b'*', after @ ..] => (Part::Folders, after),
            [b'*', after @ ..] => (Part::Within, after),
            [b'[', ..] => {
                let (class, after) = rest.split_at_checked(class_end(rest)?)?;
                (Part::One(class.to_vec()), after)
            }
            [b'\\', byte, after @ ..] => (Part::One(vec![b'\\', *byte]), after),
            [b'\\'] => return None,
            [byte, after @ ..] => (Part::One(vec![*byte]), after),
        };
        parts.push(part);
        rest = after;
    }
}

/// Where the class that begins here ends.
fn class_end(text: &[u8]) -> Option<usize> {
    let mut at = if text.get(1) == Some(&b'^') { 2 } else { 1 };
    let first = at;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b']' if at > first => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, out: &[&str], stays: &[&str]) {
        let ignore = Ignore::parse(text);
        for (paths, expected) in [(out, true), (stays, false)] {
            for path in paths {
                assert_eq!(ignore.leaves_out(path.as_bytes()), expected, "{path} by {text:?}");
            }
        }
    }

    #[test]
    fn patterns_are_those_of_docker() {
        check("", &[], &["a", "a/b"]);
        check("# a\n\n  b  \n", &["b", "b/c"], &["a", "# a", "c/b"]);
        check("node_modules", &["node_modules", "node_modules/x/y"], &["app/node_modules"]);
        check("**/node_modules", &["node_modules", "a/node_modules/x"], &["node_modulesx"]);
        check("/a/", &["a", "a/b"], &["b/a"]);
        check("*.md", &["README.md"], &["docs/README.md", "md"]);
        check("**/*.md", &["README.md", "docs/a/README.md"], &["md"]);
        check("*/temp*", &["a/temp", "a/temporary/x"], &["temp", "a/b/temp"]);
        check("*/*/temp*", &["a/b/temp1"], &["a/temp"]);
        check("temp?", &["tempa"], &["temp", "tempab", "temp/"]);
        check("[a-c]x", &["ax", "cx/y"], &["dx", "x"]);
        check("[^a]x", &["bx"], &["ax", "/x"]);
        check("a\\*b", &["a*b"], &["axb"]);
        check("docs/**", &["docs/a", "docs/a/b"], &["docsx"]);
        check("a/**/b", &["a/b", "a/x/b", "a/x/y/b/z"], &["ab", "a/xb"]);
        check("./x/../y", &["y"], &["x", "x/y"]);
        check("[", &[], &["["]);
        check("\u{feff}a", &["a"], &[]);
    }

    #[test]
    fn the_last_pattern_that_fits_decides() {
        check("*.md\n!README.md", &["a.md"], &["README.md"]);
        check("*.md\n!README*.md\nREADME-secret.md", &["README-secret.md", "a.md"], &["README.md"]);
        check("!README.md\n*.md", &["README.md"], &[]);
        check("*\n!src\n!package.json", &["a", "b/c"], &["src", "src/x/y", "package.json"]);
        check("*\n!**/keep", &["a", "a/b"], &["keep", "a/keep/x"]);
        check("a\n! a/b", &["a", "a/c"], &["a/b", "a/b/c"]);
    }

    #[test]
    fn a_hostile_pattern_takes_no_longer_than_others() {
        let path = b"a".repeat(4000);
        let ignore = Ignore::parse(&format!("{}b", "*a".repeat(200)));
        assert!(!ignore.leaves_out(&path));
    }
}

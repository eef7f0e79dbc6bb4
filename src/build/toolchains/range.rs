//! Which of the offered versions a request means. Pure.
//!
//! Not a general solver: one toolchain, one range, the newest version that it admits. Previews
//! are never chosen unless they are asked for by their exact name.

use super::number::Number;
use super::wire::{Scheme, Toolchain};
use nodejs_semver::{Range, Version};

/// A request's range, understood.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The newest line with long-term support.
    Lts,
    /// Any version that npm's grammar admits.
    Npm(Box<Range>),
    /// The newest version of a line, or one version.
    Line(Number),
    /// This one or newer.
    Minimum(Number),
    /// Every clause must hold.
    Clauses(Vec<Clause>),
}

/// One of Python's version clauses.
#[derive(Debug)]
pub(crate) struct Clause {
    relation: Relation,
    number: Number,
}

#[derive(Debug, Clone, Copy)]
enum Relation {
    AtLeast,
    AtMost,
    Less,
    More,
    Of,
    NotOf,
    Compatible,
}

impl Wanted {
    /// Understands a range; the error says what is wrong with it.
    pub(crate) fn parse(
        toolchain: Toolchain,
        range: &str,
        scheme: Scheme,
    ) -> Result<Self, &'static str> {
        let range = range.trim();
        if range.len() > LONGEST || !range.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Err("a range is at most 256 plain characters");
        }
        match scheme {
            Scheme::Npm => npm(toolchain, range),
            Scheme::Exact => Number::parse(range).map(Self::Line).ok_or("this is not a version"),
            Scheme::Minimum => {
                Number::parse(range).map(Self::Minimum).ok_or("this is not a version")
            }
            Scheme::Pep440 => clauses(range),
        }
    }

    /// Whether a version will do.
    pub(crate) fn admits(&self, version: &str) -> bool {
        let Some(number) = Number::parse(version) else { return false };
        let named = matches!(self, Self::Line(line) if line.is_preview());
        if number.is_preview() && !named {
            return false;
        }
        match self {
            Self::Lts => LTS.iter().any(|(_, major)| *major == number.major()),
            Self::Npm(range) => Version::parse(version).is_ok_and(|v| range.satisfies(&v)),
            Self::Line(line) => number.is_of(line),
            Self::Minimum(least) => number >= *least,
            Self::Clauses(clauses) => clauses.iter().all(|clause| clause.admits(&number)),
        }
    }

    /// The newest admitted version.
    pub(crate) fn newest<'a>(&self, versions: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        versions.filter(|version| self.admits(version)).max_by_key(|version| Number::parse(version))
    }

    /// The one version that can be meant, when it is written out in full.
    pub(crate) fn only(&self) -> Option<&Number> {
        match self {
            Self::Line(number) if number.len() >= 3 => Some(number),
            _ => None,
        }
    }
}

/// The released versions nearest to a range that none of them meets, nearest first: of the line
/// that was asked for if it exists, else the newest of the lines around it.
pub(crate) fn nearest<'a>(
    toolchain: Toolchain,
    range: &str,
    versions: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let mut known: Vec<(Number, &str)> = versions
        .filter_map(|version| Number::parse(version).map(|number| (number, version)))
        .filter(|(number, _)| !number.is_preview())
        .collect();
    known.sort();
    // Node's and Java's lines are majors; Go's and Python's are the first two parts.
    let depth = match toolchain {
        Toolchain::Node
        | Toolchain::Npm
        | Toolchain::Yarn
        | Toolchain::Pnpm
        | Toolchain::Jdk
        | Toolchain::Jre => 1,
        Toolchain::Bun
        | Toolchain::Rust
        | Toolchain::Go
        | Toolchain::Uv
        | Toolchain::Deno
        | Toolchain::Python
        | Toolchain::Ruby => 2,
    };
    let target = Number::first_in(range);
    let line = target.as_ref().map(|target| target.line(depth));
    let within = line.is_some_and(|line| known.iter().any(|(number, _)| number.is_of(&line)));
    if !within {
        known.reverse();
        known.dedup_by_key(|(number, _)| number.line(depth));
        known.reverse();
    }
    let at = known.partition_point(|(number, _)| target.as_ref().is_some_and(|t| number < t));
    let (below, above) = known.split_at(if target.is_some() { at } else { known.len() });
    let above = above.iter().take(NEAREST / 2);
    let below = below.iter().rev().take(NEAREST - above.len());
    above.chain(below).map(|(_, version)| (*version).to_owned()).collect()
}

fn npm(toolchain: Toolchain, range: &str) -> Result<Wanted, &'static str> {
    let lowered = range.to_ascii_lowercase();
    if toolchain == Toolchain::Node {
        match lowered.strip_prefix("lts/") {
            Some("*") => return Ok(Wanted::Lts),
            Some(name) => return line_named(name),
            None if lowered == "lts" => return Ok(Wanted::Lts),
            None => {}
        }
    }
    let range = match lowered.as_str() {
        "" | "latest" | "node" | "current" | "stable" => "*",
        _ => range,
    };
    let parsed = Range::parse(range).map_err(|_| "this is not a range that npm understands")?;
    Ok(Wanted::Npm(Box::new(parsed)))
}

fn line_named(name: &str) -> Result<Wanted, &'static str> {
    let known = LTS.iter().find(|(known, _)| *known == name);
    let (_, major) = known.ok_or("no long-term line of Node has this name")?;
    Number::parse(&major.to_string()).map(Wanted::Line).ok_or("this is not a version")
}

fn clauses(range: &str) -> Result<Wanted, &'static str> {
    let texts = range.split(',').map(str::trim).filter(|text| !text.is_empty() && *text != "*");
    let clauses = texts.map(Clause::parse).collect::<Option<Vec<_>>>();
    clauses.map(Wanted::Clauses).ok_or("this is not a version specifier that Python understands")
}

impl Clause {
    fn parse(text: &str) -> Option<Self> {
        let operators = [
            ("===", Relation::Of),
            ("==", Relation::Of),
            ("!=", Relation::NotOf),
            ("~=", Relation::Compatible),
            (">=", Relation::AtLeast),
            ("<=", Relation::AtMost),
            (">", Relation::More),
            ("<", Relation::Less),
        ];
        let found = operators
            .iter()
            .find_map(|(sign, relation)| text.strip_prefix(sign).map(|rest| (*relation, rest)));
        // A bare `3.12` is what `.python-version` writes; it means that line.
        let (relation, rest) = found.unwrap_or((Relation::Of, text));
        let number = Number::parse(rest.trim().trim_end_matches(".*"))?;
        Some(Self { relation, number })
    }

    fn admits(&self, number: &Number) -> bool {
        match self.relation {
            Relation::AtLeast => *number >= self.number,
            Relation::AtMost => *number <= self.number,
            Relation::Less => *number < self.number,
            // `>3.11` does not admit 3.11.4 in Python's rules.
            Relation::More => *number > self.number && !number.is_of(&self.number),
            Relation::Of => number.is_of(&self.number),
            Relation::NotOf => !number.is_of(&self.number),
            Relation::Compatible => *number >= self.number && number.is_of(&self.number.parent()),
        }
    }
}

/// Node's long-term lines by the names that `.nvmrc` uses. A line without its name here can still
/// be asked for by number.
const LTS: [(&str, u64); 8] = [
    ("erbium", 12),
    ("fermium", 14),
    ("gallium", 16),
    ("hydrogen", 18),
    ("iron", 20),
    ("jod", 22),
    ("krypton", 24),
    ("lithium", 26),
];
const LONGEST: usize = 256;
/// How many versions an error names.
const NEAREST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: [&str; 7] =
        ["18.20.8", "20.9.0", "20.20.2", "22.23.3", "24.21.0", "25.1.0", "26.0.0-rc.1"];
    const GO: [&str; 6] = ["1.21.13", "1.22.0", "1.22.12", "1.23.5", "1.27.3", "1.28rc1"];
    const PYTHON: [&str; 6] = ["3.9.23", "3.11.4", "3.11.13", "3.12.11", "3.13.5", "3.14.0a2"];

    fn check(toolchain: Toolchain, scheme: Scheme, range: &str, expected: Option<&str>) {
        let versions: &[&str] = match toolchain {
            Toolchain::Go => &GO,
            Toolchain::Python => &PYTHON,
            _ => &NODE,
        };
        let wanted = Wanted::parse(toolchain, range, scheme).unwrap();
        assert_eq!(wanted.newest(versions.iter().copied()), expected, "{toolchain} {range}");
    }

    #[test]
    fn npm_ranges() {
        let node = |range, expected| check(Toolchain::Node, Scheme::Npm, range, expected);
        node("^20", Some("20.20.2"));
        node("20.9.x", Some("20.9.0"));
        node("v22", Some("22.23.3"));
        node(">=18 <23", Some("22.23.3"));
        node("18 || 20", Some("20.20.2"));
        node("*", Some("25.1.0"));
        node("", Some("25.1.0"));
        node("lts/*", Some("24.21.0"));
        node("lts/iron", Some("20.20.2"));
        node("^19", None);
    }

    #[test]
    fn go_lines_and_minimums() {
        check(Toolchain::Go, Scheme::Exact, "1.22", Some("1.22.12"));
        check(Toolchain::Go, Scheme::Exact, "go1.22.0", Some("1.22.0"));
        check(Toolchain::Go, Scheme::Exact, "1.28rc1", Some("1.28rc1"));
        check(Toolchain::Go, Scheme::Minimum, "1.22", Some("1.27.3"));
        check(Toolchain::Go, Scheme::Minimum, "1.30", None);
    }

    #[test]
    fn python_specifiers() {
        let python = |range, expected| check(Toolchain::Python, Scheme::Pep440, range, expected);
        python(">=3.9,<3.13", Some("3.12.11"));
        python("~=3.11.4", Some("3.11.13"));
        python("~=3.11", Some("3.13.5"));
        python("==3.12.*", Some("3.12.11"));
        python("3.11", Some("3.11.13"));
        python(">3.11,!=3.13.*", Some("3.12.11"));
        python("==3.8.*", None);
    }

    #[test]
    fn nonsense_is_refused() {
        let parse = |range: &str, scheme| Wanted::parse(Toolchain::Node, range, scheme);
        assert!(parse("banana", Scheme::Npm).is_err());
        assert!(parse("lts/banana", Scheme::Npm).is_err());
        assert!(parse("../../etc", Scheme::Exact).is_err());
        assert!(parse(&"1".repeat(300), Scheme::Npm).is_err());
        assert!(parse("1\n2", Scheme::Pep440).is_err());
    }

    #[test]
    fn names_the_nearest() {
        let node = |range| nearest(Toolchain::Node, range, NODE.iter().copied());
        assert_eq!(node("^19"), ["20.20.2", "22.23.3", "18.20.8"]);
        assert_eq!(node("20.15.0"), ["20.20.2", "22.23.3", "20.9.0", "18.20.8"]);
        assert_eq!(node("99"), ["25.1.0", "24.21.0", "22.23.3", "20.20.2"]);
        assert_eq!(node("banana"), ["25.1.0", "24.21.0", "22.23.3", "20.20.2"]);
        assert_eq!(
            nearest(Toolchain::Go, "1.24", GO.iter().copied()),
            ["1.27.3", "1.23.5", "1.22.12", "1.21.13"]
        );
    }
}

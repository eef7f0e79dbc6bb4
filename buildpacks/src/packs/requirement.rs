//! Ranges of versions, for languages whose runtime comes from Debian in one version: whether that
//! one will do is decided here, where runtimes that are downloaded are chosen by the daemon.
//!
//! Not a grammar: each language reads its own. Invariant: missing parts of a number are zeroes.

use std::cmp::Ordering;

/// Alternatives, of which one must hold whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range(pub(super) Vec<Vec<Clause>>);

/// One bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) relation: Relation,
    pub(super) bound: Vec<u32>,
}

/// How a version is to stand to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    AtLeast,
    AtMost,
    Less,
    More,
    Equal,
    Not,
    /// A version that begins with the bound.
    Of,
}

impl Range {
    /// A range that everything is in.
    pub(super) fn any() -> Self {
        Self(vec![Vec::new()])
    }

    /// The versions that begin with `line`.
    pub(super) fn line(line: Vec<u32>) -> Self {
        Self(vec![vec![Clause { relation: Relation::Of, bound: line }]])
    }

    /// Whether it has this version.
    pub(super) fn has(&self, version: &[u32]) -> bool {
        self.0.iter().any(|all| all.iter().all(|clause| clause.admits(version)))
    }

    /// The first alternative as the daemon reads it: Python's way of writing ranges.
    pub(super) fn specifier(&self) -> String {
        let clauses = self.0.first().into_iter().flatten();
        clauses.map(Clause::specifier).collect::<Vec<_>>().join(",")
    }

    /// Whether it has any version of a line, such as any 8.4: for runtimes that come with the
    /// newest fixes of theirs, whatever number these have today.
    pub(super) fn meets(&self, line: &[u32]) -> bool {
        let ends = [0, NEWEST].map(|patch| [line, &[patch]].concat());
        let bounds = self.0.iter().flatten().map(|clause| clause.bound.clone());
        let of_line = bounds.filter(|bound| bound.starts_with(line));
        ends.into_iter().chain(of_line).any(|version| self.has(&version))
    }
}

impl Clause {
    /// This bound.
    pub(super) fn new(relation: Relation, bound: impl Into<Vec<u32>>) -> Self {
        Self { relation, bound: bound.into() }
    }

    fn specifier(&self) -> String {
        let parts: Vec<_> = self.bound.iter().map(u32::to_string).collect();
        let bound = parts.join(".");
        match self.relation {
            Relation::AtLeast => format!(">={bound}"),
            Relation::AtMost => format!("<={bound}"),
            Relation::Less => format!("<{bound}"),
            Relation::More => format!(">{bound}"),
            Relation::Equal => format!("=={bound}"),
            Relation::Not => format!("!={bound}"),
            Relation::Of => format!("=={bound}.*"),
        }
    }

    fn admits(&self, version: &[u32]) -> bool {
        let order = compare(version, &self.bound);
        match self.relation {
            Relation::AtLeast => order.is_ge(),
            Relation::AtMost => order.is_le(),
            Relation::Less => order.is_lt(),
            Relation::More => order.is_gt(),
            Relation::Equal => order.is_eq(),
            Relation::Not => order.is_ne(),
            Relation::Of => version.starts_with(&self.bound),
        }
    }
}

/// The numbers that a text begins with, as in `3.3.8`; none if it begins with none.
pub(super) fn numbers(text: &str) -> Option<Vec<u32>> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let digits = text.get(..end)?.trim_end_matches('.');
    digits.split('.').map(|part| part.parse().ok()).collect()
}

/// The bound below which everything is that begins as `parts` do, as far as `kept` of them.
pub(super) fn next(parts: &[u32], kept: usize) -> Vec<u32> {
    let mut above: Vec<u32> = parts.iter().take(kept.max(1)).copied().collect();
    if let Some(last) = above.last_mut() {
        *last = last.saturating_add(1);
    }
    above
}

fn compare(one: &[u32], other: &[u32]) -> Ordering {
    let part = |all: &[u32], at: usize| all.get(at).copied().unwrap_or_default();
    let parts = 0..one.len().max(other.len());
    parts
        .map(|at| part(one, at).cmp(&part(other, at)))
        .find(|it| it.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// A number of fixes that no line of a language reaches.
const NEWEST: u32 = 9999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_as_they_are_read() {
        let check = |relation, bound: &[u32], version: &[u32], expected| {
            assert_eq!(
                Clause::new(relation, bound).admits(version),
                expected,
                "{relation:?} {bound:?}"
            );
        };
        check(Relation::AtLeast, &[3, 3], &[3, 3, 0], true);
        check(Relation::More, &[3, 3], &[3, 3, 0], false);
        check(Relation::Less, &[4], &[3, 9], true);
        check(Relation::Equal, &[3, 3], &[3, 3, 0], true);
        check(Relation::Not, &[3, 3, 8], &[3, 3, 8], false);
        check(Relation::Of, &[3, 3], &[3, 30], false);
        check(Relation::AtMost, &[3, 3], &[3, 3, 1], false);
    }

    #[test]
    fn a_line_is_met_by_any_version_of_it() {
        let one = |relation, bound: &[u32]| Range(vec![vec![Clause::new(relation, bound)]]);
        assert!(one(Relation::AtLeast, &[8, 4, 20]).meets(&[8, 4]));
        assert!(one(Relation::Equal, &[8, 4, 5]).meets(&[8, 4]));
        assert!(one(Relation::Less, &[8, 5]).meets(&[8, 4]));
        assert!(!one(Relation::Less, &[8, 4]).meets(&[8, 4]));
        assert!(!one(Relation::Of, &[8, 3]).meets(&[8, 4]));
        assert!(Range::any().meets(&[8, 4]));
    }

    #[test]
    fn numbers_end_where_they_are_none() {
        assert_eq!(numbers("3.3.8p144"), Some(vec![3, 3, 8]));
        assert_eq!(numbers("8.4."), Some(vec![8, 4]));
        assert_eq!(numbers("x"), None);
        assert_eq!((next(&[3, 3, 1], 2), next(&[3], 0)), (vec![3, 4], vec![4]));
    }
}

//! A version number of any of our toolchains: dotted numbers and perhaps a pre-release.
//!
//! Deliberately laxer than semver, because Go (`1.22`, `1.23rc1`) and Python (`3.14.0a2`) are not
//! semver. Numbers compare with missing parts as zero; a pre-release is older than its release.

use std::cmp::Ordering;

/// A parsed version number, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    parts: Vec<u64>,
    pre: Option<String>,
}

impl Number {
    /// Reads `1.22.3`, `v20`, `go1.23rc1`, `3.14.0a2`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("go").unwrap_or(text);
        let text = text.strip_prefix(['v', '=']).unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        let digits = if rest.is_empty() { digits } else { digits.trim_end_matches('.') };
        let parts = digits.split('.').map(|p| p.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let plain = rest.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c));
        let rest = rest.split('+').next().unwrap_or_default();
        let pre = (!rest.is_empty()).then(|| rest.to_owned());
        (plain && parts.len() <= MOST_PARTS).then_some(Self { parts, pre })
    }

    /// The first number inside a range, to measure nearness by (`">=18 <20"` → 18).
    pub(crate) fn first_in(range: &str) -> Option<Self> {
        let start = range.find(|c: char| c.is_ascii_digit())?;
        let rest = range.get(start..)?;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        Self::parse(rest.get(..end)?.trim_end_matches('.'))
    }

    /// Whether this is an alpha, a beta or a release candidate.
    pub(crate) fn is_preview(&self) -> bool {
        self.pre.is_some()
    }

    /// How many parts were written: three for `1.22.0`, two for `1.22`.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The first part.
    pub(crate) fn major(&self) -> u64 {
        self.parts.first().copied().unwrap_or_default()
    }

    /// Whether `self` is of the line that `line` begins (`1.22.7` of `1.22`).
    pub(crate) fn is_of(&self, line: &Self) -> bool {
        let same = |(index, part): (usize, &u64)| self.part(index) == *part;
        line.parts.iter().enumerate().all(same) && (line.pre.is_none() || self.pre == line.pre)
    }

    /// The first parts only (`3.11.4` → `3.11` for two).
    pub(crate) fn line(&self, depth: usize) -> Self {
        Self { parts: self.parts.iter().take(depth).copied().collect(), pre: None }
    }

    /// The same number with its last part dropped.
    pub(crate) fn parent(&self) -> Self {
        self.line(self.len().saturating_sub(1))
    }

    fn part(&self, index: usize) -> u64 {
        self.parts.get(index).copied().unwrap_or_default()
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let parts = (0..self.len().max(other.len()))
            .map(|index| self.part(index).cmp(&other.part(index)))
            .find(|order| order.is_ne());
        parts.unwrap_or_else(|| match (&self.pre, &other.pre) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => a.cmp(b),
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// No toolchain writes more; a hostile request does not get to make us allocate.
const MOST_PARTS: usize = 6;

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn reads_what_toolchains_write() {
        for good in ["1.22", "go1.23rc1", "v20.1.0", "3.14.0a2", "1.2.3-beta.1"] {
            assert!(Number::parse(good).is_some(), "{good}");
        }
        for bad in ["", ".", "1..2", "x", "1.2/../3", "1.2.3.4.5.6.7"] {
            assert!(Number::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn orders_like_people_do() {
        let sorted = ["1.9.9", "1.10rc1", "1.10", "1.10.1", "2"];
        let numbers: Vec<_> = sorted.iter().map(|n| Number::parse(n).unwrap()).collect();
        assert!(numbers.is_sorted());
    }
}

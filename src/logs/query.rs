//! A query: which lines somebody wants to see.

use std::sync::Arc;

use super::Record;
use crate::model::{ContainerId, ProcessName, ReleaseVersion, Timestamp};

/// Which lines; what is `None` or empty does not restrict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The most lines of history, at most [`MAX_LINES`]; the newest are taken.
    pub lines: usize,
    /// Only this process.
    pub process: Option<ProcessName>,
    /// Only this index of it.
    pub index: Option<u16>,
    /// Only this release.
    pub release: Option<ReleaseVersion>,
    /// Only this container.
    pub container: Option<ContainerId>,
    /// From then on, that time included.
    pub since: Option<Timestamp>,
    /// Until then, that time excluded.
    pub until: Option<Timestamp>,
    /// Only lines with this text in them, letter case as given.
    pub contains: Option<String>,
}

impl Query {
    /// The last `lines` lines, whoever wrote them.
    pub fn last(lines: usize) -> Self {
        Self {
            lines,
            process: None,
            index: None,
            release: None,
            container: None,
            since: None,
            until: None,
            contains: None,
        }
    }

    /// Whether the line is wanted.
    pub fn matches(&self, record: &Record) -> bool {
        self.process.as_ref().is_none_or(|process| record.slot.process == *process)
            && self.index.is_none_or(|index| record.slot.index == index)
            && self.release.is_none_or(|release| record.release == release)
            && self.container.as_ref().is_none_or(|id| record.container.as_ref() == Some(id))
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && self.contains.as_ref().is_none_or(|text| record.text.contains(text))
    }
}

/// What a follower gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// A line.
    Line(Arc<Record>),
    /// It read too slowly: so many lines went by, some of which it may not have wanted.
    Missed(u64),
}

/// The most lines of history in one answer.
pub const MAX_LINES: usize = 10_000;

/// The most bytes of text in one answer; older lines are left out beyond it.
pub(super) const MAX_ANSWER: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::record::tests::record;

    #[test]
    fn every_restriction_restricts() {
        let line = record(100, "GET /cart 500");
        let all = Query::last(1);
        let check = |query: Query, expected: bool| assert_eq!(query.matches(&line), expected);
        check(all.clone(), true);
        check(Query { process: "web".parse().ok(), ..all.clone() }, true);
        check(Query { process: "worker".parse().ok(), ..all.clone() }, false);
        check(Query { index: Some(2), ..all.clone() }, false);
        check(Query { release: Some(ReleaseVersion(12)), ..all.clone() }, true);
        check(Query { release: Some(ReleaseVersion(11)), ..all.clone() }, false);
        check(Query { container: Some(ContainerId("other".to_owned())), ..all.clone() }, false);
        check(Query { since: Some(Timestamp::from_millis(100)), ..all.clone() }, true);
        check(Query { since: Some(Timestamp::from_millis(101)), ..all.clone() }, false);
        check(Query { until: Some(Timestamp::from_millis(100)), ..all.clone() }, false);
        check(Query { contains: Some("cart".to_owned()), ..all.clone() }, true);
        check(Query { contains: Some("Cart".to_owned()), ..all }, false);
    }
}

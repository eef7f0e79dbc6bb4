//! A cursor: how far a container's output has been kept. Pure.
//!
//! The engine's times are kept to the millisecond, and several lines may share one; therefore a
//! cursor also counts the lines kept of its last millisecond, for each stream by itself, because
//! only within one stream are lines in the order of their times. If the machine's clock is set back
//! and the daemon restarts meanwhile, lines of the repeated time are taken for kept ones.

use crate::{
    engine::{OutputLine, OutputStream},
    model::Timestamp,
};

/// How far a container's output has been kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    out: Mark,
    err: Mark,
}

/// How far one stream has been kept: its last time, and how many lines of that time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    at: Option<Timestamp>,
    lines: u32,
}

impl Cursor {
    /// A line was kept.
    pub(super) fn advance(&mut self, stream: OutputStream, at: Timestamp) {
        let mark = self.mark(stream);
        if mark.at == Some(at) {
            mark.lines += 1;
        } else if mark.at.is_none_or(|last| last < at) {
            *mark = Mark { at: Some(at), lines: 1 };
        }
    }

    /// From when on the engine must be asked so that nothing is missed. A stream that has written
    /// nothing yet may be behind the other by what the engine needs to note a line.
    pub(super) fn since(&self) -> Option<Timestamp> {
        let slack = |at: Timestamp| Timestamp::from_millis(at.as_millis() - STREAMS_APART);
        match (self.out.at, self.err.at) {
            (None, None) => None,
            (Some(at), None) | (None, Some(at)) => Some(slack(at)),
            (Some(out), Some(err)) => Some(out.min(err)),
        }
    }

    fn mark(&mut self, stream: OutputStream) -> &mut Mark {
        match stream {
            OutputStream::Out => &mut self.out,
            OutputStream::Err => &mut self.err,
        }
    }
}

/// Tells new lines from kept ones while the output is read again from [`Cursor::since`] on.
#[derive(Debug, Clone)]
pub(super) struct Resume {
    kept: Cursor,
    /// Lines from before the oldest line of the whole log were kept once, and have been rotated out.
    floor: Option<Timestamp>,
}

impl Resume {
    pub(super) fn new(kept: Cursor, floor: Option<Timestamp>) -> Self {
        Self { kept, floor }
    }

    /// From when on the engine must be asked.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.kept.since().max(self.floor)
    }

    /// Whether the next line is a new one.
    pub(super) fn is_new(&mut self, line: &OutputLine) -> bool {
        if self.floor.is_some_and(|floor| line.at < floor) {
            return false;
        }
        let mark = self.kept.mark(line.stream);
        match mark.at {
            Some(last) if line.at < last => false,
            Some(last) if line.at == last && mark.lines > 0 => {
                mark.lines -= 1;
                false
            }
            _ => true,
        }
    }
}

/// Milliseconds: far more than a line of one stream can be noted later than one of the other.
const STREAMS_APART: i64 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(spec: &[(OutputStream, i64)]) -> Vec<OutputLine> {
        let line = |(n, (stream, at)): (usize, &(OutputStream, i64))| OutputLine {
            at: Timestamp::from_millis(*at),
            stream: *stream,
            text: n.to_string(),
        };
        spec.iter().enumerate().map(line).collect()
    }

    /// Whatever number of lines was kept before the restart, the rest, and only the rest, is new.
    #[test]
    fn every_place_of_interruption_loses_and_repeats_nothing() {
        use OutputStream::{Err, Out};
        // Three lines share a millisecond, and the streams are not in order of time.
        let all = lines(&[(Out, 1), (Err, 3), (Out, 2), (Out, 2), (Out, 2), (Err, 3), (Out, 9)]);
        for kept in 0..=all.len() {
            let mut cursor = Cursor::default();
            all.iter().take(kept).for_each(|line| cursor.advance(line.stream, line.at));
            let mut resume = Resume::new(cursor, None);
            let since = resume.since();
            let again = all.iter().filter(|line| since.is_none_or(|since| line.at >= since));
            let new: Vec<_> = again.filter(|line| resume.is_new(line)).cloned().collect();
            assert_eq!(new, all[kept..], "interrupted after {kept}");
        }
    }

    #[test]
    fn what_was_rotated_out_does_not_come_again() {
        let floor = Some(Timestamp::from_millis(5));
        let mut resume = Resume::new(Cursor::default(), floor);
        assert_eq!(resume.since(), floor);
        let all = lines(&[(OutputStream::Out, 4), (OutputStream::Out, 5)]);
        assert!(!resume.is_new(&all[0]) && resume.is_new(&all[1]));
    }
}

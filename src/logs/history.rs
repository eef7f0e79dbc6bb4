//! History: lines on disk, searched from the newest back.

use std::path::Path;

use super::{
    LogError, Query, Record,
    query::{MAX_ANSWER, MAX_LINES},
    segment,
};
use crate::model::Timestamp;

/// The newest matching lines, in the order of their times. Files are read from the newest back, one
/// in memory at a time, until there are enough; a file last written before `since` ends the search,
/// because those before it are older still.
pub(super) fn newest(
    folder: &Path,
    segments: &[(u64, u64)],
    query: &Query,
) -> Result<Vec<Record>, LogError> {
    let wanted = query.lines.min(MAX_LINES);
    let mut found = Vec::new();
    let mut size = 0;
    'files: for (number, len) in segments.iter().rev() {
        let path = segment::path(folder, *number);
        if query.since.is_some_and(|since| written_before(&path, since)) {
            break;
        }
        let bytes = segment::read(&path, *len).map_err(|source| LogError {
            operation: "read",
            path: path.clone(),
            source,
        })?;
        let lines = bytes.rsplit(|byte| *byte == b'\n').filter_map(Record::read);
        for record in lines.filter(|record| query.matches(record)) {
            size += record.text.len();
            if found.len() >= wanted || size > MAX_ANSWER {
                break 'files;
            }
            found.push(record);
        }
    }
    found.reverse();
    found.sort_by_key(|record| record.at);
    Ok(found)
}

fn written_before(path: &Path, since: Timestamp) -> bool {
    let written = std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let written = written.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let millis = written.and_then(|time| i64::try_from(time.as_millis()).ok());
    millis.is_some_and(|millis| Timestamp::from_millis(millis) < since)
}

//! One app's log: appended to by many, asked and followed by many, bounded on disk and in memory.
//!
//! Lines wait in memory for at most [`FLUSH_EVERY`] while more keep coming; whoever appends and then
//! waits calls [`AppLog::flush`]. What reads through this type sees all lines at once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{
    Followed, LogError, LogSettings, Query, Record, Source, blocking,
    cursor::{Cursor, Resume},
    lock,
    query::{MAX_ANSWER, MAX_LINES},
    segment::{self, Segment},
};
use crate::{
    engine::OutputStream,
    model::{ContainerId, Timestamp},
};

/// One app's log; clones share it.
#[derive(Debug, Clone)]
pub struct AppLog {
    folder: Arc<Path>,
    writer: Arc<Mutex<Writer>>,
}

#[derive(Debug)]
struct Writer {
    folder: Arc<Path>,
    settings: LogSettings,
    /// Number and length of each file, oldest first; the last one is `current`, once it is open.
    segments: Vec<(u64, u64)>,
    current: Option<Segment>,
    buffer: Vec<u8>,
    buffered: u64,
    flushed_at: Instant,
    /// Lines lost because the disk did not take them; of these, how many the log does not say yet.
    dropped: u64,
    unsaid: u64,
    /// `None` once the app is forgotten.
    live: Option<broadcast::Sender<Arc<Record>>>,
    cursors: HashMap<ContainerId, Cursor>,
    /// The oldest line's time, if older ones have been rotated out.
    floor: Option<Timestamp>,
}

impl AppLog {
    /// Opens what is there and finds out how far each container's output is kept.
    pub(super) fn open(folder: PathBuf, settings: LogSettings) -> Result<Self, LogError> {
        let folder: Arc<Path> = folder.into();
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| LogError { operation: "open", path, source }
        };
        let segments = segment::list(&folder).map_err(failed(&folder))?;
        let mut cursors = HashMap::new();
        let mut floor = None;
        for (number, len) in &segments {
            let path = segment::path(&folder, *number);
            let bytes = segment::read(&path, *len).map_err(failed(&path))?;
            for record in bytes.split(|byte| *byte == b'\n').filter_map(Record::read) {
                floor = floor.or(Some(record.at));
                note(&mut cursors, &record);
            }
        }
        let rotated = segments.first().is_some_and(|(number, _)| *number > FIRST);
        let writer = Writer {
            folder: folder.clone(),
            settings,
            segments,
            current: None,
            buffer: Vec::new(),
            buffered: 0,
            flushed_at: Instant::now(),
            dropped: 0,
            unsaid: 0,
            live: Some(broadcast::Sender::new(LIVE_LINES)),
            cursors,
            floor: floor.filter(|_| rotated),
        };
        Ok(Self { folder, writer: Arc::new(Mutex::new(writer)) })
    }

    /// Appends a line. It cannot fail: a line that the disk does not take is counted.
    pub fn append(&self, record: Record) {
        lock(&self.writer).append(record);
    }

    /// Hands what waits in memory to the disk.
    pub fn flush(&self) {
        lock(&self.writer).flush();
    }

    /// How many lines were lost because the disk did not take them, since the daemon started.
    pub fn dropped(&self) -> u64 {
        lock(&self.writer).dropped
    }

    /// Where to resume a container's output.
    pub(super) fn resume(&self, container: &ContainerId) -> Resume {
        let writer = lock(&self.writer);
        Resume::new(writer.cursors.get(container).cloned().unwrap_or_default(), writer.floor)
    }

    /// The container is gone, and with it the need to know how far it was read.
    pub(super) fn retire(&self, container: &ContainerId) {
        lock(&self.writer).cursors.remove(container);
    }

    /// The app is forgotten: followers end, and nothing is written any more.
    pub(super) fn close(&self) {
        let mut writer = lock(&self.writer);
        writer.live = None;
        writer.current = None;
        writer.segments.clear();
        writer.buffer.clear();
    }

    pub(super) async fn query(&self, query: Query) -> Result<Vec<Record>, LogError> {
        let segments = {
            let mut writer = lock(&self.writer);
            writer.flush();
            writer.segments.clone()
        };
        self.history(segments, query).await
    }

    pub(super) async fn follow(
        &self,
        query: Query,
    ) -> Result<BoxStream<'static, Followed>, LogError> {
        // Under one lock: what is on disk now is history, what is appended from now on is live.
        let (segments, live) = {
            let mut writer = lock(&self.writer);
            writer.flush();
            let live = writer.live.as_ref().map(broadcast::Sender::subscribe);
            (writer.segments.clone(), live)
        };
        let history = self.history(segments, query.clone()).await?;
        let history = history.into_iter().map(|record| Followed::Line(Arc::new(record)));
        let live = stream::unfold(live, |live| async move {
            let mut live = live?;
            let followed = match live.recv().await {
                Ok(record) => Followed::Line(record),
                Err(RecvError::Lagged(missed)) => Followed::Missed(missed),
                Err(RecvError::Closed) => return None,
            };
            Some((followed, Some(live)))
        });
        let live = live.filter(move |followed| {
            let wanted = match followed {
                Followed::Line(record) => query.matches(record),
                Followed::Missed(_) => true,
            };
            std::future::ready(wanted)
        });
        Ok(stream::iter(history).chain(live).boxed())
    }

    async fn history(
        &self,
        segments: Vec<(u64, u64)>,
        query: Query,
    ) -> Result<Vec<Record>, LogError> {
        let folder = self.folder.clone();
        blocking(move || newest(&folder, &segments, &query)).await
    }
}

impl Writer {
    fn append(&mut self, record: Record) {
        let Some(live) = self.live.as_ref() else { return };
        record.write(&mut self.buffer);
        self.buffered += 1;
        note(&mut self.cursors, &record);
        // An error says that nobody follows.
        let _ = live.send(Arc::new(record));
        if self.buffer.len() >= BUFFER || self.flushed_at.elapsed() >= FLUSH_EVERY {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.flushed_at = Instant::now();
        if self.buffer.is_empty() {
            return;
        }
        let written = self.write();
        let lines = std::mem::take(&mut self.buffered);
        match written {
            Ok(()) if self.unsaid > 0 => self.say_lost(),
            Ok(()) => self.buffer.clear(),
            Err(error) => {
                if self.unsaid == 0 {
                    let folder = self.folder.display();
                    tracing::warn!(%folder, %error, "log lines are being lost");
                }
                self.dropped += lines;
                self.unsaid += lines;
                self.buffer.clear();
                // Opened anew at the next try: whatever was wrong with it may be repaired by then.
                self.current = None;
            }
        }
    }

    /// The disk takes lines again; the log itself says what is missing in it.
    fn say_lost(&mut self) {
        let last = self.buffer.split(|byte| *byte == b'\n').rev().find_map(Record::read);
        self.buffer.clear();
        let lost = std::mem::take(&mut self.unsaid);
        let Some(last) = last else { return };
        let text = format!("{lost} lines before this one were lost: the disk did not take them");
        self.append(Record { source: Source::Platform, text, container: None, ..last });
    }

    fn write(&mut self) -> std::io::Result<()> {
        if self.segments.last().is_none_or(|(_, len)| *len >= self.settings.segment_bytes) {
            let next = self.segments.last().map_or(FIRST, |(number, _)| number + 1);
            self.current = None;
            self.segments.push((next, 0));
            self.remove_oldest();
        }
        let Some((number, len)) = self.segments.last_mut() else { return Ok(()) };
        let current = match self.current.take() {
            Some(open) => self.current.insert(open),
            None => self.current.insert(Segment::open(&segment::path(&self.folder, *number))?),
        };
        let written = current.append(&self.buffer);
        *len = current.len();
        written
    }

    fn remove_oldest(&mut self) {
        let total = |segments: &[(u64, u64)]| segments.iter().map(|(_, len)| len).sum::<u64>();
        while self.segments.len() > 2
            && total(&self.segments) + self.settings.segment_bytes > self.settings.per_app_bytes
        {
            let (number, _) = self.segments.remove(0);
            // A file that cannot be removed is tried again when the log is next opened.
            let _ = std::fs::remove_file(segment::path(&self.folder, number));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The newest matching lines, in the order of their times. Files are read from the newest back, one
/// in memory at a time, until there are enough; a file last written before `since` ends the search,
/// because those before it are older still.
fn newest(folder: &Path, segments: &[(u64, u64)], query: &Query) -> Result<Vec<Record>, LogError> {
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

/// Moves the container's cursor past the line.
fn note(cursors: &mut HashMap<ContainerId, Cursor>, record: &Record) {
    let stream = match record.source {
        Source::Out => OutputStream::Out,
        Source::Err => OutputStream::Err,
        Source::Platform => return,
    };
    let Some(id) = record.container.as_ref() else { return };
    match cursors.get_mut(id) {
        Some(cursor) => cursor.advance(stream, record.at),
        None => cursors.entry(id.clone()).or_default().advance(stream, record.at),
    }
}

/// The longest that a line waits in memory while more lines come, and what whoever appends waits for
/// before it flushes.
pub(super) const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// Lines in memory, in bytes, that are written without waiting any longer.
const BUFFER: usize = 64 << 10;

/// Lines that a follower may be behind; then it misses the oldest and is told how many.
const LIVE_LINES: usize = 1024;

/// The number of an app's first segment. A log that begins with another has lost its oldest lines.
const FIRST: u64 = 1;

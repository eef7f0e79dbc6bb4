//! The writer: an app's lines on their way to the disk, and how far each container's are kept.
//!
//! It is used under one lock, which is what puts history and live lines in one order. A disk that
//! takes nothing costs lines, never a wait and never an error.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::broadcast;

use super::{
    LogError, LogSettings, Record, Source,
    cursor::{Cursor, Resume},
    segment::{self, Segment},
};
use crate::{
    engine::OutputStream,
    model::{ContainerId, Timestamp},
};

/// An app's lines on their way to the disk.
#[derive(Debug)]
pub(super) struct Writer {
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

impl Writer {
    /// Reads what is there, to find out how far each container's output is kept.
    pub(super) fn open(folder: Arc<Path>, settings: LogSettings) -> Result<Self, LogError> {
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
        Ok(Self {
            folder,
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
        })
    }

    /// Takes a line; see [`super::AppLog::append`].
    pub(super) fn append(&mut self, record: Record) {
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

    /// Hands what waits in memory to the disk.
    pub(super) fn flush(&mut self) {
        self.flushed_at = Instant::now();
        if self.buffer.is_empty() {
            return;
        }
        let written = self.write();
        let lines = std::mem::take(&mut self.buffered);
        match written {
            Ok(()) if self.unsaid > 0 => {
                self.say_lost();
                self.flush();
            }
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

    /// The files and their lengths, when all lines are in them.
    pub(super) fn on_disk(&mut self) -> Vec<(u64, u64)> {
        self.flush();
        self.segments.clone()
    }

    /// The lines to come; none if the app is forgotten.
    pub(super) fn subscribe(&self) -> Option<broadcast::Receiver<Arc<Record>>> {
        self.live.as_ref().map(broadcast::Sender::subscribe)
    }

    /// Lines lost because the disk did not take them.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Where to resume a container's output.
    pub(super) fn resume(&self, container: &ContainerId) -> Resume {
        Resume::new(self.cursors.get(container).cloned().unwrap_or_default(), self.floor)
    }

    /// The container is gone.
    pub(super) fn retire(&mut self, container: &ContainerId) {
        self.cursors.remove(container);
    }

    /// The app is forgotten: followers end, and nothing is written any more.
    pub(super) fn close(&mut self) {
        self.live = None;
        self.current = None;
        self.segments.clear();
        self.buffer.clear();
    }

    /// The disk takes lines again; the log itself says what is missing in it.
    fn say_lost(&mut self) {
        let newest = self.buffer.split(|byte| *byte == b'\n').rev().find_map(Record::read);
        self.buffer.clear();
        let lost = std::mem::take(&mut self.unsaid);
        let Some(newest) = newest else { return };
        let text = format!("{lost} lines before this one were lost: the disk did not take them");
        self.append(Record { source: Source::Platform, text, container: None, ..newest });
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

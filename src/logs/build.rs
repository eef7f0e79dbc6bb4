//! A build's log: written by one, followed by many until the build ends, bounded. Plain text, so
//! that it can be read without us.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Weak},
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{LogError, LogSettings, blocking, lock, mask::Masked, segment};
use crate::model::BuildNumber;

/// The writing end of one build's log. The build has ended when this is dropped.
#[derive(Debug)]
pub struct BuildLog {
    live: Arc<Live>,
    masked: Masked,
}

/// What the writing end shares with those who follow.
#[derive(Debug)]
pub(super) struct Live {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    len: u64,
    limit: u64,
    fate: Fate,
    /// `None` once the build has ended.
    followers: Option<broadcast::Sender<Arc<str>>>,
}

/// Whether lines still reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    TooLong,
    DiskFull,
}

impl BuildLog {
    pub(super) fn start(
        folder: &Path,
        number: BuildNumber,
        settings: LogSettings,
        masked: Masked,
    ) -> Result<Self, LogError> {
        let path = path(folder, number);
        let open = || {
            segment::make_folder(folder)?;
            remove_old(folder, number, settings.builds_kept)?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600).open(&path)
        };
        let file = open().map_err(|source| LogError { operation: "open", path, source })?;
        let state = State {
            file,
            len: 0,
            limit: settings.per_build_bytes,
            fate: Fate::Kept,
            followers: Some(broadcast::Sender::new(LIVE_LINES)),
        };
        Ok(Self { live: Arc::new(Live { state: Mutex::new(state) }), masked })
    }

    /// Appends a line, or the lines, of `text`, without the values of secrets. It cannot fail: a build does
    /// not stop for its log.
    pub fn append(&self, text: &str) {
        let mut state = lock(&self.live.state);
        let mask = self.masked.now();
        text.lines().for_each(|line| state.append(&mask.hide(line)));
    }

    /// The build has ended; so do those who follow.
    pub fn finish(self) {
        drop(self);
    }

    pub(super) fn live(&self) -> Weak<Live> {
        Arc::downgrade(&self.live)
    }
}

impl Drop for BuildLog {
    fn drop(&mut self) {
        lock(&self.live.state).followers = None;
    }
}

impl State {
    fn append(&mut self, line: &str) {
        if let Some(followers) = &self.followers {
            // An error says that nobody follows.
            let _ = followers.send(line.into());
        }
        if self.fate != Fate::Kept {
            return;
        }
        if self.len + line.len() as u64 >= self.limit {
            self.fate = Fate::TooLong;
            let limit = crate::model::ByteSize(self.limit);
            self.write(&format!("(the log is cut here: it is longer than {limit})"));
        } else {
            self.write(line);
        }
    }

    fn write(&mut self, line: &str) {
        match self.file.write_all(format!("{line}\n").as_bytes()) {
            Ok(()) => self.len += line.len() as u64 + 1,
            Err(error) => {
                tracing::warn!(%error, "the rest of a build's log is lost");
                self.fate = Fate::DiskFull;
                // Should this fail too, readers stop at `len` anyway while the daemon lives.
                let _ = self.file.set_len(self.len);
            }
        }
    }
}

/// The lines on disk.
pub(super) fn read(
    folder: &Path,
    number: BuildNumber,
    settings: LogSettings,
) -> Result<Vec<String>, LogError> {
    read_up_to(folder, number, settings.per_build_bytes + NOTICE)
}

/// The lines on disk and then those to come.
pub(super) async fn follow(
    folder: PathBuf,
    number: BuildNumber,
    settings: LogSettings,
    live: Option<Arc<Live>>,
) -> Result<BoxStream<'static, String>, LogError> {
    // Under one lock: what is on disk now is history, what is appended from now on is live.
    let (len, followers) = match live.as_ref().map(|live| lock(&live.state)) {
        Some(state) => (state.len, state.followers.as_ref().map(broadcast::Sender::subscribe)),
        None => (settings.per_build_bytes + NOTICE, None),
    };
    let history = blocking(move || read_up_to(&folder, number, len)).await?;
    let to_come = stream::unfold(followers, |followers| async move {
        let mut followers = followers?;
        let text = match followers.recv().await {
            Ok(text) => text.to_string(),
            Err(RecvError::Lagged(missed)) => format!("({missed} lines left out)"),
            Err(RecvError::Closed) => return None,
        };
        Some((text, Some(followers)))
    });
    Ok(stream::iter(history).chain(to_come).boxed())
}

fn read_up_to(folder: &Path, number: BuildNumber, len: u64) -> Result<Vec<String>, LogError> {
    let path = path(folder, number);
    let bytes =
        segment::read(&path, len).map_err(|source| LogError { operation: "read", path, source })?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

fn path(folder: &Path, number: BuildNumber) -> PathBuf {
    segment::path(folder, u64::from(number.0))
}

fn remove_old(folder: &Path, newest: BuildNumber, kept: u32) -> io::Result<()> {
    for (number, _) in segment::list(folder)? {
        if number.saturating_add(u64::from(kept)) <= u64::from(newest.0) {
            fs::remove_file(segment::path(folder, number))?;
        }
    }
    Ok(())
}

/// Lines that a follower may be behind; then it misses the oldest and is told how many.
const LIVE_LINES: usize = 4096;

/// Room for the notice that a log was cut.
const NOTICE: u64 = 200;

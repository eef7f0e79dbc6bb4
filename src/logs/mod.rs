//! Output, kept: what instances and builds write, on disk, bounded, to be asked for and followed.
//!
//! It holds no opinion on what a line means, and losing lines (disk full, a slow reader) never stops
//! an app or the daemon: what is lost is counted and said. The log is its own cursor: a line carries
//! the container it came from, so that after a restart the log itself tells where to resume.

mod mask;
pub mod query;
pub mod record;

mod segment;
mod writer;

mod cursor;
mod history;

mod app;
mod build;
mod collect;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures_util::stream::BoxStream;
use tokio::sync::OnceCell;

use crate::model::{AppName, BuildNumber};
use mask::Masked;

pub use app::AppLog;
pub use build::BuildLog;
pub use collect::Collector;
pub use mask::{Mask, SHORTEST as SHORTEST_MASKED};
pub use query::{Followed, Query};
pub use record::{Record, Source};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// Bytes on disk per app, its builds not counted; at least two segments are kept.
    pub per_app_bytes: u64,
    /// When a segment is full and the next one begins.
    pub segment_bytes: u64,
    /// Bytes per build; the rest is left out, and said so.
    pub per_build_bytes: u64,
    /// The newest builds whose logs are kept.
    pub builds_kept: u32,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            per_app_bytes: 20 << 20,
            segment_bytes: 4 << 20,
            per_build_bytes: 8 << 20,
            builds_kept: 50,
        }
    }
}

/// What went wrong with the files.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} the log at {}", .path.display())]
pub struct LogError {
    /// What was tried: open, read, remove.
    pub operation: &'static str,
    /// Where.
    pub path: PathBuf,
    /// What happened.
    #[source]
    pub source: io::Error,
}

/// All logs, in one folder; cheap to clone.
#[derive(Debug, Clone)]
pub struct Logs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    settings: LogSettings,
    /// One cell per app: while one app's log is opened, which takes time, the others go on.
    apps: Mutex<HashMap<AppName, Arc<OnceCell<AppLog>>>>,
    /// What hides the values of each app's secrets.
    masks: Mutex<HashMap<AppName, Masked>>,
    /// The builds that are being written. Weak: a build that was dropped unfinished has ended.
    builds: Mutex<HashMap<(AppName, BuildNumber), Weak<build::Live>>>,
}

impl Logs {
    /// Opens the folder, which is made if it is not there. Apps are opened when they are asked for.
    pub fn open(folder: &Path, settings: LogSettings) -> Result<Self, LogError> {
        segment::make_folder(folder).map_err(|source| LogError {
            operation: "open",
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                settings,
                apps: Mutex::default(),
                masks: Mutex::default(),
                builds: Mutex::default(),
            }),
        })
    }

    /// The log of an app. The first time it reads what is on disk, which takes up to a tenth of a
    /// second for a full log.
    pub async fn app(&self, app: &AppName) -> Result<AppLog, LogError> {
        let cell = lock(&self.inner.apps).entry(app.clone()).or_default().clone();
        let (folder, settings) = (self.folder_of(app), self.inner.settings);
        let masked = self.masked(app);
        let open = || blocking(move || AppLog::open(folder, settings, masked));
        cell.get_or_try_init(open).await.cloned()
    }

    /// Hides these values from now on, in all that an app's instances and builds write.
    pub fn mask(&self, app: &AppName, mask: Mask) {
        self.masked(app).put_on(mask);
    }

    /// A text about an app without the values of its secrets.
    pub fn hide(&self, app: &AppName, text: &str) -> String {
        self.masked(app).now().hide(text).into_owned()
    }

    fn masked(&self, app: &AppName) -> Masked {
        lock(&self.inner.masks).entry(app.clone()).or_default().clone()
    }

    /// The log of an app, if it has been opened.
    fn opened(&self, app: &AppName) -> Option<AppLog> {
        lock(&self.inner.apps).get(app)?.get().cloned()
    }

    /// The last matching lines of an app, oldest first.
    pub async fn query(&self, app: &AppName, query: Query) -> Result<Vec<Record>, LogError> {
        let log = self.app(app).await?;
        log.query(query).await
    }

    /// The last matching lines, and then what comes, without a gap and without repetition. It ends
    /// when the app is forgotten.
    pub async fn follow(
        &self,
        app: &AppName,
        query: Query,
    ) -> Result<BoxStream<'static, Followed>, LogError> {
        let log = self.app(app).await?;
        log.follow(query).await
    }

    /// Removes all that is kept of an app. Its followers end.
    pub async fn forget(&self, app: &AppName) -> Result<(), LogError> {
        let open = lock(&self.inner.apps).remove(app);
        if let Some(log) = open.as_ref().and_then(|cell| cell.get()) {
            log.close();
        }
        let path = self.folder_of(app);
        blocking(move || match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(LogError { operation: "remove", path, source })
            }
            _ => Ok(()),
        })
        .await
    }

    /// Begins the log of a build; one that a crash left under this number is begun anew.
    pub fn start_build(&self, app: &AppName, number: BuildNumber) -> Result<BuildLog, LogError> {
        let (folder, masked) = (self.builds_of(app), self.masked(app));
        let log = BuildLog::start(&folder, number, self.inner.settings, masked)?;
        let mut builds = lock(&self.inner.builds);
        builds.retain(|_, live| live.strong_count() > 0);
        builds.insert((app.clone(), number), log.live());
        Ok(log)
    }

    /// The lines of a build so far; none if there is no log of it.
    pub async fn build(&self, app: &AppName, number: BuildNumber) -> Result<Vec<String>, LogError> {
        let (folder, settings) = (self.builds_of(app), self.inner.settings);
        blocking(move || build::read(&folder, number, settings)).await
    }

    /// The lines of a build so far and those to come, until it ends.
    pub async fn follow_build(
        &self,
        app: &AppName,
        number: BuildNumber,
    ) -> Result<BoxStream<'static, String>, LogError> {
        let live = lock(&self.inner.builds).get(&(app.clone(), number)).and_then(Weak::upgrade);
        let (folder, settings) = (self.builds_of(app), self.inner.settings);
        build::follow(folder, number, settings, live).await
    }

    /// Names of apps are made of characters that are safe in a path.
    fn folder_of(&self, app: &AppName) -> PathBuf {
        self.inner.folder.join(app.as_str())
    }

    fn builds_of(&self, app: &AppName) -> PathBuf {
        self.folder_of(app).join("builds")
    }
}

/// What a panic left behind under one of these locks is lines of a log, and still lines of a log.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reading files blocks, and a full log takes long; it has threads of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(gone) => Err(LogError {
            operation: "read",
            path: PathBuf::new(),
            source: io::Error::other(gone),
        }),
    }
}

//! One app's log: appended to by many, asked and followed by many, bounded on disk and in memory.
//!
//! Lines wait in memory for at most [`FLUSH_EVERY`] while more keep coming; whoever appends and then
//! waits calls [`AppLog::flush`]. What reads through this type sees all lines at once.
//!
//! [`FLUSH_EVERY`]: super::writer::FLUSH_EVERY

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::broadcast::error::RecvError;

use super::{
    Followed, LogError, LogSettings, Query, Record, blocking,
    cursor::Resume,
    history::newest,
    lock,
    mask::{Mask, Masked},
    writer::Writer,
};
use crate::model::ContainerId;

/// One app's log; clones share it.
#[derive(Debug, Clone)]
pub struct AppLog {
    folder: Arc<Path>,
    writer: Arc<Mutex<Writer>>,
    masked: Masked,
}

impl AppLog {
    /// Opens what is there and finds out how far each container's output is kept.
    pub(super) fn open(
        folder: PathBuf,
        settings: LogSettings,
        masked: Masked,
    ) -> Result<Self, LogError> {
        let folder: Arc<Path> = folder.into();
        let writer = Writer::open(folder.clone(), settings)?;
        Ok(Self { folder, writer: Arc::new(Mutex::new(writer)), masked })
    }

    /// Appends a line, without the values of secrets. It cannot fail: a line that the disk does not take
    /// is counted.
    pub fn append(&self, mut record: Record) {
        if let Cow::Owned(hidden) = self.mask().hide(&record.text) {
            record.text = hidden;
        }
        lock(&self.writer).append(record);
    }

    /// What hides the values of the app's secrets at present.
    pub(super) fn mask(&self) -> Arc<Mask> {
        self.masked.now()
    }

    /// Hands what waits in memory to the disk.
    pub fn flush(&self) {
        lock(&self.writer).flush();
    }

    /// How many lines were lost because the disk did not take them, since the daemon started.
    pub fn dropped(&self) -> u64 {
        lock(&self.writer).dropped()
    }

    /// Where to resume a container's output.
    pub(super) fn resume(&self, container: &ContainerId) -> Resume {
        lock(&self.writer).resume(container)
    }

    /// The container is gone, and with it the need to know how far it was read.
    pub(super) fn retire(&self, container: &ContainerId) {
        lock(&self.writer).retire(container);
    }

    /// The app is forgotten: followers end, and nothing is written any more.
    pub(super) fn close(&self) {
        lock(&self.writer).close();
    }

    pub(super) async fn query(&self, query: Query) -> Result<Vec<Record>, LogError> {
        let segments = lock(&self.writer).on_disk();
        self.history(segments, query).await
    }

    pub(super) async fn follow(
        &self,
        query: Query,
    ) -> Result<BoxStream<'static, Followed>, LogError> {
        // Under one lock: what is on disk now is history, what is appended from now on is live.
        let (segments, live) = {
            let mut writer = lock(&self.writer);
            (writer.on_disk(), writer.subscribe())
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

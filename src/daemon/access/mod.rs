//! The access log: one line a request, in files of its own.
//!
//! Never in the daemon's log: what people do with an app is not what befalls the server, and its
//! volume is theirs to choose. The invariant: the edge never waits for the disk. Batches are written
//! by a thread that may block; while it is busy the edge keeps what it has room for, then drops and
//! counts (`paas_edge_access_records_dropped_total`).

mod file;
mod line;

use std::path::PathBuf;

use proxy::{AccessLog, Records};
use tokio::task::spawn_blocking;

use crate::{
    config::{AccessLogFormat, Config},
    daemon::folders::Folders,
};

use file::Rotating;

/// The log, which reports as many requests as the settings say, and what [`write_all`] reads of it.
pub(super) fn begin(config: &Config) -> (AccessLog, Records) {
    let (log, records) = proxy::access_log();
    (log.sampled(config.access_log_sample), records)
}

/// Writes what the edge reports until the edge has ended.
pub(super) fn write_all(
    records: Records,
    format: AccessLogFormat,
    folders: &Folders,
) -> impl Future<Output = ()> + Send + 'static {
    write_to(folders.access_log(), records, format)
}

async fn write_to(path: PathBuf, mut records: Records, format: AccessLogFormat) {
    let write = match format {
        // Dropping the records tells the edge to make none.
        AccessLogFormat::Off => return,
        AccessLogFormat::Json => line::json,
        AccessLogFormat::Common => line::common,
    };
    let mut file = Rotating::new(path, file::LARGEST, file::OLDER);
    let mut healthy = true;
    while let Some(batch) = records.next().await {
        let written = spawn_blocking(move || {
            let mut lines = Vec::new();
            for record in &batch {
                write(record, &mut lines);
            }
            let result = file.append(&lines);
            (file, result)
        });
        let Ok((back, result)) = written.await else { return };
        file = back;
        // Once when it begins and once when it ends: a full disk must not fill a second one.
        match &result {
            Err(error) if healthy => {
                tracing::warn!(%error, "the access log cannot be written; its lines are lost");
            }
            Ok(()) if !healthy => tracing::info!("the access log is written again"),
            Ok(()) | Err(_) => {}
        }
        healthy = result.is_ok();
    }
}

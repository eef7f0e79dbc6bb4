//! The access log: one line a request, in the daemon's own log under the target `access`.
//!
//! It is off unless asked for, because a busy server would drown in it: `--log info,access=info`.

use std::time::Duration;

use proxy::{Record, Records, ServiceName, UpstreamId};

/// Writes what the edge reports until the edge has ended.
pub(super) async fn write_all(mut records: Records) {
    while let Some(batch) = records.next().await {
        batch.iter().for_each(write);
    }
}

fn write(record: &Record) {
    tracing::info!(
        target: "access",
        client = %record.client,
        method = %record.method,
        host = %record.host,
        // A query may carry secrets; nobody needs them in a log.
        path = record.path.split('?').next(),
        status = record.status,
        received = record.received,
        sent = record.sent,
        app = record.service.as_ref().map(ServiceName::as_str),
        instance = record.upstream.as_ref().map(UpstreamId::as_str),
        retries = record.retries,
        held_ms = millis(record.held),
        first_byte_ms = record.first_byte.map(millis),
        total_ms = millis(record.total),
        refusal = record.refusal.as_deref(),
        abort = record.abort.as_ref().map(tracing::field::debug),
        request_id = %record.request_id,
    );
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

//! What instances wrote: history, and what comes.

use api::{FaultCode, LogLine, LogQuery};
use axum::{
    body::Body,
    extract::{Path, Query, State},
    response::Response,
};
use futures_util::StreamExt;

use crate::{
    clock,
    logs::{self, Followed, Record, Source},
    model::{AppName, ProcessName, ReleaseVersion, Timestamp},
    server::{apps::on_record, caller::Caller, fault::Failure, state::Api, stream},
};

pub(super) async fn logs(
    _: Caller,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(asked): Query<LogQuery>,
) -> Result<Response<Body>, Failure> {
    let app: AppName = name.parse()?;
    on_record(&api.store.snapshot(), &app)?;
    let query = query(&asked)?;
    let (lines, body) = stream::ndjson::<LogLine>();
    if asked.follow == Some(true) {
        let mut followed =
            api.logs.follow(&app, query).await.map_err(|error| unreadable(&error))?;
        tokio::spawn(async move {
            while let Some(next) = followed.next().await {
                if lines.send(line(next)).await.is_err() {
                    return;
                }
            }
        });
    } else {
        let records = api.logs.query(&app, query).await.map_err(|error| unreadable(&error))?;
        tokio::spawn(async move {
            for record in records {
                if lines.send(show(&record)).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(body)
}

fn query(asked: &LogQuery) -> Result<logs::Query, Failure> {
    let (process, index) = match asked.process.as_deref().map(slot).transpose()? {
        Some((process, index)) => (Some(process), index),
        None => (None, None),
    };
    let lines = asked.lines.unwrap_or(100);
    Ok(logs::Query {
        lines: usize::try_from(lines).unwrap_or(usize::MAX).min(logs::query::MAX_LINES),
        process,
        index,
        release: asked
            .release
            .as_deref()
            .map(str::parse::<ReleaseVersion>)
            .transpose()
            .map_err(|error| Failure::new(FaultCode::Invalid, error.to_string()))?,
        since: asked.since.as_deref().map(time).transpose()?,
        until: asked.until.as_deref().map(time).transpose()?,
        contains: asked.grep.clone(),
        container: None,
    })
}

/// Reads `web` or `web.1`.
fn slot(text: &str) -> Result<(ProcessName, Option<u16>), Failure> {
    match text.split_once('.') {
        None => Ok((text.parse()?, None)),
        Some((process, index)) => {
            let index = index.parse().map_err(|_| {
                Failure::new(FaultCode::Invalid, format!("`{text}` is not an instance"))
                    .hint("name a process (`web`) or an instance (`web.1`)")
            })?;
            Ok((process.parse()?, Some(index)))
        }
    }
}

fn time(text: &str) -> Result<Timestamp, Failure> {
    Timestamp::parse(text).ok_or_else(|| {
        Failure::new(FaultCode::Invalid, format!("`{text}` is not an RFC 3339 time"))
            .hint("write it like 2026-11-21T12:00:00Z")
    })
}

fn line(followed: Followed) -> LogLine {
    match followed {
        Followed::Line(record) => show(&record),
        Followed::Missed(count) => LogLine {
            at: clock::now().to_string(),
            source: "paas".to_owned(),
            release: String::new(),
            stream: "err".to_owned(),
            text: format!("{count} lines went by faster than they could be sent"),
        },
    }
}

fn show(record: &Record) -> LogLine {
    let (source, stream) = match record.source {
        Source::Out => (record.slot.to_string(), "out"),
        Source::Err => (record.slot.to_string(), "err"),
        Source::Platform => ("paas".to_owned(), "err"),
    };
    LogLine {
        at: record.at.to_string(),
        source,
        release: record.release.to_string(),
        stream: stream.to_owned(),
        text: record.text.clone(),
    }
}

pub(super) fn unreadable(error: &logs::LogError) -> Failure {
    Failure::new(FaultCode::Internal, format!("{error}: {}", error.source))
}

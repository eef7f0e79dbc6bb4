//! A record: one line, who wrote it and when; and its form on disk, which is a boundary: fields are
//! only ever added.

use serde::{Deserialize, Serialize};

use crate::{
    engine::OutputStream,
    model::{ContainerId, ProcessName, ReleaseVersion, Slot, Timestamp},
};

/// One line of an app's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it was written.
    pub at: Timestamp,
    /// The place of the instance that wrote it.
    pub slot: Slot,
    /// The release it was an instance of.
    pub release: ReleaseVersion,
    /// Where it was written.
    pub source: Source,
    /// The line, without its end.
    pub text: String,
    /// The container; `None` for a line of the platform's own.
    pub container: Option<ContainerId>,
}

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// The platform, about the instance.
    Platform,
}

impl From<OutputStream> for Source {
    fn from(stream: OutputStream) -> Self {
        match stream {
            OutputStream::Out => Self::Out,
            OutputStream::Err => Self::Err,
        }
    }
}

/// A record as it is stored; one line of JSON.
#[derive(Serialize, Deserialize)]
struct Stored {
    at: Timestamp,
    process: ProcessName,
    index: u16,
    release: u32,
    stream: Source,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    container: Option<String>,
}

impl Record {
    /// Appends its line, end included, to `buffer`.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        let stored = Stored {
            at: self.at,
            process: self.slot.process.clone(),
            index: self.slot.index,
            release: self.release.0,
            stream: self.source,
            text: self.text.clone(),
            container: self.container.as_ref().map(|id| id.0.clone()),
        };
        serde_json::to_writer(&mut *buffer, &stored)
            .expect("plain fields become JSON, and memory takes every write");
        buffer.push(b'\n');
    }

    /// Reads a line; `None` for a torn or foreign one, which is passed over.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(line).ok()?;
        Some(Self {
            at: stored.at,
            slot: Slot { process: stored.process, index: stored.index },
            release: ReleaseVersion(stored.release),
            source: stored.stream,
            text: stored.text,
            container: stored.container.map(ContainerId),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::logs) fn record(millis: i64, text: &str) -> Record {
        Record {
            at: Timestamp::from_millis(millis),
            slot: Slot { process: "web".parse().unwrap(), index: 1 },
            release: ReleaseVersion(12),
            source: Source::Out,
            text: text.to_owned(),
            container: Some(ContainerId("c0ffee".to_owned())),
        }
    }

    #[test]
    fn the_form_on_disk_is_this() {
        let mut line = Vec::new();
        record(1_790_000_000_123, "say \"hi\"\u{1b}[0m").write(&mut line);
        let expected = concat!(
            r#"{"at":"2026-09-21T14:13:20.123Z","process":"web","index":1,"release":12,"#,
            r#""stream":"out","text":"say \"hi\"\u001b[0m","container":"c0ffee"}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(line.clone()).unwrap(), expected);
        assert_eq!(Record::read(&line), Some(record(1_790_000_000_123, "say \"hi\"\u{1b}[0m")));
    }

    #[test]
    fn a_torn_line_is_nothing() {
        for torn in ["", "{", r#"{"at":"2026-09-21T14:13:20.123Z","pro"#, "null", "\0\0\0"] {
            assert_eq!(Record::read(torn.as_bytes()), None, "{torn}");
        }
    }
}

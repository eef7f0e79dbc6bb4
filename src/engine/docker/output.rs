//! What an instance writes, line by line, as Docker kept it.
//!
//! Docker cuts lines at 16 KiB and stamps each piece to the nanosecond; its own `since` counts in
//! seconds. Here it is exact to the millisecond and inclusive: a caller that resumes at the time of
//! its last line gets all lines of that millisecond again, in the same order within a stream, and
//! loses none. Between the two streams the order is Docker's, which need not be that of the times.

use bollard::{container::LogOutput, query_parameters::LogsOptions};
use futures_util::{
    StreamExt, future,
    stream::{self, BoxStream},
};

use super::Docker;
use crate::{
    engine::{EngineError, MAX_LINE, OutputLine, OutputStream},
    model::{ContainerId, Timestamp},
};

/// Follows the output of a container until it ends.
pub(super) fn output(
    docker: &Docker,
    id: &ContainerId,
    since: Option<Timestamp>,
) -> BoxStream<'static, Result<OutputLine, EngineError>> {
    let seconds = since.map_or(0, |since| since.as_millis().div_euclid(1000));
    let options = LogsOptions {
        follow: true,
        stdout: true,
        stderr: true,
        timestamps: true,
        since: i32::try_from(seconds).unwrap_or(i32::MAX),
        ..Default::default()
    };
    let frames = docker.api().logs(&id.0, Some(options)).boxed();
    let (docker, id) = (docker.clone(), id.clone());
    frames
        .flat_map(move |frame| match frame {
            Ok(frame) => stream::iter(lines(&frame).into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(docker.explain(error, "logs", &id.0))]),
        })
        .filter(move |line| {
            let wanted =
                line.as_ref().map_or(true, |line| since.is_none_or(|from| line.at >= from));
            future::ready(wanted)
        })
        .boxed()
}

/// One frame is one line, or one piece of a line, behind its time. A frame without a time is the
/// torn rest of a broken connection; what it held comes again when the caller resumes.
fn lines(frame: &LogOutput) -> Vec<OutputLine> {
    let (stream, bytes) = match frame {
        LogOutput::StdOut { message } => (OutputStream::Out, message),
        LogOutput::StdErr { message } => (OutputStream::Err, message),
        LogOutput::StdIn { .. } | LogOutput::Console { .. } => return Vec::new(),
    };
    let Some(space) = bytes.iter().position(|byte| *byte == b' ') else { return Vec::new() };
    let (stamp, rest) = bytes.split_at(space);
    let Some(at) = std::str::from_utf8(stamp).ok().and_then(Timestamp::parse) else {
        return Vec::new();
    };
    let text = rest.strip_prefix(b" ").unwrap_or(rest);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    pieces(&String::from_utf8_lossy(text))
        .map(|text| OutputLine { at, stream, text: text.to_owned() })
        .collect()
}

/// The text in pieces of at most [`MAX_LINE`] bytes, cut between characters; one empty piece if it
/// is empty.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.len() <= MAX_LINE {
            rest = None;
            return Some(text);
        }
        let (head, tail) = text.split_at(text.floor_char_boundary(MAX_LINE));
        rest = Some(tail);
        Some(head)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> LogOutput {
        LogOutput::StdOut { message: text.to_owned().into() }
    }

    #[test]
    fn a_frame_is_a_time_and_a_line() {
        for (text, expected) in [
            ("2026-09-21T14:13:20.123456789Z hello world\n", "hello world"),
            ("2026-09-21T14:13:20.123456789Z \n", ""),
            ("2026-09-21T14:13:20.123456789Z windows\r\n", "windows"),
            ("2026-09-21T14:13:20.123456789Z  indented", " indented"),
        ] {
            let lines = lines(&frame(text));
            assert_eq!(lines.len(), 1, "{text}");
            assert_eq!(lines[0].text, expected);
            assert_eq!(lines[0].at, Timestamp::from_millis(1_790_000_000_123));
        }
        assert!(lines(&frame("no time here\n")).is_empty());
        assert!(lines(&LogOutput::Console { message: "torn".into() }).is_empty());
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let message = b"2026-09-21T14:13:20Z \xff\xfe!\n".to_vec().into();
        assert_eq!(lines(&LogOutput::StdErr { message })[0].text, "\u{fffd}\u{fffd}!");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let long = "ü".repeat(MAX_LINE);
        let cut: Vec<&str> = pieces(&long).collect();
        assert!(cut.len() == 2 && cut.iter().all(|piece| piece.len() <= MAX_LINE));
        assert_eq!(cut.concat(), long);
        assert_eq!(pieces("").collect::<Vec<_>>(), [""]);
        let odd = format!("a{long}");
        assert_eq!(pieces(&odd).collect::<String>(), odd);
    }
}

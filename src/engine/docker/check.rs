//! A program that is run inside an instance to find out how it is: nobody talks to it, and it is not waited
//! for longer than was said.

use std::time::Duration;

use futures_util::{StreamExt, stream::BoxStream};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{Docker, exec::ExecEnd};
use crate::{
    engine::{Checked, Ends, EngineError, ExecSpec, Piece},
    model::ContainerId,
};

/// Runs it to its end, or kills all of its session after `patience`.
pub(super) async fn check(
    docker: &Docker,
    id: &ContainerId,
    spec: &ExecSpec,
    patience: Duration,
) -> Result<Checked, EngineError> {
    let (exec, Ends { mut input, mut output }) = docker.exec(id, spec).await?;
    let mut written = Vec::new();
    let to_its_end = async {
        input.shutdown().await.ok();
        // What it left behind may hold its output open for ever, and it is its own end that counts.
        tokio::select! {
            ended = exec.ended() => ended,
            () = keep_the_last(&mut output, &mut written) => exec.ended().await,
        }
    };
    let ended = match timeout(patience, to_its_end).await {
        Ok(ended) => ended?,
        Err(_) => {
            exec.hang_up(Duration::ZERO).await?;
            return Ok(Checked::Overdue);
        }
    };
    Ok(match ended {
        ExecEnd::Exited(code) => Checked::Exited { code, last: last_line(&written) },
        ExecEnd::NotExecuted => Checked::NotExecuted,
    })
}

async fn keep_the_last(
    output: &mut BoxStream<'static, std::io::Result<Piece>>,
    written: &mut Vec<u8>,
) {
    while let Some(Ok(piece)) = output.next().await {
        written.extend_from_slice(&piece.bytes);
        let surplus = written.len().saturating_sub(KEPT);
        written.drain(..surplus);
    }
}

fn last_line(written: &[u8]) -> String {
    let text = String::from_utf8_lossy(written);
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let line = text.trim_end().lines().next_back().unwrap_or_default();
    line.trim().chars().map(visible).take(LONGEST).collect()
}

/// Bytes of output that are kept until the end.
const KEPT: usize = 4096;
/// Characters of a line that are told.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_told() {
        assert_eq!(last_line(b"one\ntwo \x1b[1m\n\n"), "two  [1m");
        assert_eq!(last_line(b""), "");
        assert_eq!(last_line(&[b'x'; 4096]).len(), LONGEST);
    }
}

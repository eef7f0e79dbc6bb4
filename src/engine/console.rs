//! A program that somebody talks to, as an engine gives it: its input, what it writes, and how it ends.

use std::{io, pin::Pin};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;

use super::{InstanceSpec, OutputStream};
use crate::model::{OpenSecrets, RunConsole, Terminal};

/// What is to run inside an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Its terminal; none for plain pipes.
    pub terminal: Option<Terminal>,
    /// What it has in its environment besides what the container has. Docker keeps none of it.
    pub secrets: OpenSecrets,
}

/// How a program ended that was run inside an instance to find something out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checked {
    /// With this code; 128 and the signal's number where a signal ended it.
    Exited {
        /// The code.
        code: i64,
        /// The last line that it wrote, or what fits of it.
        last: String,
    },
    /// It could not be executed.
    NotExecuted,
    /// It did not end in time, and was killed.
    Overdue,
}

/// What is to run once, in a container of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSpec {
    /// What it runs, and how; its slot is no process's.
    pub instance: InstanceSpec,
    /// Who it talks to.
    pub console: RunConsole,
}

/// Both ends of a program. Nothing is read ahead: whoever does not read holds the program back.
pub struct Ends {
    /// Its input; shutting it down is the end of it.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What it writes, to its end.
    pub output: BoxStream<'static, io::Result<Piece>>,
}

impl std::fmt::Debug for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ends")
    }
}

/// Some of what a program wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where; a terminal has only the one.
    pub stream: OutputStream,
    /// The bytes.
    pub bytes: Bytes,
}

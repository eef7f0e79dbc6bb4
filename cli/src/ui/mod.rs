//! All that is printed, and nothing else prints.
//!
//! stdout is data, stderr is talk; a reader who leaves early is no error; meaning is never carried
//! by colour alone, and neither colour nor movement reaches anything but a terminal.

pub(crate) mod bug;
mod clean;
mod figures;
mod json;
mod line;
mod narration;
mod pipe;
mod progress;
mod prompt;
mod story;
mod table;

use std::{
    cell::RefCell,
    fmt,
    io::{self, IsTerminal, Write},
};

pub(crate) use clean::clean;
pub(crate) use figures::{age, ahead, bytes, commit, cores, count, in_queue, seconds, since};
use jiff::Timestamp;
pub(crate) use line::OneLine;
pub use narration::Narration;
pub(crate) use pipe::Pipe;
pub(crate) use progress::Progress;
pub(crate) use story::Story;
pub(crate) use table::Table;

use crate::{
    args::Shared,
    environment::Environment,
    failure::{Failure, Reason},
};

/// The screen.
#[derive(Debug)]
pub(crate) struct Ui {
    out: Face,
    err: Face,
    quiet: bool,
    /// When the command began; ages count to it.
    pub(crate) now: Timestamp,
}

/// One of the two streams.
struct Face {
    writer: RefCell<Box<dyn Write>>,
    terminal: bool,
    colour: bool,
}

/// How a word is set off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
    /// It did not.
    Red,
    /// It needs attention.
    Yellow,
    /// One of several sources; any number will do.
    Source(usize),
}

impl Ui {
    /// The process's own streams.
    pub(crate) fn of_process(environment: &Environment, shared: &Shared) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let colour = |terminal: bool| terminal && !environment.no_color;
        let (out_terminal, err_terminal) = (out.is_terminal(), err.is_terminal());
        Self {
            out: Face::new(Box::new(out), out_terminal, colour(out_terminal)),
            err: Face::new(Box::new(err), err_terminal, colour(err_terminal)),
            quiet: shared.quiet,
            now: Timestamp::now(),
        }
    }

    /// Streams that a test can read, at noon of 10 January 2026.
    #[cfg(test)]
    pub(crate) fn to(out: Box<dyn Write>, err: Box<dyn Write>, shared: &Shared) -> Self {
        let (out, err) = (Face::new(out, false, false), Face::new(err, false, false));
        let now = Timestamp::constant(1_768_046_400, 0);
        Self { out, err, quiet: shared.quiet, now }
    }

    /// A line of data.
    pub(crate) fn data(&self, line: &str) -> Result<(), Failure> {
        self.raw(format!("{line}\n").as_bytes())
    }

    /// Data as it is.
    pub(crate) fn raw(&self, data: &[u8]) -> Result<(), Failure> {
        self.out.write(data).map_err(unread)
    }

    /// An answer of the server as JSON, indented and otherwise as it came.
    pub(crate) fn json(&self, text: &str) -> Result<(), Failure> {
        self.data(&json::indent(text))
    }

    /// A table, unless there is nothing in it.
    pub(crate) fn table(&self, table: &Table) -> Result<(), Failure> {
        for (index, line) in table.lines().iter().enumerate() {
            let heading = index == 0;
            let line = if heading { self.out.paint(Ink::Bold, line) } else { line.clone() };
            self.data(&line)?;
        }
        Ok(())
    }

    /// `text` set off on stdout, if that is a terminal.
    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        self.out.paint(ink, text)
    }

    /// What an app wrote, fit for where stdout goes: a file gets it as it is.
    pub(crate) fn foreign(&self, text: &str) -> String {
        if self.out.terminal { clean(text, self.out.colour) } else { text.to_owned() }
    }

    /// Whether somebody watches stderr, so that things may move on it.
    pub(crate) fn watched(&self) -> bool {
        self.err.terminal && !self.quiet
    }

    /// A line of talk.
    pub(crate) fn talk(&self, line: &str) {
        if !self.quiet {
            self.say(&format!("{line}\n"));
        }
    }

    /// A heading of talk: `-----> Building`.
    pub(crate) fn heading(&self, text: &str) {
        let arrow = self.err.paint(Ink::Dim, "----->");
        self.talk(&format!("{arrow} {}", self.err.paint(Ink::Bold, text)));
    }

    /// A line below a heading.
    pub(crate) fn detail(&self, text: &str) {
        self.talk(&format!("       {}", clean(text, self.err.colour)));
    }

    /// Something that is not as it should be, but does not stop the command; also when quiet.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("{} {text}\n", self.err.paint(Ink::Yellow, "warning:")));
    }

    /// Advice after a warning or at the end.
    pub(crate) fn hint(&self, text: &str) {
        self.say(&format!("{} {text}\n", self.err.paint(Ink::Yellow, "hint:")));
    }

    /// What went wrong, because of what, and what to do; also when quiet.
    pub(crate) fn failure(&self, failure: &Failure) {
        match failure {
            Failure::Usage(reason) | Failure::Local(reason) | Failure::Unreachable(reason) => {
                let Reason { what, because, hint } = reason.as_ref();
                self.error(what, because.as_deref(), hint.as_deref());
            }
            Failure::Refused(fault) => {
                let internal = fault.code == api::FaultCode::Internal;
                let request =
                    format!("request {} in the server's log tells more", fault.request_id);
                let because = (internal && !fault.request_id.is_empty()).then_some(request);
                self.error(&fault.message, because.as_deref(), fault.hint.as_deref());
            }
            Failure::Unread | Failure::Ended(_) | Failure::Told => {}
        }
    }

    fn error(&self, what: &str, because: Option<&str>, hint: Option<&str>) {
        self.say(&format!("{} {}\n", self.err.paint(Ink::Red, "error:"), clean(what, false)));
        if let Some(because) = because {
            self.say(&format!("  because {}\n", clean(because, false)));
        }
        if let Some(hint) = hint {
            self.hint(&clean(hint, false));
        }
    }

    /// A reader of the talk who has gone is missed by nobody.
    fn say(&self, text: &str) {
        self.err.write(text.as_bytes()).ok();
    }
}

impl Face {
    fn new(writer: Box<dyn Write>, terminal: bool, colour: bool) -> Self {
        Self { writer: RefCell::new(writer), terminal, colour }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut writer = self.writer.borrow_mut();
        writer.write_all(bytes)?;
        writer.flush()
    }

    fn paint(&self, ink: Ink, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Bold => 1,
            Ink::Dim => 2,
            Ink::Red => 31,
            Ink::Yellow => 33,
            Ink::Source(number) => *SOURCES.get(number % SOURCES.len()).unwrap_or(&36),
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Face").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

fn unread(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Unread,
        _ => Failure::local("cannot write the output").because(error),
    }
}

/// Cyan, magenta, blue, green, yellow: red is for errors.
const SOURCES: [u8; 5] = [36, 35, 34, 32, 33];

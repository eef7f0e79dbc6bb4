//! The terminal of this process: its size, and raw mode, in which every key is the program's.

use std::io;

use api::session::Size;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Raw mode, until it is dropped; also by a panic.
#[derive(Debug)]
pub(crate) struct Raw {
    before: Termios,
}

impl Raw {
    /// Enters it; `None` where stdin is no terminal, which stays as it is.
    pub(crate) fn enter() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw).ok()?;
        Some(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        tcsetattr(io::stdin(), OptionalActions::Drain, &self.before).ok();
    }
}

/// The size of the terminal that stdout is, or stdin.
pub(crate) fn size() -> Option<Size> {
    let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stdin())).ok()?;
    let known = size.ws_col > 0 && size.ws_row > 0;
    known.then_some(Size { columns: size.ws_col, rows: size.ws_row })
}

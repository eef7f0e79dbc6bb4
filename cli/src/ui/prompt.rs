//! Questions to a person. Where there is none, they are not asked: the caller says what option
//! answers them.

use std::io::{self, BufRead, IsTerminal};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::Ui;

impl Ui {
    /// Whether there is somebody to ask.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && self.err.terminal
    }

    /// Asks a question that only `yes` answers with yes.
    pub(crate) fn confirm(&self, question: &str) -> io::Result<bool> {
        self.say(&format!("{question} [yes/no] "));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer.trim().eq_ignore_ascii_case("yes"))
    }

    /// Asks for something that nobody else should read on the screen.
    pub(crate) fn secret(&self, question: &str) -> io::Result<String> {
        self.say(&format!("{question}: "));
        let echo = NoEcho::begin()?;
        let mut answer = String::new();
        let outcome = io::stdin().lock().read_line(&mut answer);
        drop(echo);
        self.say("\n");
        outcome.map(|_| answer)
    }
}

/// The terminal shows nothing of what is typed until this is dropped.
struct NoEcho {
    before: Termios,
}

impl NoEcho {
    fn begin() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
        Ok(Self { before })
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        // A terminal that has gone away needs no echo.
        tcsetattr(io::stdin(), OptionalActions::Now, &self.before).ok();
    }
}

//! What a program that somebody talks to is given: a terminal, and signals.

use serde::{Deserialize, Serialize};

use super::Process;

/// A terminal that a program is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// Its size at first.
    pub size: TerminalSize,
    /// What kind it is (`TERM`).
    pub kind: String,
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// What can be sent to a program that somebody talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramSignal {
    /// SIGHUP: whoever talked to it is gone.
    Hangup,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGTERM: finish and end.
    Terminate,
    /// SIGKILL: end.
    Kill,
}

impl Process {
    /// `command` as it is to be executed to have the environment of this process. Images of a build
    /// get theirs from the launcher; those of others have it in them.
    pub fn beside(&self, command: &[String]) -> Vec<String> {
        let by_launcher = self.entrypoint.first().is_some_and(|first| first.starts_with("/cnb/"));
        let launcher: &[&str] = if by_launcher { &["/cnb/lifecycle/launcher", "--"] } else { &[] };
        launcher.iter().map(|&word| word.to_owned()).chain(command.iter().cloned()).collect()
    }
}

/// A command for people, in one line: words that a shell would split are quoted, and what is long is
/// cut.
pub fn shown(command: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%^".contains(c);
    let words = command.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            return word.clone();
        }
        let visible: String = word.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("'{}'", visible.replace('\'', "'\\''"))
    });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Characters of a command that are shown.
const LONGEST: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &[&str]) -> Vec<String> {
        command.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn commands_are_shown_as_one_would_type_them() {
        let check = |command: &[&str], expected: &str| assert_eq!(shown(&words(command)), expected);
        check(&["rake", "db:migrate", "--trace=1"], "rake db:migrate --trace=1");
        check(&["sh", "-c", "echo $A; it's"], "sh -c 'echo $A; it'\\''s'");
        check(&["", "a\n\x1b[2Jb"], "'' 'a  [2Jb'");
        assert_eq!(shown(&words(&["ü".repeat(500).as_str()])).chars().count(), LONGEST + 1);
    }
}

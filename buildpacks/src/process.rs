//! Runs a program of somebody else, line by line, and leaves nothing of it behind.
//!
//! Invariant: when [`execute`] returns, the program's process group is gone; where we are process
//! 1 of a container and the program ran alone, every other process is.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};

use crate::agent::{MAX_LOG_LINE, Stream};

/// Lines waiting between the readers and the consumer; when full, the program waits.
const PENDING_LINES: usize = 256;
/// How long output may still come after the program ended. It ends at once unless a daemon in a
/// session of its own holds the pipe, which only process 1 can end.
const LAST_WORDS: Duration = Duration::from_secs(1);

enum Event {
    Line(Stream, String),
    Ended(io::Result<ExitStatus>),
}

/// What becomes of processes that left the group of a program that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strays {
    /// They end with it: nothing else of ours runs.
    End,
    /// They live until [`end_strays`], because other programs run beside it.
    Spare,
}

/// Runs `command` and hands each line of its output to `on_line`, as it comes.
pub(crate) fn execute(
    command: &mut Command,
    strays: Strays,
    on_line: &mut dyn FnMut(Stream, &str),
) -> io::Result<ExitStatus> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (events, received) = sync_channel(PENDING_LINES);
    // The threads are not joined: a reader may wait for ever on a pipe that a daemon holds.
    let (out, err) = (events.clone(), events.clone());
    thread::spawn(move || stdout.map(|pipe| pump(pipe, Stream::Stdout, &out)));
    thread::spawn(move || stderr.map(|pipe| pump(pipe, Stream::Stderr, &err)));
    thread::spawn(move || events.send(Event::Ended(wait(child, strays))));
    let mut status = None;
    loop {
        let event = match &status {
            None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => received.recv_timeout(LAST_WORDS),
        };
        match event {
            Ok(Event::Line(stream, line)) => on_line(stream, &line),
            Ok(Event::Ended(ended)) => status = Some(ended),
            Err(_) => break,
        }
    }
    status.unwrap_or_else(|| Err(io::Error::other("the waiting thread panicked")))
}

/// Waits for the leader, then ends its group. The leader is left unreaped until then, so that its
/// number cannot be given away.
fn wait(mut child: Child, strays: Strays) -> io::Result<ExitStatus> {
    let group = Pid::from_child(&child);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let ended = rustix::process::waitid(WaitId::Pid(group), options);
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
    if strays == Strays::End {
        kill_strays();
    }
    ended?;
    let status = child.wait();
    if strays == Strays::End {
        // Orphans are given to process 1, and an ended one counts as a process until it is reaped.
        end_strays();
    }
    status
}

/// Ends and reaps everything else in the container.
pub(crate) fn end_strays() {
    if !rustix::process::getpid().is_init() {
        return;
    }
    kill_strays();
    // Orphans become children of process 1, so this ends when the last of them is gone.
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::empty()) {}
}

/// Kills everything else in the container, also what left its process group. Outside of a container
/// it does nothing: there the same call would end everything on the machine.
fn kill_strays() {
    if rustix::process::getpid().is_init() {
        // The group of process 1 means `kill(-1)`: every process but the caller.
        let _ = rustix::process::kill_process_group(Pid::INIT, Signal::KILL);
    }
}

/// The exit code, or what a shell would say of a signal.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn pump(pipe: impl Read, stream: Stream, events: &SyncSender<Event>) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MAX_LOG_LINE as u64;
        match reader.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']).to_owned();
        if events.send(Event::Line(stream, text)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str) -> (i32, Vec<String>) {
        let mut seen = Vec::new();
        let mut command = Command::new("/bin/sh");
        let command = command.args(["-c", script]);
        let status = execute(command, Strays::End, &mut |_, line| seen.push(line.into()));
        (exit_code(status.unwrap()), seen)
    }

    #[test]
    fn lines_and_codes_come_back() {
        assert_eq!(check("echo a; echo b; exit 3"), (3, vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(check("kill -9 $$").0, 137);
    }

    #[test]
    fn a_daemon_left_behind_does_not_hold_the_build() {
        assert_eq!(check("sleep 3600 & echo done"), (0, vec!["done".to_owned()]));
        // Outside of a container nobody can end this one, but it does not hold us either.
        assert_eq!(check("setsid sleep 5 & echo done"), (0, vec!["done".to_owned()]));
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (_, lines) = check("head -c 20000 /dev/zero | tr '\\0' x");
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [8192, 8192, 3616]);
    }
}

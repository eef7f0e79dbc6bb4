//! A session: a program's input and output over one WebSocket.
//!
//! It begins as a `GET` that asks to become a WebSocket, with the token in its header as always. Then
//! every message is binary: one byte that names the channel, and what belongs to it. The first message
//! of a client is [`Ask::Begin`] with JSON: an [`Exec`] or what the path's own row says. The server
//! answers [`Tell::Begun`], or a [`Tell::Fault`] and closes. [`Tell::Exit`] is its last message, and all
//! that the program wrote comes before it.
//!
//! Flow: a client sends no more input than it has been granted, [`WINDOW`] at first and then what each
//! [`Tell::Window`] adds, so that a signal never waits behind input that nobody reads. Output is held
//! back by TCP: whoever does not read it stops the program. No data is longer than [`MOST_DATA`].
//!
//! Both sides send WebSocket pings when it is quiet; whoever hears nothing for [`SILENCE`] seconds
//! takes the other side for gone. A session whose client is gone is over: its program gets SIGHUP, and
//! a little later SIGKILL.

use serde::{Deserialize, Serialize};

/// The most bytes of input or output in one message.
pub const MOST_DATA: usize = 32 << 10;
/// The most bytes in any message.
pub const MOST_MESSAGE: usize = 128 << 10;
/// The input that a client may send before it is granted more, in bytes.
pub const WINDOW: u32 = 256 << 10;
/// Between two pings of one side, in seconds.
pub const PING: u64 = 15;
/// After so many seconds without a word the other side is gone.
pub const SILENCE: u64 = 60;

/// Asks for a program inside a running instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Exec {
    /// An instance such as `web.1`, or a process such as `web` for the first of it; without one the
    /// first `web`, or else the first that runs.
    #[serde(default)]
    pub instance: Option<String>,
    /// Program and arguments. No shell reads them.
    pub command: Vec<String>,
    /// The terminal that the program is to have; none for plain pipes.
    #[serde(default)]
    pub terminal: Option<Terminal>,
}

/// Asks for a connection to a port of an instance. Both ends are the session's input and output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Tunnel {
    /// Which instance, as for [`Exec`].
    #[serde(default)]
    pub instance: Option<String>,
    /// The port.
    pub port: u16,
}

/// A terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Terminal {
    /// Its size at first.
    pub size: Size,
    /// What kind it is (`TERM`).
    #[serde(default)]
    pub kind: Option<String>,
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Size {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// What a session is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Begun {
    /// Which instance, for example `web.1` or `run.3`.
    pub instance: String,
    /// Of which release, for example `v12`.
    pub release: String,
}

/// What a client can have sent to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP.
    Hangup,
    /// SIGINT.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGTERM.
    Terminate,
}

/// A message of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask<'a> {
    /// What is wanted, as JSON.
    Begin(&'a [u8]),
    /// Input; nothing at all is its end.
    Input(&'a [u8]),
    /// The terminal has another size.
    Resize(Size),
    /// A signal for the program.
    Signal(Signal),
}

/// A message of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell<'a> {
    /// It runs: a [`Begun`] as JSON.
    Begun(&'a [u8]),
    /// What was written to standard output, or to the terminal; nothing at all is its end.
    Out(&'a [u8]),
    /// What was written to standard error.
    Err(&'a [u8]),
    /// So many more bytes of input may be sent.
    Window(u32),
    /// The program has ended with this code: 128 and the signal's number where a signal ended it, 126
    /// where it could not be executed and 127 where it was not found.
    Exit(u8),
    /// A `Fault` as JSON: why there is no session, or none any more.
    Fault(&'a [u8]),
}

/// A message that this contract does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Signal {
    const ALL: [Self; 4] = [Self::Hangup, Self::Interrupt, Self::Quit, Self::Terminate];

    /// Its name without `SIG`, as it goes over the line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hangup => "HUP",
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Terminate => "TERM",
        }
    }
}

impl<'a> Ask<'a> {
    /// Reads a message; `None` for one of a newer contract, which is passed over.
    pub fn read(message: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let (channel, rest) = message.split_first().ok_or(Malformed)?;
        Ok(Some(match *channel {
            BEGIN => Self::Begin(rest),
            INPUT if rest.len() <= MOST_DATA => Self::Input(rest),
            INPUT => return Err(Malformed),
            RESIZE => {
                let [c0, c1, r0, r1] = rest.try_into().map_err(|_| Malformed)?;
                let (columns, rows) = (u16::from_be_bytes([c0, c1]), u16::from_be_bytes([r0, r1]));
                Self::Resize(Size { columns, rows })
            }
            SIGNAL => {
                let known = Signal::ALL.into_iter().find(|one| one.name().as_bytes() == rest);
                Self::Signal(known.ok_or(Malformed)?)
            }
            _ => return Ok(None),
        }))
    }

    /// The message as it goes over the line.
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Begin(json) => message(BEGIN, json),
            Self::Input(data) => message(INPUT, data),
            Self::Resize(Size { columns, rows }) => {
                message(RESIZE, &[columns.to_be_bytes(), rows.to_be_bytes()].concat())
            }
            Self::Signal(signal) => message(SIGNAL, signal.name().as_bytes()),
        }
    }
}

impl<'a> Tell<'a> {
    /// Reads a message; `None` for one of a newer contract, which is passed over.
    pub fn read(message: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let (channel, rest) = message.split_first().ok_or(Malformed)?;
        Ok(Some(match *channel {
            BEGUN => Self::Begun(rest),
            OUT => Self::Out(rest),
            ERR => Self::Err(rest),
            GRANT => Self::Window(u32::from_be_bytes(rest.try_into().map_err(|_| Malformed)?)),
            EXIT => Self::Exit(*rest.first().filter(|_| rest.len() == 1).ok_or(Malformed)?),
            FAULT => Self::Fault(rest),
            _ => return Ok(None),
        }))
    }

    /// The message as it goes over the line.
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Begun(json) => message(BEGUN, json),
            Self::Out(data) => message(OUT, data),
            Self::Err(data) => message(ERR, data),
            Self::Window(more) => message(GRANT, &more.to_be_bytes()),
            Self::Exit(code) => message(EXIT, &[*code]),
            Self::Fault(json) => message(FAULT, json),
        }
    }
}

fn message(channel: u8, rest: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(1 + rest.len());
    message.push(channel);
    message.extend_from_slice(rest);
    message
}

const BEGIN: u8 = 0;
const INPUT: u8 = 1;
const RESIZE: u8 = 2;
const SIGNAL: u8 = 3;

const BEGUN: u8 = 16;
const OUT: u8 = 17;
const ERR: u8 = 18;
const GRANT: u8 = 19;
const EXIT: u8 = 20;
const FAULT: u8 = 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_read_as_it_was_meant() {
        let size = Size { columns: 300, rows: 41 };
        for ask in [
            Ask::Begin(b"{}"),
            Ask::Input(b"\0\xff"),
            Ask::Input(b""),
            Ask::Resize(size),
            Ask::Signal(Signal::Interrupt),
        ] {
            assert_eq!(Ask::read(&ask.write()), Ok(Some(ask)));
        }
        assert_eq!(Ask::Resize(size).write(), [2, 1, 44, 0, 41]);
    }

    #[test]
    fn what_the_server_says_is_read_as_it_was_meant() {
        for tell in [
            Tell::Begun(b"{}"),
            Tell::Out(b"one\n"),
            Tell::Err(b""),
            Tell::Window(70_000),
            Tell::Exit(137),
            Tell::Fault(b"{}"),
        ] {
            assert_eq!(Tell::read(&tell.write()), Ok(Some(tell)));
        }
    }

    #[test]
    fn a_newer_contract_is_passed_over_and_nonsense_is_not() {
        assert_eq!((Ask::read(&[99, 1]), Tell::read(&[99])), (Ok(None), Ok(None)));
        let long = Ask::Input(&vec![0; MOST_DATA + 1]).write();
        for wrong in [&[][..], &[RESIZE, 1], &[SIGNAL, b'X'], &[SIGNAL], &long] {
            assert_eq!(Ask::read(wrong), Err(Malformed), "{wrong:?}");
        }
        for wrong in [&[][..], &[EXIT], &[EXIT, 1, 2], &[GRANT, 1]] {
            assert_eq!(Tell::read(wrong), Err(Malformed), "{wrong:?}");
        }
    }
}

//! Talking to a program on the server: this terminal, or these pipes, are its input and output.
//!
//! Bytes are passed on as they are. With a terminal, keys such as Ctrl-C are the program's affair;
//! without one, their signals are passed on to it. The terminal is as it was however this ends.

mod grants;
mod raw;
mod stdin;

use std::{convert::Infallible, io, time::Duration};

use api::{
    Fault,
    session::{Ask, Begun, MOST_DATA, PING, Signal, Size, Tell, Terminal, WINDOW},
};
pub(crate) use grants::Grants;
use raw::Raw;
use serde::Serialize;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    client::{Ear, Line, Mouth},
    environment::Environment,
    failure::Failure,
    ui::Pipe,
};

/// Whether the program is to have a terminal.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TerminalOption {
    /// Give the program a terminal, also where stdin or stdout is none
    #[arg(short = 't', long, overrides_with = "no_tty")]
    tty: bool,
    /// Give the program plain pipes, also at a terminal
    #[arg(short = 'T', long)]
    no_tty: bool,
}

impl TerminalOption {
    /// The terminal that the program is to have: without an option that of stdin and stdout, if both
    /// are one.
    pub(crate) fn terminal(&self, environment: &Environment) -> Option<Terminal> {
        let here =
            io::IsTerminal::is_terminal(&io::stdin()) && io::IsTerminal::is_terminal(&io::stdout());
        let wanted = (here || self.tty) && !self.no_tty;
        let size = raw::size().unwrap_or(USUAL);
        wanted.then(|| Terminal { size, kind: environment.terminal.clone() })
    }
}

/// Begins what is `wanted` and talks to it to its end: its exit code.
pub(crate) async fn converse(
    mut line: Line,
    wanted: &impl Serialize,
    terminal: Option<&Terminal>,
) -> Result<u8, Failure> {
    line.says.begin(wanted).await?;
    begun(&mut line.hears).await?;
    let raw = terminal.and_then(|_| Raw::enter());
    let (grants, pipe) = (Grants::new(WINDOW), Pipe::open());
    let outcome = {
        let listening = listen(&mut line.hears, &pipe, &grants);
        tokio::pin!(listening);
        tokio::select! {
            biased;
            outcome = &mut listening => outcome,
            failure = speak(&mut line.says, &grants, terminal) => match failure {
                // It left, and what it said last may still be on its way.
                Err(failure @ Failure::Unreachable(_)) => {
                    timeout(LAST_WORDS, listening).await.unwrap_or(Err(failure))
                }
                Err(failure) => Err(failure),
                Ok(never) => match never {},
            },
        }
    };
    if outcome.is_ok() {
        pipe.drain().await?;
    }
    drop(raw);
    line.says.close().await;
    outcome
}

/// Waits until it runs.
pub(crate) async fn begun(hears: &mut Ear) -> Result<Begun, Failure> {
    loop {
        let message = hears.next().await?;
        match Tell::read(&message).map_err(|_| nonsense())? {
            Some(Tell::Begun(json)) => {
                return serde_json::from_slice(json).map_err(|_| nonsense());
            }
            Some(Tell::Fault(json)) => return Err(refused(json)),
            _ => {}
        }
    }
}

/// What the server says, until the program has ended.
async fn listen(hears: &mut Ear, pipe: &Pipe, grants: &Grants) -> Result<u8, Failure> {
    loop {
        let message = hears.next().await?;
        match Tell::read(&message).map_err(|_| nonsense())? {
            Some(Tell::Out(_)) => pipe.out(message.slice(1..)).await?,
            Some(Tell::Err(_)) => pipe.err(message.slice(1..)).await?,
            Some(Tell::Window(more)) => grants.add(more),
            Some(Tell::Exit(code)) => return Ok(code),
            Some(Tell::Fault(json)) => return Err(refused(json)),
            Some(Tell::Begun(_)) | None => {}
        }
    }
}

/// What the server is told, as long as there is a session.
async fn speak(
    says: &mut Mouth,
    grants: &Grants,
    terminal: Option<&Terminal>,
) -> Result<Infallible, Failure> {
    let of = |kind| signal(kind).map_err(|fault| Failure::local("no signals").because(fault));
    let (mut interrupt, mut quit) = (of(SignalKind::interrupt())?, of(SignalKind::quit())?);
    let (mut end, mut hangup) = (of(SignalKind::terminate())?, of(SignalKind::hangup())?);
    let mut resized = of(SignalKind::window_change())?;
    // Whoever resizes while the program begins is not heard by signal.
    if let (Some(terminal), Some(size)) = (terminal, raw::size())
        && size != terminal.size
    {
        says.say(Ask::Resize(size)).await?;
    }
    let mut ping = interval(Duration::from_secs(PING));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut input = stdin::read(MOST_DATA / 2);
    let (mut open, mut waiting, mut interrupts) = (true, Vec::new(), 0);
    loop {
        tokio::select! {
            data = input.recv(), if open && waiting.is_empty() => match data {
                Some(data) => waiting = data,
                None => {
                    open = false;
                    says.say(Ask::Input(&[])).await?;
                }
            },
            () = grants.take(waiting.len()), if !waiting.is_empty() => {
                says.say(Ask::Input(&std::mem::take(&mut waiting))).await?;
            }
            _ = interrupt.recv() => {
                interrupts += 1;
                if interrupts >= ENOUGH {
                    return Err(Failure::Ended(128 + 2));
                }
                says.say(Ask::Signal(Signal::Interrupt)).await?;
            }
            _ = quit.recv() => says.say(Ask::Signal(Signal::Quit)).await?,
            // Whoever ends this ends the program: the server hears that nobody is there any more.
            _ = end.recv() => return Err(Failure::Ended(128 + 15)),
            _ = hangup.recv() => return Err(Failure::Ended(128 + 1)),
            _ = resized.recv(), if terminal.is_some() => if let Some(size) = raw::size() {
                says.say(Ask::Resize(size)).await?;
            },
            _ = ping.tick() => says.ping().await?,
        }
    }
}

pub(crate) fn refused(json: &[u8]) -> Failure {
    match serde_json::from_slice::<Fault>(json) {
        Ok(fault) => Failure::Refused(Box::new(fault)),
        Err(_) => nonsense(),
    }
}

pub(crate) fn nonsense() -> Failure {
    Failure::local("the server's answer is not understood")
        .hint("compare `paas --version` with the version that `paas status` shows")
}

/// Ctrl-C so often leaves a program that does not listen to it.
const ENOUGH: u32 = 3;
/// For what the server said before it went.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Of a terminal that is none.
const USUAL: Size = Size { columns: 80, rows: 24 };

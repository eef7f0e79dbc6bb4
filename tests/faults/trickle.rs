//! A few requests all the time, some on new connections and some on a kept one, while the daemon
//! dies and comes back.
//!
//! A daemon that dies takes the requests with it that it had taken on, and nobody listens until
//! the next one does: that is excused. Whatever else is not a whole and right answer is a fault,
//! above all an error page, which only a living daemon can have written.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    ledger::Ledger,
    line::{Fault, Line, Question},
};

/// Where the requests go, and who takes them.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    pub(crate) edge: SocketAddr,
    pub(crate) host: String,
    pub(crate) ledger: Arc<Ledger>,
    /// The data folder, by which the daemon's process is known.
    pub(crate) data: String,
    pub(crate) stop: CancellationToken,
}

/// Sends requests until it is told to stop.
pub(crate) fn start(aim: &Aim) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for requests_a_line in [1, 1, u32::MAX] {
        tasks.spawn(ask_on(aim.clone(), requests_a_line));
    }
    tasks
}

async fn ask_on(aim: Aim, requests_a_line: u32) {
    while !aim.stop.is_cancelled() {
        let listening = daemon(&aim.data);
        let mut line = match Line::open(aim.edge, &aim.host).await {
            Ok(line) => line,
            Err(Fault::Refused) => {
                sleep(PACE).await;
                continue;
            }
            // Whoever waits to be accepted when a daemon dies is turned away by the kernel.
            Err(Fault::Broken(_)) if dies(listening).await => continue,
            Err(fault) => {
                aim.ledger.fault(format!("cannot connect: {fault}"));
                continue;
            }
        };
        let daemon = daemon(&aim.data);
        match ask_on_one_line(&aim, &mut line, requests_a_line).await {
            Ok(()) => {}
            // Between the two looks one took over from the other: whose line it was is not known.
            Err(Fault::Broken(_)) if listening != daemon || dies(daemon).await => {}
            Err(fault) => aim.ledger.fault(format!("daemon {daemon:?}: {fault}")),
        }
        sleep(PACE).await;
    }
}

async fn ask_on_one_line(aim: &Aim, line: &mut Line, requests: u32) -> Result<(), Fault> {
    for _ in 0..requests {
        if aim.stop.is_cancelled() {
            return Ok(());
        }
        let before = aim.ledger.right();
        let text = line.ask(&Question { path: "/".to_owned(), body: None }).await?;
        let after = aim.ledger.right();
        match text.strip_prefix("mark ").and_then(|mark| mark.trim_end().parse().ok()) {
            Some(mark) if before.contains(&mark) || after.contains(&mark) => aim.ledger.count(),
            _ => aim.ledger.fault(format!("{text:?} where {before:?}, later {after:?}, is right")),
        }
        sleep(PACE).await;
    }
    Ok(())
}

/// The process of the daemon on that data folder: one of our own children.
fn daemon(data: &str) -> Option<u32> {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let mut daemons = children.filter_map(|child| child.parse().ok()).filter(|child: &u32| {
        let line = fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
        line.split('\0').nth(1) == Some("server") && line.split('\0').any(|word| word == data)
    });
    daemons.find(|child| lives(*child))
}

/// Whether a process runs: one that has ended and was not yet asked for does not.
fn lives(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Whether it dies now: its connections break a moment before it is gone.
async fn dies(process: Option<u32>) -> bool {
    let Some(process) = process else { return true };
    let died = async {
        while lives(process) {
            sleep(PACE).await;
        }
    };
    timeout(DYING, died).await.is_ok()
}

/// Between two requests of a task.
const PACE: Duration = Duration::from_millis(20);
/// From the last byte that a dying process sends to its end.
const DYING: Duration = Duration::from_secs(3);

//! Makes one root filesystem with mmdebstrap, from the host's own Debian mirror.
//!
//! Not here: where that mirror is (`apt`) and what goes in (`recipe`). Invariants: signatures are
//! always checked, against Debian's keyring and no other; a cut run leaves no process behind.

use super::ensure::Progress;
use super::error::StackError;
use super::recipe::{Flavour, arguments};
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

/// What both flavours are made from.
pub(crate) struct Kitchen<'a> {
    /// Where from, and of which date; without it, from Debian's own mirrors.
    pub(crate) source: Option<Source<'a>>,
    /// apt options of this host: proxies, certificates, validity checks.
    pub(crate) apt: &'a [String],
    /// Where mmdebstrap may work.
    pub(crate) temp: &'a Path,
}

/// A mirror that is known.
pub(crate) struct Source<'a> {
    /// The source list, written out.
    pub(crate) list: &'a Path,
    /// The images' time stamp, in seconds since 1970.
    pub(crate) epoch: i64,
}

impl Kitchen<'_> {
    /// Makes the tar; says each step.
    pub(crate) async fn make(
        &self,
        flavour: Flavour,
        tar: &Path,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), StackError> {
        let mut command = mmdebstrap();
        command
            .args(arguments(flavour, self.apt, self.source.as_ref().map(|s| s.list), tar))
            .envs(self.source.as_ref().map(|s| ("SOURCE_DATE_EPOCH", s.epoch.to_string())))
            .env("TMPDIR", self.temp)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().map_err(StackError::Start)?;
        let group = Group::of(&child);
        let ended = tokio::time::timeout(LONGEST, watch(&mut child, flavour, progress)).await;
        let (status, last) = ended.map_err(|_| StackError::TooLong { flavour })??;
        group.ended();
        if status.success() {
            return Ok(());
        }
        Err(StackError::Make { flavour, last: last.into_iter().collect::<Vec<_>>().join("\n") })
    }
}

/// As root it mounts what packages' scripts expect, `/dev/shm` of this machine among it. In a mount
/// namespace of its own nothing of that outlives it, whatever ends it.
fn mmdebstrap() -> Command {
    if !geteuid().is_root() {
        return Command::new("mmdebstrap");
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "mmdebstrap"]);
    command
}

/// Follows a run to its end; keeps its last lines for the error.
async fn watch(
    child: &mut Child,
    flavour: Flavour,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(std::process::ExitStatus, VecDeque<String>), StackError> {
    let mut last = VecDeque::new();
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr.take(MOST_OUTPUT)).lines();
        while let Some(line) = lines.next_line().await.map_err(StackError::Start)? {
            if let Some(text) = step(&line) {
                progress(Progress::Step { flavour, text });
            }
            if last.len() == KEPT {
                last.pop_front();
            }
            last.push_back(line);
        }
    }
    Ok((child.wait().await.map_err(StackError::Start)?, last))
}

/// What a line of output tells a person who waits; most lines tell them nothing.
fn step(line: &str) -> Option<String> {
    let text = line.strip_prefix("I: ")?.trim_end_matches('.');
    let told = ["downloading", "extracting", "installing", "creating"];
    told.iter().any(|start| text.starts_with(start)).then(|| text.to_owned())
}

/// mmdebstrap and all it started. Dropped before the end, it is told to stop; it then cleans up
/// after itself, which a plain kill would not let it do.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let raw = child.id().and_then(|id| i32::try_from(id).ok());
        Self(raw.and_then(Pid::from_raw))
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // An error means that the group is gone already.
        if let Some(group) = self.0 {
            let _gone = kill_process_group(group, Signal::TERM);
        }
    }
}

/// The apt options of this host that reach beyond it: how to get out, whom to trust there, and
/// whether old mirrors are accepted. Signatures are not among them.
pub async fn host_options() -> Vec<String> {
    let mut command = Command::new("apt-config");
    command.arg("dump").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(20), command.output()).await;
    let Ok(Ok(output)) = output else { return Vec::new() };
    carried(&String::from_utf8_lossy(&output.stdout))
}

fn carried(dump: &str) -> Vec<String> {
    let wanted = ["Acquire::http::", "Acquire::https::", "Acquire::Check-"];
    let lines = dump.lines().map(|line| line.trim_end_matches(';'));
    let lines = lines.filter(|line| wanted.iter().any(|start| line.starts_with(start)));
    lines.filter(|line| !line.ends_with(" \"\"")).map(str::to_owned).collect()
}

/// A slow mirror and a slow disk, and still something is wrong.
const LONGEST: Duration = Duration::from_mins(30);
const KEPT: usize = 20;
const MOST_OUTPUT: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::{carried, step};

    #[test]
    fn tells_steps_and_no_noise() {
        let told = step("I: extracting archives...");
        assert_eq!(told.as_deref(), Some("extracting archives"));
        assert_eq!(step("I: using /tmp/x as tempdir"), None);
        assert_eq!(step("Setting up tzdata"), None);
    }

    #[test]
    fn carries_proxies_and_never_trust() {
        let dump = "APT::Architecture \"amd64\";\nAcquire::http::Proxy \"http://p.test:3128\";\n\
            Acquire::https::CaInfo \"/ca.crt\";\nAcquire::http \"\";\nAcquire::http::User-Agent \"\";\n\
            Acquire::AllowInsecureRepositories \"1\";\nAcquire::Check-Date \"false\";\n\
            APT::Get::AllowUnauthenticated \"1\";\n";
        assert_eq!(
            carried(dump),
            [
                "Acquire::http::Proxy \"http://p.test:3128\"",
                "Acquire::https::CaInfo \"/ca.crt\"",
                "Acquire::Check-Date \"false\"",
            ]
        );
    }
}

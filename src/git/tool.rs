//! The program `git`, run for one repository.
//!
//! It gets a list of arguments, and an environment that is ours from its first to its last variable:
//! nobody's configuration, no hooks, no prompts, no network. What it may use and how long it may take
//! is bounded; whoever stops waiting for it ends it.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};

use super::GitError;

/// git, in one repository.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    repository: PathBuf,
    /// Where objects are looked for and written to, if not in the repository: its quarantine.
    objects: Option<PathBuf>,
}

impl Tool {
    /// For the bare repository in this folder.
    pub(super) fn at(repository: &Path) -> Self {
        Self { repository: repository.to_owned(), objects: None }
    }

    /// The same with what lies in a quarantine.
    pub(super) fn with(&self, objects: &Path) -> Self {
        Self { repository: self.repository.clone(), objects: Some(objects.to_owned()) }
    }

    /// Starts it.
    pub(super) fn start(&self, arguments: &[&str], stdin: Stdio) -> Result<Child, GitError> {
        self.start_with(arguments, stdin, None)
    }

    /// Starts it for a client that asked for a version of the protocol.
    pub(super) fn start_with(
        &self,
        arguments: &[&str],
        stdin: Stdio,
        protocol: Option<&str>,
    ) -> Result<Child, GitError> {
        let mut command = Command::new("git");
        command.env_clear().envs(ENVIRONMENT.iter().copied()).env("GIT_DIR", &self.repository);
        if let Some(objects) = &self.objects {
            command.env("GIT_OBJECT_DIRECTORY", objects);
        }
        if let Some(protocol) = protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        command.args(SETTINGS).args(arguments);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => GitError::Missing,
            _ => GitError::Io { what: "git cannot be run", source },
        })?;
        if let Some(id) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            // The kernel that refuses this limits nothing, and the limits on what comes in remain.
            let data = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
            prlimit(Some(id), Resource::Data, data).ok();
            let time = Rlimit { current: Some(SECONDS), maximum: Some(SECONDS) };
            prlimit(Some(id), Resource::Cpu, time).ok();
        }
        Ok(child)
    }

    /// Runs it to its end and returns what it wrote.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        self.run_with(arguments, b"").await
    }

    /// The same with something to read.
    pub(super) async fn run_with(
        &self,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<Vec<u8>, GitError> {
        let mut child = self.start(arguments, Stdio::piped())?;
        let mut stdin = child.stdin.take();
        let feed = async {
            if let Some(stdin) = stdin.as_mut() {
                // It may end before it has read everything; its exit code says why.
                stdin.write_all(input).await.ok();
            }
            drop(stdin);
        };
        let (output, ()) = tokio::join!(end(child, arguments, BRIEF), feed);
        Ok(output?.stdout)
    }
}

/// Waits for the end, which must be a good one.
pub(super) async fn end(
    mut child: Child,
    arguments: &[&str],
    limit: Duration,
) -> Result<Output, GitError> {
    let what = || (*arguments.first().unwrap_or(&"")).to_owned();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let whole = async {
        let out = async {
            match out {
                Some(out) => out.take(MOST + 1).read_to_end(&mut stdout).await.map(drop),
                None => Ok(()),
            }
        };
        let (read, _) = tokio::join!(out, said(err, &mut stderr));
        read?;
        if stdout.len() as u64 > MOST {
            child.start_kill().ok();
        }
        child.wait().await
    };
    let status = timeout(limit, whole)
        .await
        .map_err(|_| GitError::Slow { what: what(), after: limit })?
        .map_err(GitError::io("git cannot be read"))?;
    if stdout.len() as u64 > MOST {
        return Err(GitError::TooMuch { what: what() });
    }
    if !status.success() {
        return Err(GitError::Failed { what: what(), said: last_line(&stderr) });
    }
    Ok(Output { status, stdout, stderr })
}

/// Reads all of what it complains about and keeps the beginning.
async fn said(from: Option<impl AsyncReadExt + Unpin>, into: &mut Vec<u8>) -> io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    (&mut from).take(SAID).read_to_end(into).await?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await.map(drop)
}

/// What git says at the end is why it ended.
pub(super) fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let line = line.unwrap_or("it did not say why");
    let line =
        line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")).unwrap_or(line);
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// All that git finds in its environment. The folders are those of every Linux; a `PATH` that somebody
/// started the daemon with is of no interest.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("HOME", "/nonexistent"),
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
];

/// Settings that a repository's own file cannot undo.
const SETTINGS: &[&str] = &[
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.fsync=all",
    "-c",
    "core.logAllRefUpdates=false",
    "-c",
    "core.bigFileThreshold=32m",
    "-c",
    "gc.auto=0",
    "-c",
    "gc.autoDetach=false",
    "-c",
    "protocol.allow=never",
    "-c",
    "tar.umask=022",
    "-c",
    "transfer.hideRefs=refs/paas",
    "-c",
    "pack.threads=1",
];

/// What git may allocate; packs are mapped and not counted.
const MEMORY: u64 = 1 << 30;
/// How much time of a processor it may use.
const SECONDS: u64 = 900;
/// For a command that asks or changes something small.
const BRIEF: Duration = Duration::from_mins(2);
/// What is looked at of an answer: the names of 200 000 files.
const MOST: u64 = 64 << 20;
/// What is kept of its complaints.
const SAID: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_why() {
        assert_eq!(last_line(b"warning: x\nfatal: no\x1b[31m\n\n"), "no[31m");
        assert_eq!(last_line(b""), "it did not say why");
    }

    #[tokio::test]
    async fn a_repository_of_ours_runs_no_hook_and_knows_no_configuration() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("r");
        let tool = Tool::at(&repository);
        tool.run(&["init", "--quiet", "--bare", "--template="]).await.unwrap();
        let (hooks, ran) = (repository.join("hooks"), folder.path().join("ran"));
        std::fs::create_dir(&hooks).unwrap();
        let hook = hooks.join("reference-transaction");
        std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
        let tree = tool.run_with(&["mktree"], b"").await.unwrap();
        let tree = String::from_utf8(tree).unwrap();
        tool.run(&["update-ref", "refs/tags/tree", tree.trim()]).await.unwrap();
        assert!(!ran.exists(), "a hook ran");
        let shown = tool.run(&["config", "--list"]).await.unwrap();
        assert!(!String::from_utf8(shown).unwrap().contains("user."));
        let wrong = tool.run(&["rev-parse", "--verify", "nothing"]).await.unwrap_err();
        assert!(matches!(wrong, GitError::Failed { .. }), "{wrong}");
    }
}

//! The programs that know the kernel's packet filter, run with a list of arguments and a text to read.
//!
//! `iptables` may be the old one or the one upon nftables: each machine has chosen, and Docker goes by
//! the same name.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};

/// Why a wall could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WallError {
    /// The program is not there.
    #[error("there is no `{program}`; hint: install it with `apt-get install iptables`")]
    Missing {
        /// Which.
        program: &'static str,
    },
    /// It would not, or may not.
    #[error("`{program}` refused: {said}")]
    Refused {
        /// Which.
        program: &'static str,
        /// Its own words.
        said: String,
    },
    /// It did not end.
    #[error("`{program}` did not end within {after:?}")]
    Slow {
        /// Which.
        program: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// It could not be talked to.
    #[error("`{program}` cannot be run")]
    Io {
        /// Which.
        program: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Runs a program to its end and returns what it printed.
pub(super) async fn run(
    program: &'static str,
    arguments: &[&str],
    input: &str,
) -> Result<String, WallError> {
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => WallError::Missing { program },
        _ => WallError::Io { program, source },
    };
    let talking = talk(child.map_err(failed)?, input);
    let slow = |_| WallError::Slow { program, after: PATIENCE };
    let (status, printed, said) =
        timeout(PATIENCE, talking).await.map_err(slow)?.map_err(failed)?;
    if !status.success() {
        return Err(WallError::Refused { program, said: first_line(&said) });
    }
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// Gives it its text and waits for its end: how that was, what it printed and what it complained of.
async fn talk(mut child: Child, input: &str) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // It may end before it has read everything; its exit code says why.
            stdin.write_all(input.as_bytes()).await.ok();
        }
    };
    let ((), printed, said) = tokio::join!(feed, whole(stdout), whole(stderr));
    Ok((child.wait().await?, printed?, said?))
}

/// All of it, if it is not too much.
async fn whole(from: Option<impl AsyncReadExt + Unpin>) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    if let Some(from) = from {
        from.take(MOST + 1).read_to_end(&mut read).await?;
    }
    if read.len() as u64 > MOST {
        return Err(io::Error::other(format!("it prints more than {MOST} bytes")));
    }
    Ok(read)
}

/// The first line says why; the others are the program's advice to a person at a terminal, and those
/// that begin with `#` are about what else there is.
fn first_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let line = line.unwrap_or("it did not say why");
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// These programs are where a plain user's `PATH` does not look.
const ENVIRONMENT: &[(&str, &str)] =
    &[("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C")];

/// Longer than they wait for each other.
const PATIENCE: Duration = Duration::from_secs(15);
/// A machine with a hundred thousand rules prints a tenth of this.
const MOST: u64 = 128 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_why_and_not_what_else_there_is() {
        let said = b"# Warning: iptables-legacy tables present\nNo chain by that name.\nTry -h\n";
        assert_eq!(first_line(said), "No chain by that name.");
        assert_eq!(first_line(b"\n"), "it did not say why");
    }

    #[tokio::test]
    async fn what_is_printed_comes_back_and_what_goes_wrong_is_told() {
        assert_eq!(run("cat", &[], "one\ntwo\n").await.unwrap(), "one\ntwo\n");
        let missing = run("no-such-program", &[], "").await.unwrap_err().to_string();
        assert!(missing.contains("`no-such-program`") && missing.contains("apt-get"), "{missing}");
        let refused = run("cat", &["/nonexistent"], "").await.unwrap_err().to_string();
        assert!(refused.starts_with("`cat` refused: cat: /nonexistent: No such"), "{refused}");
    }
}

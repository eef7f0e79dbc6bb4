//! How buildpacks get runtimes: they ask the daemon, which downloads, verifies and unpacks.
//!
//! One connection for one request: a JSON line there, a JSON line back. The answer's path lies
//! below `/toolchains`, a read-only mount. Invariant: a build downloads no program of its own, so
//! that nothing a build does can change what another one runs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The variable with the socket's path.
pub const SOCKET_VARIABLE: &str = "PAAS_TOOLCHAINS";

/// The longest request or reply, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// How long a reply may take: a cold download of a large runtime over a slow line.
const PATIENCE: Duration = Duration::from_mins(10);

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `node`, `npm`, `yarn`, `pnpm`, `bun`, `deno`, `jdk`, `jre`, `uv`, `python`, `ruby`, `go` or `rust`.
    pub toolchain: String,
    /// The versions that will do, by `scheme`; empty means the daemon's choice.
    pub range: String,
    /// How `range` is to be read.
    pub scheme: Scheme,
}

/// How a range is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// One version, whole.
    Exact,
    /// npm's ranges, such as `^20 || 22.x`.
    Npm,
    /// Python's version specifiers, such as `>=3.11,<3.13`; a bare `3.12` is the newest 3.12.
    Pep440,
    /// This version or a newer one, as the `go` line of go.mod means it; the newest is taken.
    Minimum,
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// The runtime is unpacked.
    Found(Toolchain),
    /// There is none.
    Refused(Refusal),
}

/// A runtime on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toolchain {
    /// The version that was chosen.
    pub version: String,
    /// Its folder, such as `/toolchains/node-20.20.2`.
    pub path: PathBuf,
}

/// Why there is no such runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What failed.
    pub error: String,
    /// Because of what.
    #[serde(default)]
    pub because: String,
    /// Versions close to what was asked for.
    #[serde(default)]
    pub nearest: Vec<String>,
    /// What to do.
    #[serde(default)]
    pub hint: Option<String>,
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolchainError {
    #[error("the daemon gives no runtimes to this build: {SOCKET_VARIABLE} is not set")]
    NoSocket,
    #[error("the daemon does not answer requests for runtimes")]
    Connection(#[from] io::Error),
    #[error("the daemon's answer about the runtime makes no sense")]
    Syntax(#[from] serde_json::Error),
    #[error("{}: {}", .0.error, .0.because)]
    Refused(Refusal),
}

/// Asks the daemon at `socket`.
pub(crate) fn ask(socket: &Path, request: &Request) -> Result<Toolchain, ToolchainError> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    line.clear();
    BufReader::new(stream).take(MAX_MESSAGE as u64).read_until(b'\n', &mut line)?;
    match serde_json::from_slice(&line)? {
        Reply::Found(toolchain) => Ok(toolchain),
        Reply::Refused(refusal) => Err(ToolchainError::Refused(refusal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_is_as_agreed() {
        let request =
            Request { toolchain: "node".into(), range: "^20".into(), scheme: Scheme::Npm };
        let text = r#"{"toolchain":"node","range":"^20","scheme":"npm"}"#;
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
        let found = r#"{"version":"20.20.2","path":"/toolchains/node-20.20.2"}"#;
        assert!(matches!(serde_json::from_str(found).unwrap(), Reply::Found(_)));
        let refused = r#"{"error":"no node 99","because":"too new","nearest":["26.10.0"],"hint":"ask for 26"}"#;
        assert!(matches!(serde_json::from_str(refused).unwrap(), Reply::Refused(_)));
    }
}

//! Why a Dockerfile gave no image: Docker's words, sorted by what a person can do about them.

use std::io;

use crate::model::ByteSize;

/// Why a Dockerfile gave no image.
#[derive(Debug, thiserror::Error)]
pub enum DockerfileError {
    /// It is not where it was said to be, or not a file.
    #[error("cannot read the Dockerfile {path}")]
    Read {
        /// Its path in the app's folder.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An image that it begins with cannot be had.
    #[error(
        "the image of `{step}` is not in this server's Docker, and cannot be pulled: {message}"
    )]
    Base {
        /// The instruction.
        step: String,
        /// Docker's words.
        message: String,
    },
    /// It uses what only BuildKit can do.
    #[error("`{step}` needs BuildKit, which paas does not use: {message}")]
    BuildKit {
        /// The instruction.
        step: String,
        /// Docker's words.
        message: String,
    },
    /// A step was killed, which nearly always is the memory.
    #[error("`{step}` was killed, most likely for its memory (limit {limit}){}", quoted(tail))]
    Killed {
        /// The instruction.
        step: String,
        /// What it was allowed.
        limit: ByteSize,
        /// Its last lines.
        tail: String,
    },
    /// A step could start no more processes.
    #[error("`{step}` ran out of processes and threads (limit {limit}){}", quoted(tail))]
    Processes {
        /// The instruction.
        step: String,
        /// What it was allowed.
        limit: u32,
        /// Its last lines.
        tail: String,
    },
    /// A step failed.
    #[error("`{step}` failed: {message}{}", quoted(tail))]
    Step {
        /// The instruction.
        step: String,
        /// Docker's words.
        message: String,
        /// Its last lines.
        tail: String,
    },
    /// Docker does not understand it.
    #[error("the Dockerfile is wrong: {message}")]
    Wrong {
        /// Docker's words.
        message: String,
    },
}

/// What Docker said of a step, or of the whole if there was none yet.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) message: String,
    pub(super) step: String,
    pub(super) tail: String,
}

impl Failed {
    fn ended_with(&self, code: u8) -> bool {
        self.message.ends_with(&format!("{CODE}{code}"))
    }

    /// As the kernel says it to whoever writes more into a file than a build may.
    pub(super) fn wrote_too_large_a_file(&self) -> bool {
        let says = self.tail.contains("File size limit exceeded");
        self.ended_with(SIGNALLED + SIGXFSZ) || says || self.tail.contains("File too large")
    }

    /// As programs report that the kernel refused them another process.
    fn could_not_fork(&self) -> bool {
        let refused = self.tail.contains("Resource temporarily unavailable");
        refused && ["fork", "clone", "thread"].iter().any(|call| self.tail.contains(call))
    }
}

/// Whether an instruction begins a stage.
pub(super) fn is_from(step: &str) -> bool {
    step.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("FROM"))
}

impl DockerfileError {
    /// Sorts it.
    pub(super) fn of(failed: Failed, memory: ByteSize, pids: u32) -> Self {
        let (killed, flooded) = (failed.ended_with(SIGNALLED + SIGKILL), failed.could_not_fork());
        let Failed { message, step, tail } = failed;
        if message.contains("BuildKit") {
            Self::BuildKit { step, message }
        } else if step.is_empty() {
            Self::Wrong { message }
        } else if is_from(&step) {
            Self::Base { step, message }
        } else if flooded {
            Self::Processes { step, limit: pids, tail }
        } else if killed {
            Self::Killed { step, limit: memory, tail }
        } else {
            let message = match message.rsplit_once(CODE) {
                Some((_, code)) => format!("its command ended with code {code}"),
                None => message,
            };
            Self::Step { step, message, tail }
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Read { .. } => {
                "name the file as it stands in the folder: `paas deploy --dockerfile docker/Dockerfile`"
                    .to_owned()
            }
            Self::Base { step, .. } => {
                let image = step.split_whitespace().nth(1).unwrap_or("IMAGE");
                format!("make this work on the server: `docker pull {image}`")
            }
            Self::BuildKit { .. } => {
                "write the step without `--mount`, `<<` and the like, or build elsewhere and \
                 `paas deploy --image NAME`"
                    .to_owned()
            }
            Self::Killed { limit, .. } => {
                let twice = limit.0.saturating_mul(2) >> 20;
                format!("allow more in paas.toml: [build] memory = \"{twice}m\"")
            }
            Self::Processes { limit, .. } => {
                let twice = limit.saturating_mul(2);
                format!("allow more in paas.toml: [build] pids = {twice}")
            }
            Self::Step { .. } | Self::Wrong { .. } => {
                "try it on your own machine: `docker build .`; without the Dockerfile: `[build] \
                 builder = \"buildpacks\"` in paas.toml"
                    .to_owned()
            }
        }
    }
}

fn quoted(tail: &str) -> String {
    if tail.is_empty() { String::new() } else { format!("; its last output was:\n{tail}") }
}

/// Before the code of a step's command.
const CODE: &str = " returned a non-zero code: ";
/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: u8 = 128;
const SIGKILL: u8 = 9;
const SIGXFSZ: u8 = 25;

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: &str, step: &str, tail: &str) -> Failed {
        let [message, step, tail] = [message, step, tail].map(str::to_owned);
        Failed { message, step, tail }
    }

    fn check(message: &str, step: &str, expected: &str) {
        check_last(message, step, "x", expected);
    }

    fn check_last(message: &str, step: &str, tail: &str, expected: &str) {
        let error = DockerfileError::of(failed(message, step, tail), ByteSize::mib(512), 64);
        let told = format!("{error} hint: {}", error.hint());
        assert!(told.contains(expected), "{told}");
    }

    #[test]
    fn dockers_words_are_sorted() {
        let code = "The command '/bin/sh -c a' returned a non-zero code: ";
        check(&format!("{code}3"), "RUN a", "`RUN a` failed: its command ended with code 3; its");
        check(
            &format!("{code}137"),
            "RUN a",
            "hint: allow more in paas.toml: [build] memory = \"1024m\"",
        );
        check(
            "pull access denied",
            "FROM a:1 AS b",
            "hint: make this work on the server: `docker pull a:1`",
        );
        check("the --mount option requires BuildKit", "RUN --mount=x", "needs BuildKit");
        let fork = "sh: can't fork: Resource temporarily unavailable";
        check_last(
            &format!("{code}2"),
            "RUN a",
            fork,
            "(limit 64); its last output was:\nsh: can't",
        );
        check_last(
            &format!("{code}2"),
            "RUN a",
            fork,
            "hint: allow more in paas.toml: [build] pids = 128",
        );
        check("unknown instruction: FOO", "", "the Dockerfile is wrong: unknown instruction: FOO");
    }

    #[test]
    fn a_file_as_large_as_all_may_be_is_told_from_other_failures() {
        let code = |code: u8| format!("The command 'x' returned a non-zero code: {code}");
        assert!(failed(&code(153), "RUN a", "").wrote_too_large_a_file());
        assert!(failed(&code(1), "RUN a", "dd: a: File too large").wrote_too_large_a_file());
        assert!(!failed(&code(1), "RUN a", "no such file").wrote_too_large_a_file());
    }
}

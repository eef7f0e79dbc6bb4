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

impl DockerfileError {
    /// Sorts what Docker said of a step, or of the whole if there was none yet.
    pub(super) fn of(message: String, step: String, tail: String, limit: ByteSize) -> Self {
        if message.contains("BuildKit") {
            Self::BuildKit { step, message }
        } else if step.is_empty() {
            Self::Wrong { message }
        } else if step.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("FROM")) {
            Self::Base { step, message }
        } else if message.ends_with("returned a non-zero code: 137") {
            Self::Killed { step, limit, tail }
        } else {
            let message = match message.rsplit_once(" returned a non-zero code: ") {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, step: &str, expected: &str) {
        let limit = ByteSize::mib(512);
        let error = DockerfileError::of(message.to_owned(), step.to_owned(), "x".into(), limit);
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
        check("unknown instruction: FOO", "", "the Dockerfile is wrong: unknown instruction: FOO");
    }
}

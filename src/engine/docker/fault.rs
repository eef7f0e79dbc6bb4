//! What bollard's errors mean in the house's words. It decides nothing beyond the kind of fault.

use bollard::errors::Error;

use crate::engine::EngineError;

/// The house's error for an error of a call; `Unreachable` names `subject` as the socket until the
/// connection, which knows better, replaces it.
pub(super) fn explain(error: Error, operation: &'static str, subject: &str) -> EngineError {
    let refused = |status, message| refusal(operation, subject, status, message);
    match error {
        Error::DockerResponseServerError { status_code, message } => refused(status_code, message),
        Error::DockerStreamError { error } | Error::DockerContainerWaitError { error, .. } => {
            refused(0, error)
        }
        Error::IOError { .. }
        | Error::HyperResponseError { .. }
        | Error::HyperLegacyError { .. }
        | Error::SocketNotFoundError(_) => {
            EngineError::Unreachable { socket: subject.to_owned(), source: Box::new(error) }
        }
        other => refused(0, other.to_string()),
    }
}

/// A refusal, unless its words say that the disk is full: Docker reports that as any other failure.
pub(super) fn refusal(
    operation: &'static str,
    subject: &str,
    status: u16,
    message: String,
) -> EngineError {
    if message.contains("no space left on device") {
        EngineError::DiskFull { operation }
    } else {
        EngineError::Refused { operation, subject: subject.to_owned(), status, message }
    }
}

/// A refusal of our own, in the same form as the engine's.
pub(super) fn refuse(operation: &'static str, subject: &str, message: String) -> EngineError {
    EngineError::Refused { operation, subject: subject.to_owned(), status: 0, message }
}

/// The HTTP status with which it was refused, if it was.
pub(super) fn status(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::Refused { status, .. } => Some(*status),
        EngineError::Unreachable { .. }
        | EngineError::Timeout { .. }
        | EngineError::DiskFull { .. } => None,
    }
}

/// Takes a refusal with one of these statuses as success: it says that all is as it should be.
pub(super) fn accept(result: Result<(), EngineError>, statuses: &[u16]) -> Result<(), EngineError> {
    match result {
        Err(error) if status(&error).is_some_and(|status| statuses.contains(&status)) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_refusals() {
        let full = Error::DockerResponseServerError {
            status_code: 500,
            message: "write /var/lib/docker/tmp/x: no space left on device".to_owned(),
        };
        assert!(matches!(explain(full, "load", "x"), EngineError::DiskFull { operation: "load" }));
        let in_stream = Error::DockerStreamError { error: "no space left on device".to_owned() };
        assert!(matches!(explain(in_stream, "load", "x"), EngineError::DiskFull { .. }));
    }

    #[test]
    fn only_the_named_statuses_are_fine() {
        let refused = |status| {
            Err(EngineError::Refused {
                operation: "rm",
                subject: "x".to_owned(),
                status,
                message: String::new(),
            })
        };
        assert!(accept(refused(404), &[404]).is_ok());
        assert!(accept(refused(500), &[404]).is_err());
    }
}

//! A whole answer: its text, to be read as what the contract says or to be printed as it is.

use api::{Fault, FaultCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use serde::de::DeserializeOwned;

use super::{Client, Reply};
use crate::failure::Failure;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Bytes,
}

impl Answer {
    /// As text; what is not UTF-8 is replaced, for a build may write anything.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// As what the contract says.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|fault| {
            Failure::local("the server's answer is not understood")
                .because(fault)
                .hint("compare `paas --version` with the version that `paas status` shows")
        })
    }

    /// Reads an answer to its end, up to [`LARGEST`].
    pub(super) async fn read_all(reply: Reply, client: &Client) -> Result<Self, Failure> {
        let mut reply = Self::check(reply, client).await?;
        let body = Limited::new(reply.response.body_mut(), LARGEST).collect().await;
        let body = body.map_err(|fault| client.broken(fault.as_ref()))?.to_bytes();
        Ok(Self { body })
    }

    /// Turns an answer that says no into a failure.
    pub(super) async fn check(mut reply: Reply, client: &Client) -> Result<Reply, Failure> {
        let status = reply.response.status();
        if status.is_success() {
            return Ok(reply);
        }
        let body = Limited::new(reply.response.body_mut(), LARGEST_FAULT).collect().await;
        let body = body.map_err(|fault| client.broken(fault.as_ref()))?.to_bytes();
        let mut fault = serde_json::from_slice(&body).unwrap_or_else(|_| foreign(status));
        if fault.code == FaultCode::Unauthenticated && fault.hint.is_none() {
            fault.hint = Some(format!("log in again: `paas login {}`", client.server.address));
        }
        Err(Failure::Refused(Box::new(fault)))
    }
}

/// Something between us and the server answered, or it is no paas at all.
fn foreign(status: StatusCode) -> Fault {
    Fault {
        code: FaultCode::Unknown,
        message: format!("the server answered `{status}`, and not in the way that paas does"),
        hint: Some("check the address: `paas login URL`".to_owned()),
        request_id: String::new(),
    }
}

/// More than any list or build log that the server keeps.
const LARGEST: usize = 64 << 20;
const LARGEST_FAULT: usize = 64 << 10;

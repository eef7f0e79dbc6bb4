//! What a machine asks of a control that it wants to join. It is no command: the daemon joins, and only
//! borrows the line, which believes the pinned authority and nobody else.

use std::net::SocketAddr;

use hyper::Method;

use crate::{
    client::{Client, Fingerprint, route},
    failure::{Failure, Reason},
    target::{Address, HostPort, Server, Token},
};

/// Why a machine did not join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJoined {
    /// What failed, and because of what.
    pub why: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Where a control is, and what it is known by.
#[derive(Debug, Clone, Copy)]
pub struct Control<'a> {
    /// Where its API is, over TLS; they are tried in this order.
    pub api: &'a [SocketAddr],
    /// SHA-256 of the certificate of its authority.
    pub fingerprint: [u8; 32],
}

/// Asks the control, at the first of its addresses where it is found; `proof` says that one may.
pub async fn ask_to_join(
    control: Control<'_>,
    proof: &str,
    wish: &api::Join,
) -> Result<api::Joined, NotJoined> {
    let mut tried = Vec::new();
    for at in control.api {
        let address = Address::Https(HostPort { host: at.ip().to_string(), port: at.port() });
        let pin = Some(Fingerprint::from(control.fingerprint));
        let client =
            Client::new(Server { address, token: Token::new(proof), pin, others: Vec::new() });
        let answer = client.send(Method::POST, route::JOIN, wish).await;
        match answer.and_then(|answer| answer.read()) {
            Ok(joined) => return Ok(joined),
            Err(Failure::Unreachable(reason)) => tried.push(line(*reason)),
            Err(failure) => return Err(told(failure)),
        }
    }
    let why = format!("the control cannot be reached: {}", tried.join("; "));
    let hint = "check the firewall of the control, and that its address is right; `paas nodes token` \
                there prints a new token";
    Err(NotJoined { why, hint: Some(hint.to_owned()) })
}

fn told(failure: Failure) -> NotJoined {
    match failure {
        Failure::Refused(fault) => NotJoined { why: fault.message, hint: fault.hint },
        Failure::Usage(reason) | Failure::Local(reason) | Failure::Unreachable(reason) => {
            let hint = reason.hint.clone();
            NotJoined { why: line(*reason), hint }
        }
        silent @ (Failure::Unread | Failure::Ended(_) | Failure::Told) => {
            NotJoined { why: silent.to_string(), hint: None }
        }
    }
}

fn line(reason: Reason) -> String {
    match reason.because {
        Some(because) => format!("{}: {because}", reason.what),
        None => reason.what,
    }
}

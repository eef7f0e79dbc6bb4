//! Which server: `--context` → `PAAS_URL` → `PAAS_CONTEXT` → the current context → the daemon on
//! this machine.
//!
//! The last needs no login: whoever may open the daemon's socket file is its administrator.

use std::path::PathBuf;

use rustix::fs::{Access, access};

use super::{Address, Context, Contexts, Token};
use crate::{client::Fingerprint, environment::Environment, failure::Failure};

/// A server and how to talk to it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Where its API is.
    pub(crate) address: Address,
    /// What proves who asks.
    pub(crate) token: Option<Token>,
    /// Its certificate authority.
    pub(crate) pin: Option<Fingerprint>,
}

/// The server that the option, the environment or the contexts tell.
pub(crate) fn server(option: Option<&str>, environment: &Environment) -> Result<Server, Failure> {
    let found = match (option, &environment.url, &environment.context) {
        (None, Some(url), _) => {
            Context { url: url.clone(), token: None, fingerprint: environment.fingerprint.clone() }
        }
        (Some(name), _, _) => named(name, &Contexts::load(environment)?)?,
        (None, None, Some(name)) => named(name, &Contexts::load(environment)?)?,
        (None, None, None) => {
            let contexts = Contexts::load(environment)?;
            match (&contexts.current, local_socket(environment)) {
                (Some(name), _) => named(name, &contexts)?,
                (None, Some(socket)) => Context {
                    url: format!("unix:{}", socket.display()),
                    token: None,
                    fingerprint: None,
                },
                (None, None) => return Err(nowhere(environment)),
            }
        }
    };
    connection(found, environment)
}

fn connection(context: Context, environment: &Environment) -> Result<Server, Failure> {
    let unclear = |why: String| {
        Failure::local(format!("`{}` is not a server to talk to", context.url))
            .because(why)
            .hint("log in again: `paas login URL`")
    };
    let address = context.url.parse().map_err(|fault| unclear(format!("{fault}")))?;
    let pin = match &context.fingerprint {
        Some(text) => Some(text.parse().map_err(|fault| unclear(format!("{fault}")))?),
        None => None,
    };
    let token = environment.token.as_deref().and_then(Token::new).or(context.token);
    Ok(Server { address, token, pin })
}

fn named(name: &str, contexts: &Contexts) -> Result<Context, Failure> {
    contexts.known.get(name).cloned().ok_or_else(|| {
        let known: Vec<_> = contexts.known.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Failure::local(format!("there is no context `{name}`"))
            .because(format!("known are: {known}"))
            .hint(format!("`paas login URL --context {name}` makes it"))
    })
}

/// The socket file of the daemon on this machine, if this user may use it.
fn local_socket(environment: &Environment) -> Option<PathBuf> {
    let socket = environment.data.join("api.sock");
    access(&socket, Access::WRITE_OK).is_ok().then_some(socket)
}

fn nowhere(environment: &Environment) -> Failure {
    let socket = environment.data.join("api.sock");
    let failure = Failure::local("no server is known");
    if access(&socket, Access::EXISTS).is_ok() {
        return failure
            .because(format!("{} is not open to this user", socket.display()))
            .hint("run the command with sudo, or log in: `paas login URL --token TOKEN`");
    }
    failure
        .because("nobody has logged in here, and no daemon runs on this machine")
        .hint("`paas login https://HOST:PORT`, or `sudo paas init` to make this machine a server")
}

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
    /// Where else to ask if it is not reached.
    pub(crate) others: Vec<Address>,
}

impl Server {
    /// The same server at another address, of which no others are known.
    pub(crate) fn at(&self, address: Address) -> Self {
        Self { address, token: self.token.clone(), pin: self.pin, others: Vec::new() }
    }
}

/// The server that the option, the environment or the contexts tell.
pub(crate) fn server(option: Option<&str>, environment: &Environment) -> Result<Server, Failure> {
    let found = match (option, &environment.url, &environment.context) {
        (None, Some(url), _) => {
            Context { fingerprint: environment.fingerprint.clone(), ..nobodys(url.clone()) }
        }
        (Some(name), _, _) => named(name, &Contexts::load(environment)?)?,
        (None, None, Some(name)) => named(name, &Contexts::load(environment)?)?,
        (None, None, None) => {
            let contexts = Contexts::load(environment)?;
            match (&contexts.current, local_socket(environment)) {
                (Some(name), _) => named(name, &contexts)?,
                (None, Some(socket)) => nobodys(format!("unix:{}", socket.display())),
                (None, None) => return Err(nowhere(environment)),
            }
        }
    };
    connection(found, environment)
}

/// A server that nobody has logged in to.
fn nobodys(url: String) -> Context {
    Context { url, token: None, fingerprint: None, others: Vec::new() }
}

/// The name of the context that is meant, if one is.
pub(crate) fn context<'a>(
    option: Option<&'a str>,
    environment: &'a Environment,
    contexts: &'a Contexts,
) -> Option<&'a str> {
    match (option, &environment.url, &environment.context) {
        (None, Some(_), _) => None,
        (Some(name), _, _) => Some(name),
        (None, None, Some(name)) => Some(name),
        (None, None, None) => contexts.current.as_deref(),
    }
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
    let others = context.others.iter().filter_map(|url| url.parse().ok());
    let others = others.filter(|other| matches!(other, Address::Https(_))).collect();
    Ok(Server { address, token, pin, others })
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

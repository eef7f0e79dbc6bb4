//! `paas login`.

use std::io::Read;

use clap::Args;

use crate::{
    client::{Answer, Client, Fingerprint, presented, route},
    failure::Failure,
    session::Session,
    target::{Address, Context, Contexts, Server, Token},
};

/// Log in to a server and remember it
///
/// The address is `https://HOST:PORT`, or on the server itself `unix:/var/lib/paas/api.sock` or
/// `http://127.0.0.1:PORT`. A server's TLS authority is its own: its fingerprint, which `paas
/// init` shows, is remembered and checked from then on.
#[derive(Debug, Clone, Args)]
pub(crate) struct Login {
    /// The server's address
    #[arg(value_name = "URL")]
    address: Address,
    /// The token; `-` reads it from the input; without it you are asked [env: `PAAS_TOKEN`]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The fingerprint of the server's authority, as `paas init` shows it [env:
    /// `PAAS_FINGERPRINT`]
    #[arg(long, value_name = "sha256:HEX")]
    fingerprint: Option<Fingerprint>,
}

impl Login {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let pin = self.trust(session).await?;
        let token = self.prove(session)?;
        let (address, others) = (self.address.clone(), Vec::new());
        let server = Server { address, token: token.clone(), pin, others };
        let answer = Client::new(server).get(route::SERVER).await?;
        let server: api::Server = Answer::read(&answer)?;
        let name = session
            .shared
            .context
            .clone()
            .unwrap_or_else(|| self.address.suggested_name().to_owned());
        let mut contexts = Contexts::load(&session.environment)?;
        let mut context = Context {
            url: self.address.to_string(),
            token,
            fingerprint: pin.map(|pin| pin.to_string()),
            others: Vec::new(),
        };
        context.learn(&server.controls);
        contexts.known.insert(name.clone(), context);
        contexts.current = Some(name.clone());
        let file = contexts.save(&session.environment)?;
        let ui = &session.ui;
        ui.talk(&format!("Logged in to {} as {}.", server.node, server.user));
        ui.talk(&format!("It is the context `{name}` in {}.", file.display()));
        if session.environment.url.is_some() || session.environment.context.is_some() {
            ui.warn("PAAS_URL or PAAS_CONTEXT is set and goes before this login");
        }
        Ok(())
    }

    /// The fingerprint that was given, or the one that is presented and that a person accepts.
    async fn trust(&self, session: &Session) -> Result<Option<Fingerprint>, Failure> {
        if !matches!(self.address, Address::Https(_)) {
            return Ok(None);
        }
        if let Some(pin) = self.fingerprint {
            return Ok(Some(pin));
        }
        if let Some(text) = &session.environment.fingerprint {
            return text
                .parse()
                .map(Some)
                .map_err(|fault| Failure::usage("PAAS_FINGERPRINT cannot be used").because(fault));
        }
        let Some(found) = presented(&self.address).await? else { return Ok(None) };
        let ui = &session.ui;
        if !ui.can_ask() {
            return Err(Failure::local(format!("{} cannot be trusted yet", self.address))
                .because(format!("nobody confirmed its fingerprint, {found}"))
                .hint(format!(
                    "compare it with what `paas init` showed, then: `paas login {} --fingerprint \
                     {found}`",
                    self.address
                )));
        }
        ui.talk(&format!("The server at {} shows the fingerprint", self.address));
        ui.talk(&format!("  {found}"));
        ui.talk("`paas init` showed the same one, if nobody is in between.");
        let asked = ui.confirm("Is it the same?");
        if asked.map_err(|error| Failure::local("cannot ask").because(error))? {
            return Ok(Some(found));
        }
        Err(Failure::local("not logged in").because("the fingerprint is another one"))
    }

    fn prove(&self, session: &Session) -> Result<Option<Token>, Failure> {
        let unread = |error| Failure::local("cannot read the token").because(error);
        let text = match self.token.as_deref().or(session.environment.token.as_deref()) {
            Some("-") => {
                let mut text = String::new();
                std::io::stdin().take(4096).read_to_string(&mut text).map_err(unread)?;
                text
            }
            Some(text) => text.to_owned(),
            None if matches!(self.address, Address::Unix(_)) => return Ok(None),
            None if session.ui.can_ask() => session.ui.secret("Token").map_err(unread)?,
            None => {
                return Err(Failure::usage("a token is needed").hint(format!(
                    "`paas login {} --token -` reads it from the input",
                    self.address
                )));
            }
        };
        let refused =
            || Failure::usage("that is not a token").hint("`paas init` shows one on the server");
        Token::new(&text).map(Some).ok_or_else(refused)
    }
}

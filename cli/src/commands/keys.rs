//! `paas keys`.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hyper::Method;

use crate::{
    args::Format, client::route, environment::Environment, failure::Failure, remote::known_hosts,
    session::Session, ui::Table,
};

/// List, add and remove the SSH keys that `git push` is allowed with
///
/// Whoever has one of them may deploy: what is done with a key, whoever added it does.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Keys {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Subcommand)]
enum Verb {
    /// List all keys
    List(Format),
    /// Allow pushes with a key
    Add {
        /// The public half, `-` for standard input [default: that of `~/.ssh`]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// What to call it [default: what its comment says]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Allow pushes with a key no more
    Remove {
        /// Its name, or its fingerprint
        #[arg(value_name = "NAME")]
        key: String,
    },
    /// Print the server's own key as a line of `known_hosts`
    Host(Format),
}

impl Keys {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.verb {
            None => list(session, &self.format).await,
            Some(Verb::List(format)) => list(session, &format).await,
            Some(Verb::Add { file, name }) => add(session, file.as_deref(), name).await,
            Some(Verb::Remove { key }) => remove(session, key).await,
            Some(Verb::Host(format)) => host(session, &format).await,
        }
    }
}

async fn list(session: &Session, format: &Format) -> Result<(), Failure> {
    let answer = session.client()?.get(route::KEYS).await?;
    if format.json {
        return session.ui.json(&answer.text());
    }
    let known: api::Keys = answer.read()?;
    if known.keys.is_empty() {
        session.ui.talk("No key is allowed to push yet: `paas keys add` adds yours.");
        return Ok(());
    }
    let mut table = Table::new(["NAME", "KIND", "FINGERPRINT", "ADDED", "BY"]);
    for key in known.keys {
        table.row([key.name, key.kind, key.fingerprint, key.added_at, key.by]);
    }
    session.ui.table(&table)
}

async fn add(session: &Session, file: Option<&Path>, name: Option<String>) -> Result<(), Failure> {
    let text = text(file, &session.environment)?;
    let body = api::AddKey { key: text, name };
    let answer = session.client()?.send(Method::POST, route::KEYS, &body).await?;
    let key: api::Key = answer.read()?;
    session.ui.talk(&format!("Pushes with {} are allowed: {}", key.name, key.fingerprint));
    session.ui.hint("`paas git remote --ssh` has git push over SSH");
    Ok(())
}

async fn remove(session: &Session, key: String) -> Result<(), Failure> {
    let path = route::query(route::KEYS.to_owned(), &[("key", Some(key))]);
    let gone: api::Key = session.client()?.act(Method::DELETE, &path).await?.read()?;
    session
        .ui
        .talk(&format!("Pushes with {} are allowed no more: {}", gone.name, gone.fingerprint));
    Ok(())
}

async fn host(session: &Session, format: &Format) -> Result<(), Failure> {
    let client = session.client()?;
    let known: api::Keys = client.get(route::KEYS).await?.read()?;
    let host = known.host.ok_or_else(no_server)?;
    if format.json {
        let text = serde_json::to_string(&host)
            .map_err(|error| Failure::local("the answer cannot be shown").because(error))?;
        return session.ui.json(&text);
    }
    session.ui.data(&known_hosts::line(&client.server().address, &host))
}

/// There is no SSH to speak.
pub(crate) fn no_server() -> Failure {
    Failure::local("this server takes no pushes over SSH")
        .hint("set `ssh = \"0.0.0.0:2222\"` in its config.toml and restart it")
}

/// The text of a public key: of that file, or of the first that there is where `ssh` keeps its own.
fn text(file: Option<&Path>, environment: &Environment) -> Result<String, Failure> {
    let mut text = String::new();
    let file = match file {
        Some(file) if file == Path::new("-") => {
            let read = io::stdin().take(MOST).read_to_string(&mut text);
            read.map_err(|error| Failure::local("standard input cannot be read").because(error))?;
            return Ok(text);
        }
        Some(file) => environment.at(file),
        None => usual(environment)?,
    };
    let read = fs::File::open(&file).and_then(|open| open.take(MOST).read_to_string(&mut text));
    read.map_err(|error| Failure::local(format!("cannot read {}", file.display())).because(error))?;
    Ok(text)
}

fn usual(environment: &Environment) -> Result<PathBuf, Failure> {
    let folder = environment.home.as_ref().map(|home| home.join(".ssh"));
    let files = folder.iter().flat_map(|folder| USUAL.iter().map(|name| folder.join(name)));
    files.into_iter().find(|file| file.exists()).ok_or_else(|| {
        Failure::usage("which key?")
            .because("there is none in ~/.ssh")
            .hint("`ssh-keygen -t ed25519` makes one; or name its file: `paas keys add FILE.pub`")
    })
}

/// What `ssh-keygen` calls public keys, the best first.
const USUAL: &[&str] =
    &["id_ed25519.pub", "id_ed25519_sk.pub", "id_ecdsa.pub", "id_ecdsa_sk.pub", "id_rsa.pub"];
/// What is read of a file that may be none of the kind, in bytes.
const MOST: u64 = 64 << 10;

//! Git's way to the server: the remote `paas` of a repository, with whom to believe and where the token
//! is asked for, so that `git push paas main` just works.
//!
//! Everything is written by git into the repository's own configuration. The token is not: git asks
//! for it (`paas git credential`), and it stays where `paas login` put it.

pub(crate) mod known_hosts;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    client::{INTERNAL, authority, route},
    commands::keys::no_server,
    environment::Environment,
    failure::Failure,
    session::Session,
    target::{self, Address, AppName, Contexts, HostPort, Server, Token},
};

/// The remote, where there is a repository; a launch does not fail for want of one.
pub(crate) async fn offer(session: &Session, folder: &Path, app: &AppName) {
    if target::repository(folder).is_none() {
        return;
    }
    match set(session, folder, app).await {
        Ok(()) => {}
        Err(Failure::Usage(reason) | Failure::Local(reason)) => {
            session.ui.detail(&format!("no git remote was set: {}", reason.what));
        }
        Err(_) => session.ui.detail("no git remote was set; `paas git remote` tells why"),
    }
}

/// Sets the remote `paas` of the repository that holds `folder`.
pub(crate) async fn set(session: &Session, folder: &Path, app: &AppName) -> Result<(), Failure> {
    let root = repository(folder)?;
    let way = Way::to(session.client()?.server(), &session.environment).await?;
    let url = format!("{}/git/{app}.git", way.base);
    set_url(&root, &url)?;
    for (name, value) in &way.http {
        set_value(&root, &format!("http.{}/.{name}", way.base), value)?;
    }
    let helper = format!("credential.{}.helper", way.base);
    // The empty one ends the list of those that others have configured: they would keep the token.
    set_value(&root, &helper, "")?;
    git(&root, &["config", "--local", "--add", &helper, &way.helper]).map(drop)?;
    session.ui.talk(&format!("Set the git remote paas to {url}; `git push paas` deploys."));
    if let (Some(file), false) = (&session.environment.git_authority, way.http.is_empty()) {
        session
            .ui
            .warn(&format!("GIT_SSL_CAINFO is {file}, and git believes it before the remote"));
        session.ui.hint("`env -u GIT_SSL_CAINFO git push paas`");
    }
    Ok(())
}

/// Whether the server is added to those that `ssh` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It is.
    Add,
    /// It is only said how.
    Tell,
}

/// The same over SSH, where git presents a key of the user's.
pub(crate) async fn set_ssh(
    session: &Session,
    folder: &Path,
    app: &AppName,
    trust: Trust,
) -> Result<(), Failure> {
    let root = repository(folder)?;
    let client = session.client()?;
    let known: api::Keys = client.get(route::KEYS).await?.read()?;
    let host = known.host.ok_or_else(no_server)?;
    let address = &client.server().address;
    let at = HostPort { host: known_hosts::name(address).to_owned(), port: host.port };
    let url = format!("ssh://git@{at}/{app}.git");
    set_url(&root, &url)?;
    session.ui.talk(&format!("Set the git remote paas to {url}; `git push paas` deploys."));
    if known.keys.is_empty() {
        session.ui.hint("no key is allowed to push yet: `paas keys add` adds yours");
    }
    let line = known_hosts::line(address, &host);
    if known_hosts::has(&session.environment, &line) {
        return Ok(());
    }
    match trust {
        Trust::Add => {
            let file = known_hosts::add(&session.environment, &line)?;
            session.ui.talk(&format!("Added {} to {}.", host.fingerprint, file.display()));
        }
        Trust::Tell => {
            session.ui.talk(&format!("ssh will ask whether {} is the server; it is:", at.host));
            session.ui.talk(&format!("{} ({})", host.fingerprint, kind(&host.key)));
            session.ui.hint("`paas git remote --ssh --trust` adds it to ~/.ssh/known_hosts");
        }
    }
    Ok(())
}

/// The kind of a key, as `ssh` says it: `ED25519`.
fn kind(key: &str) -> String {
    let kind = key.split(' ').next().unwrap_or_default();
    kind.strip_prefix("ssh-").unwrap_or(kind).to_ascii_uppercase()
}

fn repository(folder: &Path) -> Result<PathBuf, Failure> {
    target::repository(folder).ok_or_else(|| {
        Failure::usage(format!("{} is in no git repository", folder.display()))
            .hint("`git init` makes one")
    })
}

fn set_url(root: &Path, url: &str) -> Result<(), Failure> {
    set_value(root, "remote.paas.url", url)?;
    set_value(root, "remote.paas.fetch", "+refs/heads/*:refs/remotes/paas/*")
}

/// How git reaches a server.
struct Way {
    /// What addresses begin with.
    base: String,
    /// Settings of `http.<base>`.
    http: Vec<(&'static str, String)>,
    /// What git runs to be told the token.
    helper: String,
}

impl Way {
    async fn to(server: &Server, environment: &Environment) -> Result<Self, Failure> {
        let address = &server.address;
        let (base, http) = match address {
            Address::Unix(_) => {
                return Err(Failure::usage("git cannot push over a socket file").hint(
                    "log in over the network, `paas login https://HOST:PORT`; then `paas git remote`",
                ));
            }
            Address::Http(at) => (format!("http://{at}"), Vec::new()),
            Address::Https(at) => {
                let found = authority(address, at, server.pin).await?;
                let file = keep(&found.certificate, environment)?;
                let mut http = vec![("sslCAInfo", file.display().to_string())];
                if found.proves_name {
                    (format!("https://{at}"), http)
                } else {
                    // git insists on the name, and of this server's names the address is none.
                    http.push(("curloptResolve", resolved(at).await?));
                    (format!("https://{INTERNAL}:{}", at.port), http)
                }
            }
        };
        let program = std::env::current_exe()
            .map_err(|error| Failure::local("this program cannot be found").because(error))?;
        let program = quoted(&program.display().to_string());
        let helper = format!("!{program} git credential {}", quoted(&address.to_string()));
        Ok(Self { base, http, helper })
    }
}

/// The token of a server, which the environment or a login knows.
pub(crate) fn token(address: &str, environment: &Environment) -> Result<Token, Failure> {
    let told = environment.url.as_deref() == Some(address);
    let told = environment.token.as_deref().filter(|_| told).and_then(Token::new);
    let known = Contexts::load(environment)?.known.into_values();
    let login = || known.filter(|context| context.url == address).find_map(|context| context.token);
    told.or_else(login).ok_or_else(|| {
        Failure::local(format!("no token is known for {address}"))
            .hint(format!("`paas login {address}`"))
    })
}

/// Writes an authority's certificate to where git can read it.
fn keep(certificate: &[u8], environment: &Environment) -> Result<PathBuf, Failure> {
    use sha2::{Digest, Sha256};
    let folder = environment.config.as_ref().ok_or_else(|| {
        Failure::local("there is nowhere to keep the server's certificate")
            .because("neither HOME nor XDG_CONFIG_HOME is set")
    })?;
    let folder = folder.join("paas/authorities");
    let file = folder.join(format!("{}.pem", hex::encode(Sha256::digest(certificate))));
    let cannot = |error: io::Error| {
        Failure::local(format!("cannot write {}", file.display())).because(error)
    };
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let encoded = STANDARD.encode(certificate);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.extend([line, "\n"]);
        rest = after;
    }
    text += "-----END CERTIFICATE-----\n";
    fs::create_dir_all(&folder).map_err(cannot)?;
    let mut new = tempfile::NamedTempFile::new_in(&folder).map_err(cannot)?;
    new.write_all(text.as_bytes()).map_err(cannot)?;
    new.persist(&file).map_err(|fault| cannot(fault.error))?;
    Ok(file)
}

/// `NAME:PORT:ADDRESS`, by which curl takes a name for an address.
async fn resolved(at: &HostPort) -> Result<String, Failure> {
    let cannot =
        |why: String| Failure::unreachable(format!("{} is found nowhere", at.host)).because(why);
    let mut found = tokio::net::lookup_host((at.host.as_str(), at.port))
        .await
        .map_err(|error| cannot(error.to_string()))?;
    let ip = found.next().ok_or_else(|| cannot("the name has no address".to_owned()))?.ip();
    Ok(match ip {
        std::net::IpAddr::V4(ip) => format!("{INTERNAL}:{}:{ip}", at.port),
        std::net::IpAddr::V6(ip) => format!("{INTERNAL}:{}:[{ip}]", at.port),
    })
}

/// Gives a setting one value, in place of all that it had.
fn set_value(root: &Path, name: &str, value: &str) -> Result<(), Failure> {
    git(root, &["config", "--local", "--replace-all", name, value])
}

fn git(root: &Path, arguments: &[&str]) -> Result<(), Failure> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::local("git is not installed here"),
        _ => Failure::local("git cannot be run").because(error),
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::local(format!("git {} failed", arguments.first().unwrap_or(&"")))
        .because(String::from_utf8_lossy(&output.stderr).trim()))
}

/// One word for the shell that git runs a helper in.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

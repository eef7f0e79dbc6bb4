//! Serves a folder of files over HTTP/1.1: the process of static sites.
//!
//! Not a proxy: TLS, compression on the way and access logs belong to the edge in front of it. What
//! a site wants beyond its files stands in the files that other hosts read, too (`rules`). Invariant: validators come from the content. Files of an image all have
//! the same time, so `Last-Modified` would call a new deploy "not modified".

mod etag;
mod rules;
mod server;
mod site;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

pub use rules::{RuleError, Rules};
use site::{Missing, Site};

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StaticServerError {
    #[error("usage: paas static-server --root DIR [--spa]; `{0}` is not understood")]
    Usage(String),
    #[error("usage: paas static-server --root DIR [--spa]")]
    NoRoot,
    #[error(transparent)]
    Rules(#[from] RuleError),
    #[error("the folder {0} does not exist")]
    Root(PathBuf),
    #[error("PORT is `{0}`, which is not a port")]
    Port(String),
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot start the server")]
    Runtime(#[source] std::io::Error),
}

/// Where a laptop's user would look.
const DEFAULT_PORT: u16 = 8080;

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(args: &[OsString]) -> Result<(), StaticServerError> {
    let site = parse(args)?;
    let port = match std::env::var("PORT") {
        Ok(text) => text.parse().map_err(|_| StaticServerError::Port(text))?,
        Err(_) => DEFAULT_PORT,
    };
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(StaticServerError::Runtime)?;
    runtime.block_on(server::serve(address, site))
}

fn parse(args: &[OsString]) -> Result<Site, StaticServerError> {
    let (mut root, mut missing) = (None, Missing::NotFound);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--root") => root = words.next().map(PathBuf::from),
            Some("--spa") => missing = Missing::Index,
            _ => return Err(StaticServerError::Usage(word.to_string_lossy().into_owned())),
        }
    }
    let root = root.ok_or(StaticServerError::NoRoot)?;
    if !root.is_dir() {
        return Err(StaticServerError::Root(root));
    }
    let rules = Rules::read(&root)?;
    Ok(Site::new(root, missing, rules))
}

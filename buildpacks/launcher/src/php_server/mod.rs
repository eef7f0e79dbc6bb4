//! Runs a PHP app: nginx in front of php-fpm, as one process that ends when either does.
//!
//! Not a proxy: TLS, compression and access logs belong to the edge in front of it. Everything that
//! it writes lies below the folder for temporary files, so that it needs no right but the app's own.
//! Invariant: a request that came in before SIGTERM is answered, unless the deadline passes.

mod children;
mod config;
mod supervise;

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use config::Settings;

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PhpServerError {
    #[error("usage: php-server --root DIR [--front FILE]; `{0}` is not understood")]
    Usage(String),
    #[error("usage: php-server --root DIR [--front FILE]")]
    NoRoot,
    #[error("the folder {0} does not exist below the app's")]
    Root(PathBuf),
    #[error("PORT is `{0}`, which is not a port")]
    Port(String),
    #[error("WEB_CONCURRENCY is `{0}`, which is not a number of processes")]
    Concurrency(String),
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot start {program}")]
    Start { program: &'static str, source: std::io::Error },
    #[error("{program} ended by itself ({status}); what it said stands above")]
    Ended { program: &'static str, status: String },
    #[error("php-fpm does not listen")]
    Silent,
    #[error("cannot start the server")]
    Runtime(#[source] std::io::Error),
}

/// Where a laptop's user would look.
const DEFAULT_PORT: u16 = 8080;
/// What an app adds to nginx's configuration, by the name that other hosts know.
pub const OWN_CONFIG: &str = "nginx_app.conf";

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(args: &[OsString]) -> Result<(), PhpServerError> {
    let (root, front) = parse(args)?;
    let here = std::env::current_dir().map_err(PhpServerError::Runtime)?;
    let folder = here.join(&root);
    if !folder.is_dir() {
        return Err(PhpServerError::Root(root));
    }
    let port = match std::env::var("PORT") {
        Ok(text) => text.parse().map_err(|_| PhpServerError::Port(text))?,
        Err(_) => DEFAULT_PORT,
    };
    let own = here.join(OWN_CONFIG);
    let settings = Settings {
        port,
        is_whole_app: root == Path::new("."),
        has_hashed_assets: folder.join("build/manifest.json").is_file(),
        root: folder,
        front,
        children: children::count()?,
        own: own.is_file().then_some(own),
        home: std::env::temp_dir().join("php-server"),
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(PhpServerError::Runtime)?;
    runtime.block_on(supervise::serve(&settings))
}

fn parse(args: &[OsString]) -> Result<(PathBuf, Option<String>), PhpServerError> {
    let (mut root, mut front) = (None, None);
    let mut words = args.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        let (place, value) = match word.as_ref() {
            "--root" => (&mut root, words.next()),
            "--front" => (&mut front, words.next()),
            _ => return Err(PhpServerError::Usage(word.into_owned())),
        };
        let value = value.ok_or(PhpServerError::NoRoot)?.trim_end_matches('/').to_owned();
        if !is_plain(&value) {
            return Err(PhpServerError::Usage(value));
        }
        *place = Some(value);
    }
    Ok((root.map(PathBuf::from).ok_or(PhpServerError::NoRoot)?, front))
}

/// Whether a path stays in the app's folder and means nothing else to nginx.
pub fn is_plain(path: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    !path.is_empty() && path.chars().all(known) && Path::new(path).components().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let shown = match parse(&words) {
            Ok((root, front)) => format!("{} {}", root.display(), front.unwrap_or_default()),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn words_are_understood_or_refused() {
        check("--root public/ --front index.php", "public index.php");
        check("--root .", ". ");
        check("", "usage: php-server --root DIR [--front FILE]");
        let refused = |word| {
            format!("usage: php-server --root DIR [--front FILE]; `{word}` is not understood")
        };
        check("--root ../x", &refused("../x"));
        check("--root /etc", &refused("/etc"));
        check("--root a;b", &refused("a;b"));
        check("--rot x", &refused("--rot"));
    }
}

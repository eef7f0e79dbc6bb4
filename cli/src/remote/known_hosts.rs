//! The file in which `ssh` keeps the keys of servers. The server's is told by its API, over a line that is
//! proven already; so nobody has to compare fingerprints.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use crate::{environment::Environment, failure::Failure, target::Address};

/// The line of a server.
pub(crate) fn line(address: &Address, host: &api::SshHost) -> String {
    let name = name(address);
    match host.port {
        22 => format!("{name} {}", host.key),
        port => format!("[{name}]:{port} {}", host.key),
    }
}

/// The name or address that a server is reached by; that of this machine over a socket file.
pub(crate) fn name(address: &Address) -> &str {
    match address {
        Address::Unix(_) => "localhost",
        Address::Http(at) | Address::Https(at) => &at.host,
    }
}

/// Whether the line is in the user's file.
pub(crate) fn has(environment: &Environment, line: &str) -> bool {
    let text = file(environment).and_then(|file| fs::read_to_string(file).ok());
    text.is_some_and(|text| text.lines().any(|there| there == line))
}

/// Adds the line to the user's file.
pub(crate) fn add(environment: &Environment, line: &str) -> Result<PathBuf, Failure> {
    let file = file(environment).ok_or_else(|| {
        Failure::local("there is no ~/.ssh/known_hosts").because("HOME is not set")
    })?;
    let write = || -> io::Result<()> {
        let before = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        if let Some(folder) = file.parent() {
            use std::os::unix::fs::DirBuilderExt;
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        let mut options = fs::OpenOptions::new();
        let mut open = options.append(true).create(true).mode(0o600).open(&file)?;
        open.write_all(format!("{gap}{line}\n").as_bytes())
    };
    write().map_err(|error| {
        Failure::local(format!("cannot write {}", file.display())).because(error)
    })?;
    Ok(file)
}

fn file(environment: &Environment) -> Option<PathBuf> {
    Some(environment.home.as_ref()?.join(".ssh/known_hosts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_added_once_and_nothing_else_is_touched() {
        let home = tempfile::tempdir().unwrap();
        let environment =
            Environment { home: Some(home.path().to_owned()), ..Environment::default() };
        let host = |port| api::SshHost {
            port,
            key: "ssh-ed25519 AAAA".to_owned(),
            fingerprint: "SHA256:x".to_owned(),
        };
        let address = "https://[2001:db8::1]:8443".parse().unwrap();
        assert_eq!(line(&address, &host(22)), "2001:db8::1 ssh-ed25519 AAAA");
        let line = line(&address, &host(2222));
        assert_eq!(line, "[2001:db8::1]:2222 ssh-ed25519 AAAA");
        assert!(!has(&environment, &line));
        let file = home.path().join(".ssh/known_hosts");
        assert_eq!(add(&environment, &line).unwrap(), file);
        assert!(has(&environment, &line));
        fs::write(&file, "other ssh-rsa AAAA").unwrap();
        add(&environment, &line).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, format!("other ssh-rsa AAAA\n{line}\n"));
    }
}

//! What this machine's Docker client knows of registries: the names and passwords that `docker
//! login` wrote. A helper program that keeps them elsewhere is not asked.
//!
//! Invariant: they are read when they are needed, and are in no log and no error.

use std::{collections::HashMap, fs};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bollard::auth::DockerCredentials;
use serde::Deserialize;

use super::Docker;

/// All of them, by registry.
pub(super) fn all(docker: &Docker) -> HashMap<String, DockerCredentials> {
    let file = &docker.settings().credentials;
    fs::read_to_string(file).map(|text| parse(&text)).unwrap_or_default()
}

/// Those for one registry; without one, those of Docker's own.
pub(super) fn of(docker: &Docker, registry: Option<&str>) -> Option<DockerCredentials> {
    let host = |name: &str| {
        let name = name.split_once("://").map_or(name, |(_, rest)| rest);
        name.split('/').next().unwrap_or_default().to_owned()
    };
    let fits = |name: &String| match registry {
        Some(registry) => host(name) == registry,
        None => host(name).ends_with(DOCKERS_OWN),
    };
    all(docker).into_iter().find(|(name, _)| fits(name)).map(|(_, known)| known)
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: HashMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    identitytoken: Option<String>,
}

fn parse(text: &str) -> HashMap<String, DockerCredentials> {
    let Ok(file) = serde_json::from_str::<File>(text) else { return HashMap::new() };
    let read = |(registry, entry): (String, Entry)| {
        let plain = String::from_utf8(BASE64_STANDARD.decode(entry.auth).ok()?).ok()?;
        let (username, password) = plain.split_once(':')?;
        let credentials = DockerCredentials {
            username: Some(username.to_owned()),
            password: Some(password.trim_end_matches('\0').to_owned()),
            identitytoken: entry.identitytoken,
            serveraddress: Some(registry.clone()),
            ..DockerCredentials::default()
        };
        Some((registry, credentials))
    };
    file.auths.into_iter().filter_map(read).collect()
}

const DOCKERS_OWN: &str = "docker.io";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_login_wrote_is_read() {
        let auth = BASE64_STANDARD.encode("me:se:cret");
        let text = format!(
            r#"{{"auths": {{"registry.example.com": {{"auth": "{auth}"}}, "kept.elsewhere": {{}}}}, "credsStore": "x"}}"#
        );
        let all = parse(&text);
        assert_eq!(all.len(), 1);
        let known = &all["registry.example.com"];
        assert_eq!(known.username.as_deref(), Some("me"));
        assert_eq!(known.password.as_deref(), Some("se:cret"));
        assert!(parse("no json").is_empty());
    }
}

//! SSH keys, and a remote that git pushes to with one.

use std::fs;

use super::{User, server::Server};

const KEY: &str = "ssh-ed25519 AAAA me@laptop";

fn key() -> api::Key {
    api::Key {
        name: "me@laptop".to_owned(),
        kind: "ssh-ed25519".to_owned(),
        fingerprint: "SHA256:abc".to_owned(),
        key: "ssh-ed25519 AAAA".to_owned(),
        by: "admin".to_owned(),
        added_at: "2026-11-21T21:00:00Z".to_owned(),
    }
}

fn host() -> api::SshHost {
    let (key, fingerprint) = ("ssh-ed25519 BBBB".to_owned(), "SHA256:def".to_owned());
    api::SshHost { port: 2222, key, fingerprint }
}

#[tokio::test]
async fn keys_are_added_listed_and_removed() {
    let server = Server::default();
    server.on("POST /v1/keys", &key());
    server.on("GET /v1/keys", &api::Keys { keys: vec![key()], host: Some(host()) });
    server.on("DELETE /v1/keys?key=me%40laptop", &key());
    let user = User::of(&server.on_tcp().await);
    let outcome = user.types("paas keys add").await;
    assert!(outcome.err.contains("hint: `ssh-keygen -t ed25519` makes one"), "{}", outcome.err);
    let folder = user.home.path().join(".ssh");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("id_ed25519.pub"), KEY).unwrap();
    user.write("other.pub", "ssh-rsa CCCC");
    let added = "Pushes with me@laptop are allowed: SHA256:abc\n\
                 hint: `paas git remote --ssh` has git push over SSH\n";
    user.types("paas keys add").await.succeeded("", added);
    user.types("paas keys add other.pub --name ci").await.succeeded("", added);
    let asked: Vec<_> = server.requests().into_iter().map(|asked| asked.body).collect();
    assert_eq!(asked[0], format!(r#"{{"key":"{KEY}","name":null}}"#));
    assert_eq!(asked[1], r#"{"key":"ssh-rsa CCCC","name":"ci"}"#);
    let table = "NAME       KIND         FINGERPRINT  ADDED                 BY\n\
                 me@laptop  ssh-ed25519  SHA256:abc   2026-11-21T21:00:00Z  admin\n";
    user.types("paas keys").await.succeeded(table, "");
    let host = "[127.0.0.1]:2222 ssh-ed25519 BBBB\n";
    user.types("paas keys host").await.succeeded(host, "");
    let gone = "Pushes with me@laptop are allowed no more: SHA256:abc\n";
    user.types("paas keys remove me@laptop").await.succeeded("", gone);
    let missing = user.types("paas keys add nothing.pub").await;
    assert!(missing.err.contains("cannot read "), "{}", missing.err);
}

#[tokio::test]
async fn a_remote_over_ssh_and_who_the_server_is() {
    let server = Server::default();
    server.answer("GET /v1/apps/hello", 200, "{}");
    server.on("GET /v1/keys", &api::Keys { keys: Vec::new(), host: None });
    server.on("GET /v1/keys", &api::Keys { keys: Vec::new(), host: Some(host()) });
    server.on("GET /v1/keys", &api::Keys { keys: vec![key()], host: Some(host()) });
    let user = User::of(&server.on_tcp().await);
    super::git::git(user.folder(), &["init", "--quiet"]);
    let off = user.types("paas git remote --ssh -a hello").await;
    assert!(off.err.contains("takes no pushes over SSH"), "{}", off.err);
    let url = "ssh://git@127.0.0.1:2222/hello.git";
    let set = format!("Set the git remote paas to {url}; `git push paas` deploys.\n");
    let told = format!(
        "{set}hint: no key is allowed to push yet: `paas keys add` adds yours\n\
         ssh will ask whether 127.0.0.1 is the server; it is:\nSHA256:def (ED25519)\n\
         hint: `paas git remote --ssh --trust` adds it to ~/.ssh/known_hosts\n"
    );
    user.types("paas git remote --ssh -a hello").await.succeeded("", &told);
    let remote = super::git::git(user.folder(), &["remote", "get-url", "paas"]);
    assert_eq!(remote, format!("{url}\n"));
    let file = user.home.path().join(".ssh/known_hosts");
    let added = format!("{set}Added SHA256:def to {}.\n", file.display());
    user.types("paas git remote --ssh --trust").await.succeeded("", &added);
    let line = "[127.0.0.1]:2222 ssh-ed25519 BBBB\n";
    assert_eq!(fs::read_to_string(&file).unwrap(), line);
    user.types("paas git remote --ssh --trust").await.succeeded("", &set);
    assert_eq!(fs::read_to_string(&file).unwrap(), line, "once is enough");
}

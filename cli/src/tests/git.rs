//! Git's way to a server, as the real git would find it configured.

use std::{path::Path, process::Command};

use super::{
    User,
    server::{Authority, Server},
};

const GIT: &str = "GET /v1/apps/hello/git";

pub(super) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).current_dir(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Somebody who has logged in to a server whose certificate is for `names`, in a repository.
async fn logged_in(server: &Server, names: &[&str]) -> (User, String) {
    let authority = Authority::new();
    let url = server.on_tls(&authority, names).await;
    let user = User::of("");
    let login = format!("paas login {url} --token t0ken --fingerprint {}", authority.fingerprint());
    let about = r#"{"version":"0","node":"one","user":"me","domain":"d","edge_url":"u","http":[],
        "https":[],"dns":[],"engine_fault":null,"engine_version":null,"stack":"ready","kept":null,
        "disk_free":1,"memory":1}"#;
    server.answer("GET /v1/server", 200, about).answer("GET /v1/apps/hello", 200, "{}");
    let outcome = user.types(&login).await;
    assert!(outcome.err.starts_with("Logged in"), "{}", outcome.err);
    git(user.folder(), &["init", "--quiet"]);
    (user, url)
}

#[tokio::test]
async fn git_is_told_whom_to_believe_and_where_the_token_is() {
    let server = Server::default();
    let (user, url) = logged_in(&server, &["127.0.0.1"]).await;
    // Again and again it is the same.
    for _ in 0..2 {
        let told =
            format!("Set the git remote paas to {url}/git/hello.git; `git push paas` deploys.\n");
        user.types("paas git remote -a hello").await.succeeded("", &told);
    }
    let folder = user.folder();
    assert_eq!(
        git(folder, &["remote", "get-url", "--all", "paas"]),
        format!("{url}/git/hello.git\n")
    );
    let file = git(folder, &["config", "--get-urlmatch", "http.sslCAInfo", &url]);
    let pem = std::fs::read_to_string(file.trim()).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pem}");
    let helpers = git(folder, &["config", "--get-all", &format!("credential.{url}.helper")]);
    assert_eq!(helpers.lines().next(), Some(""), "others are not asked");
    assert!(helpers.ends_with(&format!(" git credential '{url}'\n")), "{helpers}");
    assert_eq!(helpers.lines().count(), 2);
    let config = std::fs::read_to_string(folder.join(".git/config")).unwrap();
    assert!(!config.contains("t0ken"), "{config}");

    user.types(&format!("paas git credential {url} get"))
        .await
        .succeeded("username=paas\npassword=t0ken\n", "");
    user.types(&format!("paas git credential {url} erase")).await.succeeded("", "");
    let outcome = user.types("paas git credential https://other:1 get").await;
    assert!(outcome.err.contains("no token is known for https://other:1"), "{}", outcome.err);
}

#[tokio::test]
async fn a_server_that_cannot_prove_its_address_is_reached_by_its_own_name() {
    let server = Server::default();
    let (user, url) = logged_in(&server, &["paas.internal"]).await;
    user.types("paas git remote -a hello").await;
    let port = url.rsplit(':').next().unwrap();
    let base = format!("https://paas.internal:{port}");
    let remote = git(user.folder(), &["remote", "get-url", "paas"]);
    assert_eq!(remote, format!("{base}/git/hello.git\n"));
    let found = git(user.folder(), &["config", "--get-urlmatch", "http.curloptResolve", &base]);
    assert_eq!(found, format!("paas.internal:{port}:127.0.0.1\n"));
    let helper = git(user.folder(), &["config", "--get-urlmatch", "credential.helper", &base]);
    assert!(helper.ends_with(&format!("git credential '{url}'\n")), "{helper}");
}

#[tokio::test]
async fn without_a_repository_or_a_network_there_is_no_remote() {
    let server = Server::default();
    server.answer("GET /v1/apps/hello", 200, "{}");
    let user = User::of(&server.on_tcp().await);
    let outcome = user.types("paas git remote -a hello").await;
    assert!(outcome.err.contains("is in no git repository"), "{}", outcome.err);
    let socket = tempfile::tempdir().unwrap();
    let user = User::of(&format!("unix:{}", server.on_unix(socket.path()).display()));
    git(user.folder(), &["init", "--quiet"]);
    let outcome = user.types("paas git remote -a hello").await;
    assert!(outcome.err.contains("git cannot push over a socket file"), "{}", outcome.err);
    assert!(outcome.err.contains("hint: log in over the network"), "{}", outcome.err);
}

#[tokio::test]
async fn what_was_pushed_is_listed_and_deployed() {
    let server = Server::default();
    let object = "0123456789abcdef0123456789abcdef01234567".to_owned();
    let found = |name: &str, kind: &str| api::GitRef {
        name: name.to_owned(),
        kind: kind.to_owned(),
        object: object.clone(),
    };
    let there = api::Git {
        path: "/git/hello.git".to_owned(),
        branch: "main".to_owned(),
        refs: vec![found("main", "branch"), found("main", "tag"), found("x", "branch")],
    };
    let unchanged = api::Change {
        app: "hello".to_owned(),
        release: Some("v3".to_owned()),
        unchanged: Some("the same".to_owned()),
        ..api::Change::default()
    };
    let none = api::Git { refs: Vec::new(), ..there.clone() };
    server.on(GIT, &there).on(GIT, &none);
    server.on("PUT /v1/apps/hello/git", &api::Git { branch: "x".to_owned(), ..none });
    server.on("POST /v1/apps/hello/git/deploy", &unchanged);
    let user = User::of(&server.on_tcp().await);
    let table = "NAME  KIND    OBJECT\nmain  branch  0123456  deployed when pushed\n\
                 main  tag     0123456\nx     branch  0123456\n";
    user.types("paas git -a hello").await.succeeded(table, "");
    let none = "nothing was pushed to hello yet; `paas git remote` sets the remote\n";
    user.types("paas git -a hello").await.succeeded("", none);
    user.types("paas git branch x -a hello")
        .await
        .succeeded("", "pushes to x are deployed to hello\n");
    user.types("paas deploy --ref x -a hello").await.succeeded(
        "",
        "-----> Deploying x to hello\nno changes: v3 already runs this; nothing moved\n",
    );
    server.on("POST /v1/apps/hello/builds/fetch", &unchanged);
    let url = "https://example.com/a.tgz";
    user.types(&format!("paas deploy --url {url} -a hello")).await.succeeded(
        "",
        &format!(
            "-----> Deploying {url} to hello\nno changes: v3 already runs this; nothing moved\n"
        ),
    );
    for of_no_folder in [format!("--url {url}"), "--ref x".to_owned()] {
        let line = format!("paas deploy {of_no_folder} --strategy recreate -a hello");
        let parsed = crate::args::parse(line.split_whitespace().map(Into::into));
        assert_eq!(parsed.unwrap_err().kind(), clap::error::ErrorKind::ArgumentConflict, "{line}");
    }
    let asked = server.requests();
    let bodies: Vec<_> = asked.iter().map(|asked| asked.body.clone()).collect();
    assert!(bodies.iter().any(|body| body == r#"{"branch":"x"}"#));
    assert!(bodies.iter().any(|body| body == r#"{"reference":"x"}"#));
    let fetch = format!(r#"{{"url":"{url}","sha256":null}}"#);
    assert!(bodies.iter().any(|body| *body == fetch));
}

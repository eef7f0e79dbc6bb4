//! `paas secrets` and staged config: what is asked of the server and what is printed.

use std::collections::BTreeMap;

use api::{Change, Config, Frame, Secret, SecretsPatch};

use super::{User, server::Server};

const FOLLOW: &str = "GET /v1/apps/hello/follow?rollout=4";
const PATCH: &str = "PATCH /v1/apps/hello/secrets";

async fn user(server: &Server) -> User {
    let mut user = User::of(&server.on_tcp().await);
    user.environment.app = Some("hello".to_owned());
    user
}

fn rollout() -> Change {
    let release = Some("v10".to_owned());
    Change { app: "hello".to_owned(), release, rollout: Some(4), ..Change::default() }
}

fn done() -> Frame {
    Frame::Done {
        release: "v10".to_owned(),
        urls: Vec::new(),
        remark: None,
        watched: None,
        took_ms: 900,
    }
}

fn sent(server: &Server, nth: usize) -> SecretsPatch {
    serde_json::from_slice(&server.requests()[nth].body).unwrap()
}

#[tokio::test]
async fn secrets_are_listed_without_values() {
    let server = Server::default();
    let secret = Secret {
        name: "TOKEN".to_owned(),
        digest: "0f1e2d3c4b5a6978".to_owned(),
        set_at: "2026-01-10T09:00:00Z".to_owned(),
        by: "root".to_owned(),
    };
    server.on("GET /v1/apps/hello/secrets", &[secret]);
    let expected = "NAME   DIGEST            AGE\nTOKEN  0f1e2d3c4b5a6978  3h\n";
    user(&server).await.types("paas secrets").await.succeeded(expected, "");
}

#[tokio::test]
async fn values_come_from_files_and_a_value_in_sight_is_warned_about() {
    let server = Server::default();
    server.on(PATCH, &rollout()).stream(FOLLOW, &[done()]);
    let user = user(&server).await;
    user.write("key.pem", "a\nb\n");
    user.types("paas secrets:set PEM=@key.pem")
        .await
        .succeeded("", "Setting PEM and restarting hello... done, v10\n");
    let values = BTreeMap::from([("PEM".to_owned(), Some("a\nb\n".to_owned()))]);
    assert_eq!(sent(&server, 0), SecretsPatch { values, ..SecretsPatch::default() });
    let told = user.types("paas secrets set A=1 B=2").await;
    assert!(told.err.starts_with("warning: values on the command line"), "{}", told.err);
    assert_eq!(told.err.matches("warning").count(), 1, "{}", told.err);
    user.types("paas secrets unset A B")
        .await
        .succeeded("", "Removing A, B and restarting hello... done, v10\n");
    assert!(sent(&server, 4).values.values().all(Option::is_none));
    user.types("paas secrets set A B --from-config")
        .await
        .succeeded("", "Setting A, B and restarting hello... done, v10\n");
    assert_eq!(sent(&server, 6).from_config, ["A", "B"]);
}

#[tokio::test]
async fn an_env_file_is_imported() {
    let server = Server::default();
    server.on(PATCH, &rollout()).stream(FOLLOW, &[done()]);
    let user = user(&server).await;
    user.write(".env", "A=1\nexport B='x y'\n");
    user.types("paas secrets import")
        .await
        .succeeded("", "Setting A, B and restarting hello... done, v10\n");
    assert_eq!(sent(&server, 0).values["B"].as_deref(), Some("x y"));
}

#[tokio::test]
async fn what_is_staged_is_shown_applied_and_discarded() {
    let server = Server::default();
    let staged = Change { app: "hello".to_owned(), staged: true, ..Change::default() };
    let values = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
    let names = vec!["A".to_owned(), "TOKEN".to_owned()];
    server
        .on("PATCH /v1/apps/hello/config", &staged)
        .on("GET /v1/apps/hello/config", &Config { values, staged: names })
        .on("POST /v1/apps/hello/config/apply", &rollout())
        .on("POST /v1/apps/hello/config/discard", &Change::default())
        .stream(FOLLOW, &[done()]);
    let user = user(&server).await;
    user.types("paas config set A=1 --stage").await.succeeded(
        "",
        "Setting A for hello... staged\n\
         hint: the next deploy takes it along, or `paas config apply -a hello`\n",
    );
    user.types("paas config").await.succeeded(
        "A:  1\n",
        "Staged for the next release: A, TOKEN\n\
         hint: `paas config apply -a hello` releases it, `paas config discard -a hello` drops it\n",
    );
    user.types("paas config apply")
        .await
        .succeeded("", "Applying what is staged and restarting hello... done, v10\n");
    user.types("paas config discard")
        .await
        .succeeded("", "Discarding what is staged for hello... done\n");
}

//! Programs beside an app: what is asked of the server, and what it says when it cannot be done. That
//! programs are talked to is shown against the real server.

use api::{FaultCode, Run, StartRun};

use super::{User, server::Server};

async fn user(server: &Server) -> User {
    let mut user = User::of(&server.on_tcp().await);
    user.environment.app = Some("hello".to_owned());
    user
}

fn run(number: u16, state: &str, code: Option<u8>) -> Run {
    Run {
        name: format!("run.{number}"),
        release: "v9".to_owned(),
        process: "web".to_owned(),
        command: vec!["rake".to_owned(), "db:migrate".to_owned()],
        detached: true,
        state: state.to_owned(),
        code,
        reason: None,
        by: "ci".to_owned(),
        at: "2026-01-10T11:00:00Z".to_owned(),
        ended_at: code.map(|_| "2026-01-10T11:30:00Z".to_owned()),
    }
}

#[tokio::test]
async fn runs_are_listed_with_how_they_ended() {
    let server = Server::default();
    let failed =
        Run { reason: Some("ran out of memory".to_owned()), ..run(1, "failed", Some(137)) };
    server.on("GET /v1/apps/hello/runs", &[run(2, "running", None), failed]);
    let expected = "\
RUN    RELEASE  STATE    CODE  BY  AGE  COMMAND
run.2  v9       running  -     ci  60m  rake db:migrate
run.1  v9       failed   137   ci  60m  rake db:migrate
  ran out of memory
";
    user(&server).await.types("paas runs").await.succeeded(expected, "");
}

#[tokio::test]
async fn a_detached_run_says_how_to_see_it() {
    let server = Server::default();
    server.on("POST /v1/apps/hello/runs", &run(3, "starting", None));
    let told = "hint: `paas logs -f -p run.3 -a hello` shows its output, `paas runs -a hello` how it \
                ended\n";
    user(&server)
        .await
        .types("paas run -d --memory 1g --timeout 2h -- rake db:migrate")
        .await
        .succeeded("run.3\n", told);
    let sent: StartRun = serde_json::from_slice(&server.requests()[0].body).unwrap();
    assert_eq!(sent.command, ["rake", "db:migrate"]);
    assert_eq!((sent.memory.as_deref(), sent.timeout.as_deref()), (Some("1g"), Some("2h")));
}

#[tokio::test]
async fn a_run_is_asked_to_end() {
    let server = Server::default();
    server.on("POST /v1/apps/hello/runs/run.3/stop", &run(3, "running", None));
    let user = user(&server).await;
    user.types("paas runs stop run.3").await.succeeded("", "run.3 is asked to end\n");
    user.types("paas runs stop ../x")
        .await
        .failed(2, "error: `../x` is not a run\nhint: write it like `paas runs stop run.3`\n");
}

#[tokio::test]
async fn a_fault_is_told_from_a_programs_code() {
    let server = Server::default();
    server.refuse("GET /v1/apps/hello/exec", 409, FaultCode::Conflict);
    let user = user(&server).await;
    user.types("paas exec -- true").await.failed(125, "error: no `GET /v1/apps/hello/exec`\n");
    user.types("paas cp a b").await.failed(
        2,
        "error: neither is in an instance\nhint: write the one that is like `web.1:/path` or `:/path`\n",
    );
}

//! What commands ask the server and what they print.

use std::{collections::BTreeMap, io, process::ExitCode};

use api::{App, Change, Config, FaultCode, Frame, Instance, LogLine};

use super::{User, server::Server};
use crate::ui::Ui;

pub(super) fn app(name: &str) -> App {
    App {
        name: name.to_owned(),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        urls: vec![format!("http://{name}.localhost:8080")],
        state: "running".to_owned(),
        reason: None,
        maintenance: None,
        protected_by: None,
        release: Some("v9".to_owned()),
        formation: BTreeMap::from([("web".to_owned(), 2), ("worker".to_owned(), 1)]),
        ready: BTreeMap::from([("web".to_owned(), 2), ("worker".to_owned(), 0)]),
    }
}

fn rollout() -> Change {
    Change {
        app: "hello".to_owned(),
        release: Some("v10".to_owned()),
        rollout: Some(4),
        ..Change::default()
    }
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

const FOLLOW: &str = "GET /v1/apps/hello/follow?rollout=4";

async fn user(server: &Server) -> User {
    let mut user = User::of(&server.on_tcp().await);
    user.environment.app = Some("hello".to_owned());
    user
}

#[tokio::test]
async fn ps_shows_instances_and_why_one_is_not_well() {
    let server = Server::default();
    let web = Instance {
        name: "web.1".to_owned(),
        node: "one".to_owned(),
        release: "v9".to_owned(),
        state: "running".to_owned(),
        health: "ready".to_owned(),
        detail: None,
        restarts: 0,
        cpu_millis: Some(12),
        memory: Some(42 << 20),
        memory_limit: 512 << 20,
        started_at: Some("2026-01-10T09:00:00Z".to_owned()),
        container: None,
        address: None,
        in_flight: 0,
    };
    let worker = Instance {
        name: "worker.1".to_owned(),
        state: "waiting".to_owned(),
        health: "-".to_owned(),
        detail: Some("exit code 1, next try in 8 s".to_owned()),
        cpu_millis: None,
        memory: None,
        started_at: None,
        ..web.clone()
    };
    server.on("GET /v1/apps/hello/instances", &[web, worker]);
    let expected = "\
PROCESS   NODE  RELEASE  STATE    HEALTH  CPU   MEM       AGE
web.1     one   v9       running  ready   1.2%  42.0 MiB  3h
worker.1  one   v9       waiting  -       -     -         -
  exit code 1, next try in 8 s
";
    user(&server).await.types("paas ps").await.succeeded(expected, "");
}

#[tokio::test]
async fn a_config_change_is_one_line_and_byte_exact() {
    let server = Server::default();
    server.on("PATCH /v1/apps/hello/config", &rollout()).stream(FOLLOW, &[done()]);
    let user = user(&server).await;
    user.write("cert.pem", "a\r\nb\n");
    let words = ["paas", "config:set", "KEY=-a=$b'\"\n", "EMPTY=", "--file", "CERT=cert.pem"];
    user.runs(&words)
        .await
        .succeeded("", "Setting CERT, EMPTY, KEY and restarting hello... done, v10\n");
    let sent: api::ConfigPatch = serde_json::from_slice(&server.requests()[0].body).unwrap();
    let expected = [("CERT", "a\r\nb\n"), ("EMPTY", ""), ("KEY", "-a=$b'\"\n")];
    let expected = expected.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
    assert_eq!(sent.values, BTreeMap::from(expected));
}

#[tokio::test]
async fn config_is_shown_for_people_and_for_programs() {
    let server = Server::default();
    let values = BTreeMap::from([
        ("A".to_owned(), "1".to_owned()),
        ("LONGER".to_owned(), "it's\ntwo".to_owned()),
    ]);
    server.on("GET /v1/apps/hello/config", &Config { values, ..Config::default() });
    let user = user(&server).await;
    user.types("paas config").await.succeeded("A:       1\nLONGER:  it's\\ntwo\n", "");
    user.types("paas config -s").await.succeeded("A='1'\nLONGER='it'\\''s\ntwo'\n", "");
    user.types("paas config get LONGER").await.succeeded("it's\ntwo\n", "");
    user.types("paas config:get A --raw").await.succeeded("1", "");
    user.types("paas config get LONGR")
        .await
        .failed(1, "error: hello has no `LONGR` in its config\nhint: did you mean `LONGER`?\n");
}

#[tokio::test]
async fn an_import_names_the_line_that_is_wrong() {
    let server = Server::default();
    let user = user(&server).await;
    user.write(".env", "A=1\nexport B='x\n");
    user.types("paas config import").await.failed(
        1,
        "error: cannot use .env\n  because line 2: the quote ' that begins here does not end\n",
    );
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn scale_follows_and_says_what_is_wanted_now() {
    let server = Server::default();
    server
        .on("PATCH /v1/apps/hello/formation", &rollout())
        .stream(FOLLOW, &[done()])
        .on("GET /v1/apps/hello", &app("hello"));
    let user = user(&server).await;
    user.types("paas ps:scale web+1 worker=1")
        .await
        .succeeded("", "Scaling hello... done, v10\nWanted now: web=2 worker=1\n");
    assert_eq!(server.requests()[0].body, r#"{"processes":{"web":"+1","worker":"1"}}"#);
    user.types("paas scale").await.succeeded("web=2 worker=1\n", "");
}

#[tokio::test]
async fn a_change_that_does_not_serve_says_why_and_what_does() {
    let server = Server::default();
    let failed = Frame::Failed {
        stage: "rollout".to_owned(),
        reason: "web.1 ended with exit code 1".to_owned(),
        hint: Some("`paas logs --release v10`".to_owned()),
        last_lines: vec!["Error: no such file".to_owned()],
        still_serving: Some("v9".to_owned()),
    };
    server.on("POST /v1/apps/hello/restart", &rollout()).stream(FOLLOW, &[failed]);
    user(&server).await.types("paas restart").await.failed(
        1,
        "Restarting hello... failed\nerror: the change does not serve\n  because web.1 ended with \
         exit code 1\n  its last lines:\n    Error: no such file\n  v9 serves on, untouched\n\
         hint: `paas logs --release v10`\n",
    );
}

#[tokio::test]
async fn a_broken_line_is_joined_again() {
    let server = Server::default();
    server
        .on("POST /v1/apps/hello/rollback", &rollout())
        .stream(FOLLOW, &[Frame::Phase { name: "start".to_owned(), at: String::new() }])
        .stream(FOLLOW, &[done()]);
    let user = user(&server).await;
    user.types("paas rollback 8").await.succeeded("", "Rolling hello back to v8... done, v10\n");
    assert_eq!(server.requests()[0].body, r#"{"to":"v8"}"#);
}

#[tokio::test]
async fn a_wrong_name_gets_a_suggestion() {
    let server = Server::default();
    server
        .refuse("GET /v1/apps/helo/instances", 404, FaultCode::NotFound)
        .on("GET /v1/apps", &[app("hello"), app("shop")]);
    user(&server)
        .await
        .types("paas ps -a helo")
        .await
        .failed(1, "error: no `GET /v1/apps/helo/instances`\nhint: did you mean `-a hello`?\n");
}

#[tokio::test]
async fn logs_are_asked_for_exactly_and_printed_plainly() {
    let server = Server::default();
    let query = "lines=5&follow=true&process=web%2E1&since=2026%2D01%2D10T11%3A00%3A00Z&grep=a%20b";
    let line = LogLine {
        at: "2026-01-10T11:59:00Z".to_owned(),
        source: "web.1".to_owned(),
        release: "v9".to_owned(),
        stream: "out".to_owned(),
        text: "GET / \x1b[31m200".to_owned(),
    };
    server.stream(&format!("GET /v1/apps/hello/logs?{query}"), &[line]);
    let user = user(&server).await;
    let words = ["paas", "logs", "-t", "-n", "5", "-p", "web.1", "--since", "1h", "--grep", "a b"];
    user.runs(&words).await.succeeded("2026-01-10T11:59:00Z web.1 | GET / \x1b[31m200\n", "");
}

#[tokio::test]
async fn json_is_what_the_server_said() {
    let server = Server::default();
    server.answer("GET /v1/apps/hello/releases", 200, r#"[{"new":1.50,"version":"v9"}]"#);
    let expected = "[\n  {\n    \"new\": 1.50,\n    \"version\": \"v9\"\n  }\n]\n";
    user(&server).await.types("paas releases --json").await.succeeded(expected, "");
}

#[tokio::test]
async fn destroying_takes_the_name_and_no_less() {
    let server = Server::default();
    server
        .on("DELETE /v1/apps/shop?confirm=shop", &Change::default())
        .on("GET /v1/apps/shop", &app("shop"))
        .refuse("GET /v1/apps/shop", 404, FaultCode::NotFound);
    let user = user(&server).await;
    let refused = user.types("paas destroy").await;
    assert_eq!(refused.code, ExitCode::from(2));
    let refused = user.types("paas apps:destroy hello --confirm shop").await;
    assert_eq!(refused.code, ExitCode::from(2));
    assert!(server.asked().is_empty());
    user.types("paas destroy --confirm shop").await.succeeded("", "Destroying shop... done\n");
}

#[tokio::test]
async fn a_destroyed_app_is_kept_and_brought_back() {
    let server = Server::default();
    let kept = App {
        state: "destroyed".to_owned(),
        reason: Some("kept until noon".to_owned()),
        ..app("shop")
    };
    server
        .on("DELETE /v1/apps/shop?confirm=shop", &Change::default())
        .on("DELETE /v1/apps/shop?confirm=shop&now=true", &Change::default())
        .on("GET /v1/apps/shop", &kept)
        .on("GET /v1/apps?destroyed=true", &[kept])
        .on("POST /v1/apps/shop/undelete", &app("shop"))
        .refuse("GET /v1/apps/shop", 404, FaultCode::NotFound);
    let user = user(&server).await;
    let told = "Destroying shop... done, kept until noon; `paas undelete shop` brings it back\n";
    user.types("paas destroy --confirm shop").await.succeeded("", told);
    let listed = user.types("paas apps --destroyed").await;
    assert!(listed.out.contains("shop  destroyed"), "{}", listed.out);
    assert!(user.types("paas undelete shop").await.err.starts_with("shop is back"));
    user.types("paas destroy --now --confirm shop")
        .await
        .succeeded("", "Destroying shop... done\n");
}

#[tokio::test]
async fn an_app_is_protected_and_says_so() {
    let server = Server::default();
    let protected = App { protected_by: Some("ci".to_owned()), ..app("shop") };
    server
        .on("PUT /v1/apps/shop/protection", &protected)
        .on("PUT /v1/apps/shop/protection", &app("shop"))
        .on("GET /v1/apps", &[protected]);
    let user = user(&server).await;
    let told = "shop is protected by ci; `paas destroy` refuses it\n";
    user.types("paas apps protect shop").await.succeeded("", told);
    let listed = user.types("paas apps").await;
    assert!(listed.out.contains("\n  protected by ci\n"), "{}", listed.out);
    user.types("paas apps:unprotect shop").await.succeeded("", "shop is not protected\n");
}

#[tokio::test]
async fn open_prints_the_address() {
    let server = Server::default();
    server.on("GET /v1/apps/hello", &app("hello"));
    user(&server).await.types("paas open").await.succeeded("http://hello.localhost:8080\n", "");
}

#[tokio::test]
async fn something_that_is_no_paas_is_recognised() {
    let server = Server::default();
    server.answer("GET /v1/apps", 404, "<html>");
    user(&server).await.types("paas apps").await.failed(
        1,
        "error: the server answered `404 Not Found`, and not in the way that paas does\nhint: \
         check the address: `paas login URL`\n",
    );
}

#[test]
fn a_bug_of_ours_has_an_exit_code_of_its_own() {
    assert_eq!(crate::guarded(|| panic!("on purpose")), ExitCode::from(70));
    assert_eq!(crate::guarded(|| ExitCode::SUCCESS), ExitCode::SUCCESS);
}

/// A reader who has seen enough, as `head` has.
struct Gone;

impl io::Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reader_who_leaves_is_no_error() {
    let server = Server::default();
    server.on("GET /v1/apps", &[app("hello")]);
    let user = user(&server).await;
    let cli = crate::args::parse(["paas", "apps"].map(Into::into)).unwrap();
    let ui = Ui::to(Box::new(Gone), Box::new(Gone), &cli.shared);
    let request = crate::Request { shared: cli.shared, command: cli.command };
    let code = crate::perform(request, user.environment.clone(), ui).await;
    assert_eq!(code, ExitCode::SUCCESS);
}

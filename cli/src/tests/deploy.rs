//! `paas deploy` and `paas launch`, from the folder to the address.

use std::{io::Read, process::ExitCode};

use api::{App, Awaited, Change, FaultCode, Frame, InstanceProgress, Plan};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{User, server::Server};

const PLAN: &str = "POST /v1/apps/my-app/plan";
const BUILDS: &str = "POST /v1/apps/my-app/builds";
const FOLLOW: &str = "GET /v1/apps/my-app/follow?build=3";

fn app() -> App {
    App {
        name: "my-app".to_owned(),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        urls: Vec::new(),
        state: "new".to_owned(),
        reason: None,
        maintenance: None,
        protected_by: None,
        release: None,
        formation: std::collections::BTreeMap::new(),
        ready: std::collections::BTreeMap::new(),
    }
}

fn build() -> Change {
    Change { app: "my-app".to_owned(), build: Some(3), ..Change::default() }
}

fn phase(name: &str, second: u32) -> Frame {
    Frame::Phase { name: name.to_owned(), at: format!("2026-01-10T12:00:0{second}Z") }
}

fn instances(state: &str, detail: Option<&str>) -> Frame {
    let detail = detail.map(str::to_owned);
    let state = state.to_owned();
    Frame::Instances {
        instances: vec![InstanceProgress { name: "web.1".to_owned(), state, detail }],
    }
}

fn log(text: &str) -> Frame {
    Frame::Log { text: text.to_owned() }
}

fn story() -> Vec<Frame> {
    vec![
        Frame::Queued {
            ahead: 1,
            behind: Some("blog #12".to_owned()),
            awaits: Some(Awaited {
                app: "blog".to_owned(),
                build: 12,
                by: "alice".to_owned(),
                status: "running".to_owned(),
                since_ms: 65_000,
            }),
        },
        phase("build", 0),
        log("Installing Node 22"),
        log("Installing Node 22"),
        phase("export", 2),
        Frame::Image { image: "sha256:1".to_owned(), bytes: 3 << 20 },
        Frame::Release { release: "v3".to_owned() },
        phase("start", 3),
        instances("starting", Some("waiting for port 3000")),
        instances("starting", Some("waiting for port 3000")),
        instances("ready", None),
        phase("shift", 4),
        Frame::Done {
            release: "v3".to_owned(),
            urls: vec!["http://my-app.localhost:8080".to_owned()],
            remark: None,
            watched: None,
            took_ms: 4_200,
        },
    ]
}

const TOLD: &str = "       2nd in the queue, behind blog #12
       it waits for build 12 of blog by alice, which has been built for 1 m 5 s
       Ctrl-C stops the watching and leaves it in the queue
-----> Building
       Installing Node 22
       Installing Node 22
-----> Making the image
       image size: 3.0 MiB beyond the base image
-----> Release v3
-----> Starting instances
       web.1 starting: waiting for port 3000
       web.1 ready
-----> Shifting traffic
-----> my-app v3 serves
       build 2.0 s, export 1.0 s, start 1.0 s, shift 0.0 s, in all 4.2 s
";

async fn user(server: &Server) -> User {
    let user = User::of(&server.on_tcp().await);
    user.write("server.js", "hello");
    user
}

/// The size and the time of an upload differ from run to run.
fn steady(text: &str) -> String {
    let steady = |line: &str| match line.split_once(" (") {
        Some((start, _)) if line.contains("compressed") => format!("{start}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(steady).collect()
}

#[tokio::test]
async fn one_command_in_a_new_folder_does_it_all() {
    let server = Server::default();
    server.on(PLAN, &Plan::default());
    server.on("POST /v1/apps", &app()).on(BUILDS, &build()).stream(FOLLOW, &story());
    let user = user(&server).await;
    let outcome = user.types("paas deploy").await;
    assert_eq!(outcome.code, ExitCode::SUCCESS, "{}", outcome.err);
    assert_eq!(outcome.out, "http://my-app.localhost:8080\n");
    let begin = "Made the app my-app.\nNoted it in paas.toml.\n-----> Uploading my-app\n";
    assert_eq!(steady(&outcome.err), format!("{begin}       2 files, 20 B\n{TOLD}"));
    let bytes = &server.requests()[2].body;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.push((entry.path().unwrap().to_str().unwrap().to_owned(), text));
    }
    let expected = [("paas.toml", "app = \"my-app\"\n"), ("server.js", "hello")];
    assert_eq!(files, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
}

/// Type, content and name of everything in an upload.
fn entries(body: &[u8]) -> Vec<(u8, String, String)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(body));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let kind = entry.header().entry_type().as_byte();
        (kind, text, entry.path().unwrap().to_str().unwrap().to_owned())
    };
    archive.entries().unwrap().map(read).collect()
}

#[tokio::test]
async fn what_the_server_has_is_named_and_sent_if_it_has_it_no_more() {
    const SOURCES: &str = "POST /v1/apps/my-app/sources";
    let server = Server::default();
    server.on("GET /v1/apps/my-app", &app()).on(BUILDS, &build()).on(SOURCES, &build()).refuse(
        SOURCES,
        409,
        FaultCode::Conflict,
    );
    let user = user(&server).await;
    // What was written this very moment is sent again, for it may change without looking different.
    let named = loop {
        user.types("paas deploy --detach -a my-app").await;
        if let Some(asked) = server.requests().into_iter().find(|asked| asked.what == SOURCES) {
            break asked;
        }
    };
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(entries(&named.body), [(b'R', hello.to_owned(), "server.js".to_owned())]);

    user.write("new.js", "new");
    let outcome = user.types("paas deploy --detach -a my-app").await;
    assert_eq!(outcome.code, ExitCode::SUCCESS, "{}", outcome.err);
    let [.., some, all] = &server.requests()[..] else { panic!("{:?}", server.asked()) };
    assert_eq!((&*some.what, &*all.what), (SOURCES, BUILDS));
    let sent = |kind: u8, text: &str, name: &str| (kind, text.to_owned(), name.to_owned());
    let (new, whole) = (sent(b'0', "new", "new.js"), sent(b'0', "hello", "server.js"));
    assert_eq!(entries(&some.body), [new.clone(), sent(b'R', hello, "server.js")]);
    assert_eq!(entries(&all.body), [new, whole]);
}

#[tokio::test]
async fn a_line_that_breaks_repeats_nothing() {
    let server = Server::default();
    server
        .on("GET /v1/apps/my-app", &app())
        .on(BUILDS, &build())
        .stream(FOLLOW, &story()[..7])
        .stream(FOLLOW, &story());
    let user = user(&server).await;
    let outcome = user.types("paas deploy -a my-app").await;
    let told: Vec<_> = outcome.err.lines().filter(|l| l.contains("Installing")).collect();
    assert_eq!((told.len(), outcome.code), (2, ExitCode::SUCCESS), "{}", outcome.err);
    assert_eq!(outcome.err.matches("-----> Building").count(), 1, "{}", outcome.err);
}

#[tokio::test]
async fn no_changes_move_nothing() {
    let server = Server::default();
    let unchanged = Change {
        release: Some("v12".to_owned()),
        unchanged: Some("the source is the same".to_owned()),
        ..Change::default()
    };
    server.on("GET /v1/apps/my-app", &app()).on(BUILDS, &unchanged);
    let user = user(&server).await;
    user.write("paas.toml", "app = \"my-app\"\n");
    let outcome = user.types("paas deploy").await;
    let last = "no changes: v12 already runs this; nothing moved\n";
    assert!(outcome.err.ends_with(last), "{}", outcome.err);
    assert_eq!(outcome.code, ExitCode::SUCCESS);
}

#[tokio::test]
async fn a_failed_build_says_what_to_do_and_what_serves() {
    let server = Server::default();
    let failed = Frame::Failed {
        stage: "build".to_owned(),
        reason: "`npm ci` ended with exit code 1".to_owned(),
        hint: Some("run `npm install` and commit package-lock.json".to_owned()),
        last_lines: Vec::new(),
        still_serving: None,
    };
    server
        .on("GET /v1/apps/my-app", &app())
        .on(BUILDS, &build())
        .stream(FOLLOW, &[phase("build", 0), failed]);
    let outcome = user(&server).await.types("paas -q deploy -a my-app").await;
    outcome.failed(
        1,
        "error: the build of my-app failed\n  because `npm ci` ended with exit code 1\n  nothing \
         served before, and nothing does now\nhint: run `npm install` and commit \
         package-lock.json\n",
    );
}

#[tokio::test]
async fn what_is_wrong_in_a_folder_makes_no_app() {
    for command in ["paas deploy", "paas launch", "paas launch -a my-app"] {
        let server = Server::default();
        server.refuse(PLAN, 400, FaultCode::Invalid);
        let outcome = user(&server).await.types(command).await;
        assert_eq!(outcome.code, ExitCode::from(1), "{command}: {}", outcome.err);
        assert_eq!(server.requests().len(), 1, "{command}");
    }
}

#[tokio::test]
async fn a_name_that_is_taken_gets_a_number() {
    let server = Server::default();
    server
        .on(PLAN, &Plan::default())
        .refuse("POST /v1/apps", 409, FaultCode::Conflict)
        .on("POST /v1/apps", &app())
        .on("POST /v1/apps/my-app-2/builds", &build());
    let user = user(&server).await;
    let outcome = user.types("paas launch --detach").await;
    assert_eq!(outcome.code, ExitCode::SUCCESS, "{}", outcome.err);
    let manifest = std::fs::read_to_string(user.folder().join("paas.toml")).unwrap();
    assert_eq!(manifest, "app = \"my-app-2\"\n");
    let back = "Watch it: `paas builds follow 3 -a my-app-2`\n";
    assert!(outcome.err.ends_with(back), "{}", outcome.err);
}

#[tokio::test]
async fn an_app_that_was_typed_is_not_made_by_a_slip() {
    let server = Server::default();
    server.refuse("GET /v1/apps/my-ap", 404, FaultCode::NotFound).on("GET /v1/apps", &[app()]);
    user(&server)
        .await
        .types("paas deploy -a my-ap")
        .await
        .failed(1, "error: no `GET /v1/apps/my-ap`\nhint: did you mean `-a my-app`?\n");
}

#[tokio::test]
async fn a_folder_without_files_is_not_deployed() {
    let server = Server::default();
    server.on("GET /v1/apps/my-app", &app());
    let user = User::of(&server.on_tcp().await);
    let outcome = user.types("paas deploy -a my-app").await;
    assert!(outcome.err.starts_with("error: there is nothing to deploy"), "{}", outcome.err);
    assert_eq!(outcome.code, ExitCode::from(2));
}

/// Answers and closes with most of the upload unread, so that the kernel resets the connection.
async fn refuse_early(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let count = stream.read(&mut head).await.unwrap();
            let text = if head[..count].starts_with(b"GET") {
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
            } else {
                &answer
            };
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn a_server_that_refuses_early_is_heard() {
    let fault = r#"{"code":"too_large","message":"it is over 1 MiB","hint":"see","request_id":""}"#;
    let head = "HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: ";
    let url = refuse_early(format!("{head}{}\r\n\r\n{fault}", fault.len())).await;
    let user = User::of(&url);
    // What does not compress: each byte from a generator of pseudo-random numbers.
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(20 << 20)
    .collect();
    std::fs::write(user.folder().join("big"), noise).unwrap();
    let outcome = user.types("paas -q deploy -a my-app").await;
    outcome.failed(1, "error: it is over 1 MiB\nhint: see\n");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let server = Server::default();
    server.on("GET /v1/apps/my-app", &app());
    let user = user(&server).await;
    // A link in the place of a folder: even root cannot read through it.
    std::os::unix::fs::symlink("nowhere", user.folder().join("src")).unwrap();
    user.write(".paasignore", "server.js\n.paasignore\n");
    let outcome = user.types("paas deploy src -a my-app").await;
    let begin = format!("error: cannot read {}/src\n", user.folder().display());
    assert!(outcome.err.starts_with(&begin), "{}", outcome.err);
    let outcome = user.types("paas deploy -a my-app").await;
    assert!(outcome.err.starts_with("error: there is nothing to deploy"), "{}", outcome.err);
}

#[tokio::test]
async fn a_watch_that_is_refused_leaves_a_way_back() {
    let server = Server::default();
    server.on("GET /v1/apps/my-app", &app()).on(BUILDS, &build()).refuse(
        FOLLOW,
        503,
        FaultCode::Unavailable,
    );
    let outcome = user(&server).await.types("paas -q deploy -a my-app").await;
    outcome.failed(
        1,
        "error: no `GET /v1/apps/my-app/follow?build=3`\nhint: the deploy may go on; watch it \
         again: `paas builds follow 3 -a my-app`\n",
    );
}

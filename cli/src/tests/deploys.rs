//! `paas deploys`, and what a deploy says of its waves and its watch.

use api::{Answers, App, Build, Canary, Change, Frame, Pin, Release, Rollout, Watched};

use super::{User, commands::app, server::Server};

const FOLLOW: &str = "GET /v1/apps/my-app/follow?build=3";

async fn user(server: &Server) -> User {
    let mut user = User::of(&server.on_tcp().await);
    user.environment.app = Some("my-app".to_owned());
    user
}

fn rollout(number: u32, phase: &str, reason: Option<&str>) -> Rollout {
    Rollout {
        number,
        release: format!("v{number}"),
        from: Some("v1".to_owned()),
        phase: phase.to_owned(),
        wave: 1,
        waves: 2,
        reason: reason.map(str::to_owned),
        canary: None,
        started_at: "2026-01-10T11:58:00Z".to_owned(),
        phase_at: "2026-01-10T11:58:00Z".to_owned(),
    }
}

#[tokio::test]
async fn deploys_are_listed_with_why_they_failed() {
    let server = Server::default();
    let failed = rollout(2, "failed", Some("web.1 exited with code 3"));
    let answers = |requests, errors, p95_ms| Answers { requests, errors, p95_ms };
    let canary = Canary {
        share: "10%".to_owned(),
        left_ms: Some(90_000),
        canary: answers(40, 1, Some(12.4)),
        control: answers(360, 0, None),
    };
    let tried = Rollout { canary: Some(canary), ..rollout(4, "canary", None) };
    server.on("GET /v1/apps/my-app/rollouts", &[rollout(3, "watching", None), failed, tried]);
    let outcome = user(&server).await.types("paas deploys").await;
    let lines: Vec<String> = outcome
        .out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .map(|line| line.rsplit_once(" 2026").map_or(line.clone(), |(start, _)| start.to_owned()))
        .collect();
    assert!(lines[0].starts_with("DEPLOY RELEASE FROM PHASE WAVE"), "{lines:?}");
    assert!(lines[1].starts_with("3 v3 v1 watching 1 of 2"), "{lines:?}");
    assert!(lines[2].starts_with("2 v2 v1 failed 1 of 2"), "{lines:?}");
    assert!(lines[3].contains("web.1 exited with code 3"), "{lines:?}");
    assert!(lines[4].starts_with("4 v4 v1 canary 1 of 2"), "{lines:?}");
    let told = "canary with 10%: 1 of 40 requests failed, p95 12 ms; beside it: 0 of 360 requests \
                failed; 1 m 30 s left";
    assert!(lines[5].ends_with(told), "{lines:?}");
}

#[tokio::test]
async fn a_watch_is_ended_and_a_deploy_given_up_by_a_word() {
    let server = Server::default();
    let change = |release: &str| Change {
        app: "my-app".to_owned(),
        release: Some(release.to_owned()),
        ..Change::default()
    };
    let no_builds: [Build; 0] = [];
    server
        .on("GET /v1/apps/my-app/builds", &no_builds)
        .on("POST /v1/apps/my-app/rollouts/promote", &change("v3"))
        .on("POST /v1/apps/my-app/rollouts/abort", &change("v1"));
    let user = user(&server).await;
    user.types("paas deploys promote").await.succeeded("", "v3 of my-app goes on\n");
    for line in ["paas deploys:abort", "paas deploys cancel"] {
        user.types(line).await.succeeded("", "given up; v1 of my-app serves\n");
    }
}

#[tokio::test]
async fn a_deploy_tells_its_waves_and_what_takes_over_if_it_dies() {
    let server = Server::default();
    let phase =
        |name: &str| Frame::Phase { name: name.to_owned(), at: "2026-01-10T12:00:00Z".into() };
    let done = Frame::Done {
        release: "v3".to_owned(),
        urls: Vec::new(),
        remark: None,
        watched: Some(Watched { fallback: "v2".to_owned(), left_ms: 10_000 }),
        took_ms: 900,
    };
    let build = Change { app: "my-app".to_owned(), build: Some(3), ..Change::default() };
    server
        .on("GET /v1/apps/my-app", &App { ..app("my-app") })
        .on("POST /v1/apps/my-app/builds", &build)
        .stream(
            FOLLOW,
            &[phase("canary 10%"), phase("shift"), phase("watch"), phase("wave 2 of 2"), done],
        );
    let user = user(&server).await;
    user.write("server.js", "hello");
    let outcome = user.types("paas deploy --strategy rolling").await;
    for line in [
        "-----> Canary: web.1 gets 10% of the requests and is compared\n-----> Shifting traffic\n-----> Watching the first of them\n-----> Wave 2 of 2\n",
        "watched for 10.0 s more: if it dies, v2 takes over again\n",
    ] {
        assert!(outcome.err.contains(line), "{}", outcome.err);
    }
    let sent = server.requests().into_iter().find(|asked| asked.what.ends_with("builds")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&sent.body[..]));
    let mut files =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned());
    assert!(files.any(|path| path.ends_with(".paas/deploy.toml")));
    let wrong = crate::args::parse(
        ["paas", "deploy", "--strategy", "canaries"].map(std::ffi::OsString::from),
    );
    assert!(wrong.is_err());
}

#[tokio::test]
async fn releases_say_why_they_stay_and_one_is_pinned_by_a_word() {
    let server = Server::default();
    let release = |version: &str, kept: Option<&str>| Release {
        version: version.to_owned(),
        current: kept == Some("serves"),
        status: "done".to_owned(),
        cause: "Deploy (build 1)".to_owned(),
        by: "alice".to_owned(),
        at: "2026-01-10T11:58:00Z".to_owned(),
        build: 1,
        commit: None,
        image: "sha256:1".to_owned(),
        processes: [].into(),
        kept: kept.map(str::to_owned),
        pinned: None,
    };
    let pin = Pin {
        by: "bob".to_owned(),
        at: "2026-01-10T11:58:00Z".to_owned(),
        note: Some("before it all".to_owned()),
    };
    let pinned = Release { pinned: Some(pin), ..release("v2", Some("pinned")) };
    let all = [release("v9", Some("serves")), release("v8", None), pinned.clone()];
    server
        .on("GET /v1/apps/my-app/releases", &all)
        .on("PUT /v1/apps/my-app/releases/v2/pin", &pinned)
        .on("DELETE /v1/apps/my-app/releases/v2/pin", &release("v2", None));
    let user = user(&server).await;
    let outcome = user.types("paas releases").await;
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert!(lines[0].trim_end().ends_with("STAYS"), "{lines:?}");
    assert!(lines[1].trim_end().ends_with("serves"), "{lines:?}");
    assert!(lines[2].trim_end().ends_with("not for long"), "{lines:?}");
    assert!(lines[4].starts_with("  pinned by bob, ") && lines[4].ends_with(": before it all"));
    let told = "v2 of my-app stays; `paas rollback v2 -a my-app` goes back to it\n";
    user.types("paas releases pin v2 --note x").await.succeeded("", told);
    assert_eq!(server.requests().last().unwrap().body, r#"{"note":"x"}"#);
    let told = "v2 of my-app goes, with its image, when the server cleans up\n";
    user.types("paas releases:unpin v2").await.succeeded("", told);
}

#[tokio::test]
async fn a_description_says_what_is_on_its_way() {
    let server = Server::default();
    let canary = Canary {
        share: "10%".to_owned(),
        left_ms: Some(90_000),
        canary: Answers { requests: 40, errors: 1, p95_ms: Some(12.4) },
        control: Answers { requests: 360, errors: 0, p95_ms: None },
    };
    let rollout = Rollout { canary: Some(canary), ..rollout(4, "canary", None) };
    let build = serde_json::json!([{
        "number": 12, "status": "queued", "ahead": 1, "behind": "blog #7", "source": "sha256:1",
        "source_bytes": 1, "by": "alice", "queued_at": "2026-01-10T11:58:00Z"
    }, {
        "number": 11, "status": "succeeded", "source": "sha256:1",
        "source_bytes": 1, "by": "alice", "queued_at": "2026-01-10T11:58:00Z"
    }]);
    let nothing: [u8; 0] = [];
    server
        .on("GET /v1/apps/my-app", &app("my-app"))
        .on("GET /v1/apps/my-app/instances", &nothing)
        .on("GET /v1/apps/my-app/events?limit=20", &nothing)
        .on("GET /v1/apps/my-app/rollouts", &[rollout])
        .on("GET /v1/apps/my-app/builds", &build);
    let user = user(&server).await;
    let told = user.types("paas describe").await.out;
    for part in [
        "12 by alice: 2nd in the queue, behind blog #7, for ",
        "4: v4 is canary, from v1, wave 1 of 2, for ",
        "canary with 10%: 1 of 40 requests failed, p95 12 ms; beside it: 0 of 360",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!told.contains("11 by alice"), "{told}");
    let json: serde_json::Value =
        serde_json::from_str(&user.types("paas describe --json").await.out).unwrap();
    assert_eq!((&json["rollout"]["number"], &json["builds"][0]["number"]), (&4.into(), &12.into()));
}

//! Jobs by the clock, as they are listed, told of, run and paused.

use api::{CronJob, CronRun};

use super::{User, server::Server};

async fn user(server: &Server) -> User {
    let mut user = User::of(&server.on_tcp().await);
    user.environment.app = Some("hello".to_owned());
    user
}

fn ended(number: u64, code: u8) -> CronRun {
    CronRun {
        job: "report".to_owned(),
        number,
        state: if code == 0 { "done" } else { "failed" }.to_owned(),
        tick: Some("2026-01-10T11:00:00Z".to_owned()),
        at: "2026-01-10T11:00:00Z".to_owned(),
        by: "paas".to_owned(),
        run: Some(format!("run.{number}")),
        release: Some("v9".to_owned()),
        began_at: Some("2026-01-10T11:00:01Z".to_owned()),
        ended_at: Some("2026-01-10T11:00:03.5Z".to_owned()),
        code: Some(code),
        reason: None,
        last_lines: Vec::new(),
    }
}

fn job() -> CronJob {
    CronJob {
        name: "report".to_owned(),
        schedule: "30 3 * * *".to_owned(),
        timezone: "Europe/Berlin".to_owned(),
        command: "bin/report".to_owned(),
        overlap: "forbid".to_owned(),
        timeout_ms: 1000,
        catch_up_ms: 1000,
        paused_by: None,
        next: Some("2026-01-11T02:30:00Z".to_owned()),
        next_local: Some("2026-01-11 03:30 CET".to_owned()),
        last: Some(ended(4, 0)),
    }
}

#[tokio::test]
async fn jobs_are_listed_with_their_next_tick_and_last_result() {
    let server = Server::default();
    let rests = CronJob {
        paused_by: Some("ci".to_owned()),
        next: None,
        next_local: None,
        last: None,
        ..job()
    };
    server.on("GET /v1/apps/hello/cron", &[job(), rests]);
    let expected = "\
JOB     SCHEDULE    NEXT                  IN   LAST  AGE  COMMAND
report  30 3 * * *  2026-01-11 03:30 CET  14h  done  59m  bin/report
report  30 3 * * *  rests (ci)            -    -     -    bin/report
";
    let user = user(&server).await;
    user.types("paas cron").await.succeeded(expected, "");
    user.types("paas cron:list").await.succeeded(expected, "");
}

#[tokio::test]
async fn a_history_tells_what_became_of_ticks() {
    let server = Server::default();
    let failed = CronRun {
        reason: Some("it took longer than 2s".to_owned()),
        last_lines: vec!["no such table".to_owned()],
        ..ended(5, 143)
    };
    let by_hand = CronRun { tick: None, by: "ci".to_owned(), ..ended(4, 0) };
    server.on("GET /v1/apps/hello/cron/history?job=report&limit=2", &[failed, by_hand]);
    let expected = "\
TICK                  JOB     RESULT        RUN    RELEASE  TOOK   AGE
2026-01-10T11:00:00Z  report  failed (143)  run.5  v9       2.5 s  59m
  it took longer than 2s
  no such table
by ci                 report  done          run.4  v9       2.5 s  59m
";
    user(&server).await.types("paas cron history report -n 2").await.succeeded(expected, "");
}

#[tokio::test]
async fn a_job_is_paused_and_goes_on() {
    let server = Server::default();
    server.on("POST /v1/apps/hello/cron/report/pause", &job());
    server.on("POST /v1/apps/hello/cron/report/resume", &job());
    let user = user(&server).await;
    let rests = "report rests; `paas cron resume report -a hello` ends that\n";
    user.types("paas cron pause report").await.succeeded("", rests);
    let next = "report goes on; next: 2026-01-11 03:30 CET\n";
    user.types("paas cron resume report").await.succeeded("", next);
    let error = "error: `../x` is not the name of a job\nhint: `paas cron -a hello` lists them\n";
    user.types("paas cron run ../x").await.failed(2, error);
}

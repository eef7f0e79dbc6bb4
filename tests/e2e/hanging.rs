//! Instances that hang: another takes their place, and nobody but who was with them notices.

use crate::{
    server::{Server, says, until},
    sources,
};

/// `/up` says that it is well, `/who` which run of it answers, and `/hang` is the last it does.
const WEB: &str = r"
const me = require('node:crypto').randomUUID();
require('node:http').createServer((request, response) => {
  if (request.url === '/hang') {
    response.end('hanging', () => { console.log('hanging now'); setTimeout(() => { for (;;); }, 10); });
  } else if (request.url === '/up') {
    response.end(request.headers['x-check'] === 'yes' ? 'all is well' : 'who asks?');
  } else {
    response.end(me);
  }
}).listen(PORT, '0.0.0.0');";

const MANIFEST: &str = r#"
[process.web]
scale = 2
stop_timeout = "1s"
[process.web.health]
path = "/up"
body = "is well"
headers = { x-check = "yes" }
[process.web.liveness]
interval = "300ms"
timeout = "500ms"
grace = "1s"
[process.worker]
command = "trap '' TERM; touch /tmp/ready; while :; do sleep 1; done"
stop_timeout = "500ms"
[process.worker.health]
command = ["test", "-e", "/tmp/ready"]
[process.worker.liveness]
command = ["sh", "-c", "if [ -e /tmp/ill ]; then exec sleep 4242; fi"]
interval = "300ms"
timeout = "1s"
grace = "1s"
failures = 2
"#;

#[test]
fn whoever_hangs_is_relieved_by_another() {
    let server = Server::start();
    let folder = sources::node(WEB);
    sources::write(folder.path(), "paas.toml", MANIFEST);
    server.deploy("app", folder.path()).ok();
    server.until_runs("app", &["web.1", "web.2", "worker.1"]);

    let why = server.paas(&["why", "app.localhost/who"]).ok();
    says(&why, &["web.2  ", "v1 is ready", "leads to 127.0.0.1", "/who answers 200"]);
    assert_eq!(server.page("app", "/hang"), "hanging");
    let events = until("it is seen to hang", || {
        let events = server.paas(&["events", "-a", "app"]).ok();
        events.contains("another is started in its place").then_some(events)
    });
    says(&events, &["hangs (liveness: no answer within 0.5 s)", "hanging now"]);
    // Nobody is sent to it any more.
    for _ in 0..50 {
        server.page("app", "/who");
    }
    until("another has its place", || {
        let ps = server.ps("app");
        let web = ps.iter().filter(|one| one["name"].as_str().unwrap().starts_with("web."));
        let well: Vec<_> = web.clone().filter(|one| one["health"] == "ready").collect();
        let relieved = well.iter().any(|one| one["restarts"] == 1);
        (web.count() == 2 && well.len() == 2 && relieved).then_some(())
    });

    // A worker that is asked by a program which hangs, and that ignores SIGTERM.
    let before = server.containers();
    server.paas(&["exec", "worker.1", "-a", "app", "--", "touch", "/tmp/ill"]).ok();
    until("another worker has its place", || {
        let ps = server.ps("app");
        let worker: Vec<_> = ps.iter().filter(|one| one["name"] == "worker.1").collect();
        let [one] = worker[..] else { return None };
        let relieved = one["restarts"] == 1 && one["health"] == "ready";
        (relieved && server.containers().len() == before.len()).then_some(())
    });
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["worker.1 hangs (liveness: `sh` did not end within 1 s)"]);
    assert!(programs_like("sleep\x004242").is_empty(), "a check was left behind");
    assert_eq!(server.containers().len(), 3);

    server.paas(&["scale", "web=0", "-a", "app"]).ok();
    let why = server.paas(&["why", "app"]).ended(1);
    says(&why, &["✗ app is scaled to zero", "hint: `paas scale web=1 -a app`"]);
    let why = server.paas(&["why", "nobody.example.com"]).ended(1);
    says(&why, &["no app of this server has nobody.example.com", "`paas domains add"]);
}

/// The processes of this machine whose command line has that text.
fn programs_like(text: &str) -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let line = |path: &std::path::Path| {
        let bytes = std::fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    all.map(|entry| entry.path()).filter(|path| line(path).contains(text)).collect()
}

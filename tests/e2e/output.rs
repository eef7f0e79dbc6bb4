//! What apps and builds wrote: as history, as it comes, across instances and releases.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::{
    server::{Server, says, until},
    sources,
};

#[test]
fn output_is_kept_found_and_followed() {
    let server = Server::start();
    server.deploy("app", sources::server("one").path()).ok();
    server.paas(&["scale", "web=2", "-a", "app"]).ok();
    server.until_runs("app", &["web.1", "web.2"]);
    let logs = |arguments: &[&str]| server.paas(&[&["logs", "-a", "app"], arguments].concat()).ok();

    // As it comes, from all instances.
    let mut command = server.command(&["logs", "-f", "-n", "0", "-a", "app"]);
    let mut following = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut sources_seen = std::collections::BTreeSet::new();
    let mut count = 0;
    let followed = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            // Whoever follows may not have begun; so it is said until it is heard.
            for number in 0..200 {
                server.page("app", &format!("/log/called%20{number}"));
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        while sources_seen.len() < 2 {
            let line = lines.next().unwrap().unwrap();
            if line.contains("called") {
                count += 1;
                sources_seen.extend(["web.1", "web.2"].into_iter().find(|it| line.contains(it)));
            }
        }
        asking.join().unwrap();
        sources_seen.clone()
    });
    assert_eq!(followed.len(), 2, "{count} lines");
    following.kill().unwrap();
    following.wait().unwrap();

    // By text, by instance, by number, by time.
    until("the last is kept", || {
        logs(&["--grep", "called 199"]).contains("called 199").then_some(())
    });
    assert_eq!(logs(&["--grep", "called 17", "-n", "1"]).lines().count(), 1);
    let one = logs(&["-p", "web.1", "-n", "10000"]);
    assert!(one.contains("web.1") && !one.contains("web.2"), "{one}");
    assert_eq!(logs(&["-n", "5"]).lines().count(), 5);
    assert_eq!(logs(&["--until", "1h", "--grep", "called"]), "");
    says(&logs(&["--since", "1h", "-n", "1000"]), &["serving one", "called 0", "called 199"]);
    let json = server.paas(&["logs", "-a", "app", "--json", "-n", "3"]);
    for line in json.stdout.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["release"], &line["stream"]), (&"v1".into(), &"out".into()));
    }

    // Kept over a deploy, and when the instances are gone.
    server.deploy("app", sources::server("two").path()).ok();
    server.paas(&["scale", "web=0", "-a", "app"]).ok();
    until("nothing runs", || server.containers().is_empty().then_some(()));
    until("their last words are kept", || {
        logs(&["--grep", "leaving two"]).contains("leaving two").then_some(())
    });
    says(&logs(&["--release", "v1", "-n", "1000"]), &["serving one", "called 199", "leaving one"]);
    says(&logs(&["--release", "v2", "-n", "1000"]), &["serving two", "leaving two"]);

    // What builds wrote, and what happened.
    says(&logs(&["--build", "1"]), &["Node.js", "version"]);
    says(&server.paas(&["builds", "log", "-a", "app"]).ok(), &["Node.js"]);
    let events = server.paas(&["events", "-a", "app"]).ok();
    says(&events, &["build 1 queued", "v1 is ready and takes over", "v2 is ready and takes over"]);
    says(&server.paas(&["logs", "-a", "app", "--build", "9"]).ended(1), &["error:", "build 9"]);
    server.paas(&["logs", "-a", "app", "--since", "yesterdayish"]).ended(2);
}

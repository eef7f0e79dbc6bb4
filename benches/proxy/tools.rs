//! Load by wrk and h2load, and what they print when they are done.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// What a generator saw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Good answers per second.
    pub(crate) rate: f64,
    /// Good answers in all.
    pub(crate) answers: f64,
    /// Connections and requests that failed.
    pub(crate) failures: u64,
}

/// HTTP/1.1 on kept-alive connections, one request at a time on each.
pub(crate) fn wrk(
    scheme: &str,
    address: SocketAddr,
    path: &str,
    connections: usize,
    length: Duration,
) -> Load {
    let url = format!("{scheme}://{address}{path}");
    // wrk counts in whole seconds.
    let seconds = length.as_secs().max(1);
    let said = run(
        "wrk",
        &[
            "--threads=1",
            &format!("--connections={connections}"),
            &format!("--duration={seconds}"),
            "--timeout=5",
            &url,
        ],
    );
    let failures = after(&said, "Non-2xx or 3xx responses:")
        + said
            .lines()
            .find_map(|line| line.trim().strip_prefix("Socket errors:"))
            .map_or(0.0, |line| {
                line.split([' ', ',']).filter_map(|word| word.parse::<f64>().ok()).sum()
            });
    let answers = said
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))
        .and_then(|(count, _)| count.parse().ok())
        .unwrap_or(0.0);
    Load { rate: after(&said, "Requests/sec:"), answers, failures: failures as u64 }
}

/// HTTP/2 over TLS, ten requests at a time on each connection.
pub(crate) fn h2load(address: SocketAddr, connections: usize, length: Duration) -> Load {
    let said = run(
        "h2load",
        &[
            &format!("--clients={connections}"),
            "--max-concurrent-streams=10",
            "--npn-list=h2",
            &format!("--duration={}", length.as_secs().max(1)),
            &format!("https://{address}/"),
        ],
    );
    let requests =
        said.lines().find_map(|line| line.strip_prefix("requests: ")).unwrap_or_default();
    let count = |what: &str| {
        let found = requests.split(", ").find_map(|part| part.strip_suffix(what));
        found.and_then(|number| number.trim().parse::<f64>().ok()).unwrap_or(0.0)
    };
    let answers = count(" succeeded");
    let elsewise = if said.contains("protocol: h2") { 0.0 } else { 1.0 };
    let failures = count(" failed") + count(" errored") + count(" timeout") + elsewise;
    // Its own rate is over the whole time asked for, whatever happened in it.
    Load { rate: answers / length.as_secs().max(1) as f64, answers, failures: failures as u64 }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}; scripts/setup.sh benches"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The number behind a label.
fn after(text: &str, label: &str) -> f64 {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

//! What is to happen once, when whoever leads dies in the middle of it: a tick of a job by the clock, the command of a
//! release, a run. What the records say is compared with what the containers themselves have said.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Instant};

use serde_json::Value;

use crate::{
    collector::Collector,
    docker,
    server::{says, until},
    sources,
    switch::nobody_notices_that_a_machine_is_lost_in_a_switch,
    three::Three,
};

/// An app of which everything says to the collector what it does; what it shows is the variable `COLOUR`.
pub(crate) const SHADE: &str = "shade";

/// `bash say.sh WHAT SECONDS`; the time is `NAP` where there is one.
const SAY: &str = r#"
say() { echo "$1" >/dev/tcp/HOST/PORT; }
me="$1 $PAAS_PROCESS of $PAAS_RELEASE"
say "$me begins"
trap 'say "$me is told to end"; exit 3' TERM
sleep "${2:-${NAP:-0}}" & wait
say "$me is done"
"#;

const SHOW: &str = r"
const net = require('node:net');
const { COLOUR = 'red', GATED, PAAS_PROCESS } = process.env;
const server = require('node:http').createServer((_, response) => response.end(COLOUR));
const listen = () => server.listen(Number(process.env.PORT), '0.0.0.0');
const ask = () => {
  const again = () => setTimeout(ask, 100);
  const line = net.connect(PORT, 'HOST', () => line.write(`may ${PAAS_PROCESS}\n`));
  line.on('error', again).once('data', (said) => `${said}` === 'yes' ? listen() : again());
};
if (GATED) ask(); else listen();
process.on('SIGTERM', () => { server.close(); server.closeIdleConnections(); });
";

const MANIFEST: &str = r#"
[process.web]
scale = 3
[deploy]
strategy = "blue-green"
watch = "8s"
release = "bash say.sh release"
[cron.short]
schedule = "* * * * *"
command = ["bash", "say.sh", "short", "1"]
[cron.long]
schedule = "* * * * *"
command = ["bash", "say.sh", "long", "300"]
"#;

fn source(at: Ipv4Addr, port: u16) -> tempfile::TempDir {
    let filled = |text: &str| {
        text.replace("HOST", &at.to_string())
            .replace("net.connect(PORT", &format!("net.connect({port}"))
            .replace("/PORT;", &format!("/{port};"))
    };
    let package = r#"{"name":"app","version":"1.0.0","scripts":{"start":"exec node app.js"}}"#;
    sources::folder(&[
        ("package.json", package),
        ("app.js", &filled(SHOW)),
        ("say.sh", &filled(SAY)),
        ("paas.toml", MANIFEST),
    ])
}

#[test]
fn what_is_to_happen_once_does_when_the_leader_dies_and_nobody_notices_a_switch_that_is_cut() {
    let collector = Collector::listen();
    let allow = ("PAAS_FIREWALL_ALLOW", collector.port().to_string());
    let mut three = Three::join_with(vec![allow], None);
    let folder = source(three.stage.bed.address(), collector.port());
    three.promote();
    three.stage.server.deploy(SHADE, folder.path()).ok();

    // All of it is under way when the leader dies.
    let run = three.run(&["run", "-d", "-a", SHADE, "--", "bash", "say.sh", "run", "300"]).ok();
    let run = run.lines().next().unwrap().to_owned();
    collector.until_said(&format!("run {run} of v1 begins"));
    three.run(&["config", "set", "NAP=300", "COLOUR=black", "--detach", "-a", SHADE]).ok();
    collector.until_said("release release.1 of v2 begins");
    let long = a_tick_that_is_under_way(&three, &collector);
    three.kill9("box");
    let killed = Instant::now();
    let leader = three.leader();
    println!("{:?} until {leader} led in the place of the one that died", killed.elapsed());
    assert_ne!(leader, "box");
    it_is_on_record_what_became_of_it(&three, &run);
    let before = begun(&collector);
    let last = last_tick(&three);

    // What it left ends when it is back.
    three.start("box");
    let back = Instant::now();
    three.until_up("box");
    until("nothing is left of it at the former leader", || left(&three).is_empty().then_some(()));
    println!("{:?} until nothing was left of it at the former leader", back.elapsed());
    collector.until_said(&format!("run {run} of v1 is told to end"));
    collector.until_said("release release.1 of v2 is told to end");
    collector.until_said(&long.replace("begins", "is told to end"));
    let again: Vec<_> = begun(&collector).into_iter().filter(|one| one.starts_with('r')).collect();
    assert!(again.iter().all(|one| before.contains(one)), "{again:?} after {before:?}");

    nobody_notices_that_a_machine_is_lost_in_a_switch(&three, &collector);

    // The next tick is the next leader's, once.
    let next = until("a tick has run on the next leader", || {
        let lines = history(&three, "short");
        let done = lines.iter().find(|line| line["state"] == "done")?;
        (done["tick"].as_str()? > last.as_str()).then(|| done["tick"].clone())
    });
    println!("{:?} until the next tick had run, that of {next}", killed.elapsed());
    nothing_was_begun_twice(&three, &collector);
}

/// What the containers have said is on record, and nothing is there twice.
fn nothing_was_begun_twice(three: &Three, collector: &Collector) {
    let all = begun(collector);
    for job in ["short", "long"] {
        let lines = history(three, job);
        let ran: Vec<_> = lines.iter().filter(|line| line["run"].is_string()).collect();
        let ticks: BTreeSet<_> = ran.iter().map(|line| line["tick"].as_str().unwrap()).collect();
        assert_eq!(ticks.len(), ran.len(), "no tick has two runs: {lines:?}");
        let on_record: BTreeSet<_> = ran.iter().map(|line| said_of(job, line)).collect();
        let said: Vec<_> = all.iter().filter(|line| line.starts_with(job)).cloned().collect();
        assert_eq!(BTreeSet::from_iter(said.clone()).len(), said.len(), "begun twice: {said:?}");
        // One that was recorded a moment ago may not have come to speak.
        assert!(said.iter().all(|one| on_record.contains(one)), "{said:?}, not {on_record:?}");
        assert!(said.len() + 1 >= ran.len(), "{said:?} of {ran:?}");
        println!("{job}: {} ticks on record, {} begun, none twice", ran.len(), said.len());
    }
    let releases: Vec<_> = all.iter().filter(|line| line.starts_with("release")).collect();
    assert_eq!(releases.iter().collect::<BTreeSet<_>>().len(), releases.len(), "{releases:?}");
    println!("{} release commands begun, none twice", releases.len());
}

/// What the app has, as a command that shows it says.
pub(crate) fn listed(three: &Three, arguments: &[&str]) -> Vec<Value> {
    let shown = three.until_does(&[arguments, &["-a", SHADE, "--json"]].concat()).json();
    shown.as_array().unwrap().clone()
}

fn history(three: &Three, job: &str) -> Vec<Value> {
    listed(three, &["cron", "history", job])
}

/// Waits until a run of the long job that is on record has begun; what it has said.
#[track_caller]
fn a_tick_that_is_under_way(three: &Three, collector: &Collector) -> String {
    until("a tick is under way", || {
        let lines = history(three, "long");
        let running = lines.iter().find(|line| line["state"] == "running")?;
        collector.about(&said_of("long", running)).pop()
    })
}

/// As a line of history shows it, the first thing that the run says.
fn said_of(job: &str, line: &Value) -> String {
    let (run, release) = (line["run"].as_str().unwrap(), line["release"].as_str().unwrap());
    format!("{job} {run} of {release} begins")
}

/// The last tick that is dealt with.
fn last_tick(three: &Three) -> String {
    let lines = history(three, "long");
    lines.iter().filter_map(|line| line["tick"].as_str()).max().unwrap().to_owned()
}

/// Everything that has begun.
fn begun(collector: &Collector) -> Vec<String> {
    collector.lines().into_iter().filter(|line| line.ends_with("begins")).collect()
}

fn it_is_on_record_what_became_of_it(three: &Three, run: &str) {
    let over = |lines: Vec<Value>, what: &str| {
        let ended = lines.into_iter().find(|line| line["reason"].is_string())?;
        says(ended["reason"].as_str().unwrap(), &[what]);
        Some(ended)
    };
    let lost = "box does not lead any more, and only there it is known what it did";
    let tick = until("the job is over", || over(history(three, "long"), lost));
    assert_eq!((&tick["state"], &tick["code"]), (&"failed".into(), &Value::Null), "{tick}");
    let runs = || listed(three, &["runs"]).into_iter().filter(|one| one["name"] == run);
    until("the run is over", || over(runs().collect(), lost));
    let unknown = "the outcome of the release command is unknown";
    let failed = until("the deploy is over", || over(listed(three, &["deploys"]), unknown));
    assert_eq!((&failed["phase"], &failed["release"]), (&"failed".into(), &"v2".into()));
    println!("of the deploy it is said: {}", failed["reason"]);
}

/// What runs once and still has a container at the former leader.
fn left(three: &Three) -> Vec<String> {
    let all = docker::containers(&three.stage.server.installation()).into_iter();
    let once = |name: &String| name.contains(SHADE) && !name.contains("web");
    all.map(|one| one.name).filter(once).collect()
}

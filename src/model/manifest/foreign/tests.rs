//! Whole files of other platforms, and what comes of them.

use super::Foreign;
use crate::model::{
    EnvKey, ProcessName, Strategy,
    manifest::{BuildWay, Declaration},
};

const FLY: &str = r#"
app = "hello"
primary_region = "ams"
kill_timeout = 12
[build]
dockerfile = "./docker/web"
builder = "acme/builder"
[build.args]
NODE_ENV = "production"
[env]
LEVEL = "info"
WORKERS = 4
"BAD KEY" = "x"
[processes]
app = "bin/server"
jobs = "bin/jobs"
[http_service]
internal_port = 3000
force_https = true
min_machines_running = 2
processes = ["app"]
[http_service.concurrency]
type = "requests"
hard_limit = 250
[[http_service.checks]]
grace_period = "10s"
interval = "15s"
timeout = 2
path = "/up"
[[vm]]
memory = "512mb"
cpus = 1
[deploy]
release_command = "bin/migrate"
strategy = "bluegreen"
wait_timeout = "4m"
max_unavailable = 1
[[mounts]]
source = "data"
destination = "/data"
"#;

#[test]
fn a_fly_toml_is_understood() {
    let Foreign { manifest, taken, left } = Foreign::read("fly.toml", FLY).unwrap();
    let name = |name: &str| name.parse::<ProcessName>().unwrap();
    let web = &manifest.suggested[&name("web")];
    assert_eq!(web.command.as_deref(), Some("bin/server"));
    assert_eq!((web.port, web.scale), (Some(3000), Some(2)));
    assert_eq!(web.memory.unwrap().to_string(), "512 MiB");
    assert_eq!(web.stop_timeout.unwrap().as_secs(), 12);
    let health = &web.health;
    assert_eq!(health.path.as_deref(), Some("/up"));
    let times = [health.grace, health.interval, health.timeout].map(|time| time.unwrap().as_secs());
    assert_eq!(times, [10, 15, 2]);
    assert_eq!(manifest.suggested[&name("jobs")].command.as_deref(), Some("bin/jobs"));
    assert_eq!(manifest.build.way, BuildWay::Dockerfile("docker/web".to_owned()));
    assert_eq!((manifest.build.args.len(), manifest.env.len()), (1, 2));
    assert_eq!((manifest.http.redirect, manifest.http.max_in_flight), (Some(true), None));
    let deploy = &manifest.deploy;
    assert_eq!(deploy.release.as_deref(), Some("bin/migrate"));
    assert_eq!(deploy.strategy, Some(Strategy::BlueGreen));
    assert_eq!(deploy.timeout.unwrap().as_secs(), 240);
    assert_eq!(
        left,
        ["build.builder", "deploy.max_unavailable", "env BAD KEY", "concurrency", "mounts"]
    );
    assert!(taken.contains(&"internal_port".to_owned()), "{taken:?}");
    assert!(manifest.processes.is_empty() && manifest.app.is_none());
}

#[test]
fn an_app_json_is_understood() {
    let text = r#"{
        "name": "Hello", "stack": "heroku-24", "scripts": {"postdeploy": "x"},
        "env": {"A": "1", "B": {"value": "2"}, "C": {"required": true},
                "KEY": {"generator": "secret"}},
        "formation": {"web": {"quantity": 2, "size": "eco"}, "worker": {"quantity": 1000}},
        "healthchecks": {"web": [{"type": "startup", "uptime": 3}, {"path": "/h", "timeout": 4}]}
    }"#;
    let Foreign { manifest, left, .. } = Foreign::read("app.json", text).unwrap();
    assert_eq!(manifest.env.values().collect::<Vec<_>>(), ["1", "2"]);
    let generated = manifest.secrets.generate.iter().map(EnvKey::as_str);
    assert_eq!(generated.collect::<Vec<_>>(), ["KEY"]);
    let web = &manifest.suggested["web"];
    assert_eq!((web.scale, web.health.path.as_deref()), (Some(2), Some("/h")));
    assert_eq!(
        left,
        ["env C (it has no value: `paas config set C=…`)", "formation.worker.quantity", "scripts"]
    );
}

#[test]
fn what_is_no_such_file_is_left_alone() {
    for (name, text) in
        [("fly.toml", "= ="), ("app.json", "[]"), ("app.json", "{"), ("render.yaml", "{}")]
    {
        assert_eq!(Foreign::read(name, text), None, "{name} {text}");
    }
    let odd =
        "http_service = 1\nbuild = []\nenv = 'x'\nvm = 3\n[processes]\nweb = 1\n[checks]\na = 1";
    assert_eq!(Foreign::read("fly.toml", odd).unwrap().manifest.suggested.len(), 0);
}

#[test]
fn a_mount_of_fly_is_a_volume_unless_the_manifest_has_some() {
    let text = "[mounts]\nsource = \"my_data\"\ndestination = \"/data\"\ninitial_size = \"5gb\"";
    let Foreign { mut manifest, taken, left } = Foreign::read("fly.toml", text).unwrap();
    assert_eq!((taken, left), (vec!["mounts".to_owned()], vec!["mounts.initial_size".to_owned()]));
    assert_eq!(manifest.suggested["web"].volumes["my_data"].path.as_str(), "/data");
    let alone = manifest.deploy_settings().takeover.strategy_of(&"web".parse().unwrap());
    assert_eq!(alone, Strategy::Recreate);
    let own = crate::model::Manifest::parse("[volume.data]\npath = \"/data\"").unwrap();
    let other = std::mem::replace(&mut manifest, own);
    manifest.fill(other);
    assert!(manifest.suggested["web"].volumes.is_empty());
    let of_others = format!("{text}\nprocesses = [\"worker\"]");
    let Foreign { taken, left, .. } = Foreign::read("fly.toml", &of_others).unwrap();
    assert!(taken.is_empty() && left.contains(&"mounts".to_owned()), "{left:?}");
    let hiding = text.replace("/data", "/usr");
    let Foreign { taken, left, .. } = Foreign::read("fly.toml", &hiding).unwrap();
    assert!(taken.is_empty() && left.contains(&"mounts".to_owned()), "{left:?}");
}

#[test]
fn dokkus_jobs_by_the_clock_are_understood() {
    let text = r#"{"cron": [
        {"command": "bin/report --all", "schedule": "30 3 * * *"},
        {"command": "bin/report -all", "schedule": "@daily", "concurrency_policy": "forbid"},
        {"command": "bin/rests", "schedule": "@daily", "maintenance": true},
        {"command": "bin/odd", "schedule": "@reboot"}
    ]}"#;
    let Foreign { manifest, left, taken } = Foreign::read("app.json", text).unwrap();
    let shown = manifest.cron.iter().map(|(name, job)| {
        format!("{name}: {} {} {}", job.schedule, job.command, job.overlap.word())
    });
    let expected = [
        "bin-report-all: 30 3 * * * bin/report --all allow",
        "bin-report-all-2: @daily bin/report -all forbid",
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    assert_eq!(taken, ["cron bin/report --all", "cron bin/report -all"]);
    assert_eq!(left, ["cron bin/rests", "cron bin/odd"]);
}

#[test]
fn variables_are_bounded_together_with_those_of_nearer_files() {
    let large = "x".repeat(20 << 10);
    let texts = |own: &str| {
        let fly = format!("[env]\nA = \"{large}\"\nB = \"{large}\"\nC = \"small\"");
        let app = format!(r#"{{"env": {{"D": "{large}", "E": "small"}}}}"#);
        let own = format!("[env]\n{own}");
        [("paas.toml", own), ("fly.toml", fly), ("app.json", app)]
            .map(|(name, text)| (name.to_owned(), text))
            .into()
    };
    let read = |own: &str| Declaration::read(&texts(own), &"shop".parse().unwrap()).unwrap();
    let names = |read: &Declaration| {
        read.manifest.env.keys().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let alone = read("");
    assert_eq!(names(&alone), "A C E");
    let told = alone.remarks.join("\n");
    assert!(
        told.contains("without effect here: env B (the variables are larger than 32768 bytes)"),
        "{told}"
    );
    assert!(!told.contains("env B,") && told.contains("env D (the variables"), "{told}");
    assert_eq!(names(&read(&format!("F = \"{large}\""))), "C E F");
    assert_eq!(names(&read("A = \"near\"")), "A B C E");
}

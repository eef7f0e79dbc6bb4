//! `fly.toml` (Fly.io, "App configuration").

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Foreign, first_table, path, plain, time};
use crate::model::{
    ByteSize, HttpProtocol, Strategy,
    app::MAX_SCALE,
    manifest::{
        BuildWay, ManifestProcess, build::inside, health::settable, read::MIN_MEMORY,
        volume::hides_system,
    },
    volume::Mounting,
};

type Table = Map<String, Value>;

pub(super) fn read(file: &Table, into: &mut Foreign) {
    let service = first_table(file.get("http_service")).or(first_table(file.get("services")));
    let web = web(service);
    for (key, value) in file {
        match (key.as_str(), value) {
            ("build", Value::Object(table)) => build(table, into),
            ("env", Value::Object(table)) => {
                into.environment(table.iter().map(|(key, value)| (key, plain(value))));
            }
            ("processes", Value::Object(table)) => processes(table, &web, into),
            ("deploy", Value::Object(table)) => deploy(table, into),
            ("checks", Value::Object(table)) => {
                if let Some(check) = table.values().find_map(Value::as_object) {
                    health(check, into);
                }
            }
            ("vm", value) => size(first_table(Some(value)), into),
            ("kill_timeout", value) => {
                into.take("kill_timeout", time(value), |it, timeout| {
                    set(it, |process| process.stop_timeout = Some(timeout));
                });
            }
            ("http_service" | "services" | "mounts", _) => {}
            (known, _) if SILENT.contains(&known) => {}
            (other, _) => into.left.push(other.to_owned()),
        }
    }
    if let Some(service) = service {
        serve(service, into);
    }
    if let Some(value) = file.get("mounts") {
        mounts(value, into);
    }
}

/// The process that visitors reach; Fly calls it `app` where nothing else is said.
fn web(service: Option<&Table>) -> String {
    let named = service.and_then(|it| it.get("processes")?.as_array()?.first()?.as_str());
    named.unwrap_or("app").to_owned()
}

fn build(table: &Table, into: &mut Foreign) {
    for (key, value) in table {
        let text = value.as_str();
        match key.as_str() {
            "dockerfile" => {
                let inside = text.and_then(inside);
                into.take("build.dockerfile", inside, |it, path| {
                    it.manifest.build.way = BuildWay::Dockerfile(path.to_owned());
                });
            }
            "image" => {
                let image = text.and_then(|text| text.parse().ok());
                into.take("build.image", image, |it, image| {
                    it.manifest.build.way = BuildWay::Image(image);
                });
            }
            "build-target" | "target" => {
                into.take("build.target", text, |it, target| {
                    it.manifest.build.target = Some(target.to_owned());
                });
            }
            "args" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    let arg = key.parse().ok().zip(plain(value));
                    into.take(&format!("build.args {key}"), arg, |it, (key, value)| {
                        it.manifest.build.args.insert(key, value);
                    });
                }
            }
            // A builder of another server is not here, and ours need no choosing.
            other => into.left.push(format!("build.{other}")),
        }
    }
}

fn processes(table: &Table, web: &str, into: &mut Foreign) {
    for (name, command) in table {
        let ours = if name == web { "web" } else { name.as_str() };
        let command = command.as_str().filter(|command| !command.trim().is_empty());
        let known = command.filter(|_| into.process(ours).is_some());
        into.take(&format!("processes.{name}"), known, |it, command| {
            if let Some(process) = it.process(ours) {
                process.command = Some(command.to_owned());
            }
        });
    }
}

fn deploy(table: &Table, into: &mut Foreign) {
    for (key, value) in table {
        let what = format!("deploy.{key}");
        match key.as_str() {
            "release_command" => {
                let command = value.as_str().filter(|command| !command.trim().is_empty());
                into.take(&what, command, |it, command| {
                    it.manifest.deploy.release = Some(command.to_owned());
                });
            }
            "release_command_timeout" => into.take(&what, time(value), |it, timeout| {
                it.manifest.deploy.release_timeout = Some(timeout);
            }),
            "wait_timeout" => into.take(&what, time(value), |it, timeout| {
                it.manifest.deploy.timeout = Some(timeout);
            }),
            "strategy" => {
                let strategy = match value.as_str() {
                    Some("rolling") => Some(Strategy::Rolling),
                    Some("bluegreen") => Some(Strategy::BlueGreen),
                    _ => None,
                };
                into.take(&what, strategy, |it, strategy| {
                    it.manifest.deploy.strategy = Some(strategy);
                });
            }
            _ => into.left.push(what),
        }
    }
}

fn serve(service: &Table, into: &mut Foreign) {
    if let Some(port) = service.get("internal_port") {
        let port = port.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        into.take("internal_port", port, |it, port| {
            set(it, |process| process.port = Some(port));
        });
    }
    if let Some(force) = service.get("force_https").and_then(Value::as_bool) {
        into.take("force_https", Some(force), |it, force| {
            it.manifest.http.redirect = Some(force);
        });
    }
    if let Some(least) = service.get("min_machines_running").and_then(Value::as_u64) {
        let scale = u16::try_from(least).ok().filter(|scale| (1..=MAX_SCALE).contains(scale));
        if let Some(scale) = scale {
            into.take("min_machines_running", Some(scale), |it, scale| {
                set(it, |process| process.scale = Some(scale));
            });
        }
    }
    if service.contains_key("concurrency") {
        // Fly's limits are of one machine, ours is of the app.
        into.left.push("concurrency".to_owned());
    }
    let options = service.get("http_options").and_then(Value::as_object);
    if options.and_then(|it| it.get("h2_backend")).and_then(Value::as_bool) == Some(true) {
        into.take("h2_backend", Some(()), |it, ()| it.manifest.http.protocol = HttpProtocol::H2c);
    }
    if let Some(check) =
        first_table(service.get("checks")).or(first_table(service.get("http_checks")))
    {
        health(check, into);
    }
}

/// Fly's checks say who gets requests, and replace nobody: readiness.
fn health(check: &Table, into: &mut Foreign) {
    let text = |key: &str| check.get(key).and_then(Value::as_str).unwrap_or_default();
    // What asks in another way than ours can would find well what is not, or the other way round.
    let method = text("method").to_ascii_lowercase();
    if text("protocol") == "https" || !["", "get"].contains(&method.as_str()) {
        into.left.push("checks".to_owned());
        return;
    }
    if let Some(table) = check.get("headers").and_then(Value::as_object) {
        let fields = table.iter().filter_map(|(name, value)| settable(name, value.as_str()?));
        let fields = Some(fields.collect::<BTreeMap<_, _>>()).filter(|it| it.len() == table.len());
        let fields = fields.filter(|_| check.contains_key("path"));
        into.take("checks.headers", fields, |it, headers| {
            set(it, |process| process.health.headers = headers);
        });
    }
    if let Some(value) = check.get("path") {
        into.take("checks.path", path(value), |it, path| {
            set(it, |process| process.health.path = Some(path));
        });
    }
    for (key, pick) in TIMES {
        if let Some(value) = check.get(*key) {
            into.take(&format!("checks.{key}"), time(value), |it, time| {
                set(it, |process| *pick(process) = Some(time));
            });
        }
    }
}

fn size(vm: Option<&Table>, into: &mut Foreign) {
    let Some(vm) = vm else { return };
    let memory = vm.get("memory").or_else(|| vm.get("memory_mb")).and_then(plain);
    if let Some(text) = memory {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let text = if digits { format!("{text}m") } else { text };
        let size = text.parse::<ByteSize>().ok().filter(|size| *size >= MIN_MEMORY);
        into.take("vm.memory", size, |it, size| {
            set(it, |process| process.memory = Some(size));
        });
    }
}

/// One volume of the process that visitors reach; Fly gives every machine one of its own, so that with
/// more of them, or for other processes, it means something else.
fn mounts(value: &Value, into: &mut Foreign) {
    let mounts: Vec<&Table> = match value {
        Value::Object(table) => vec![table],
        Value::Array(list) => list.iter().filter_map(Value::as_object).collect(),
        _ => Vec::new(),
    };
    let web = into.manifest.suggested.iter().find(|(name, _)| name.is_web());
    let alone = web.and_then(|(_, web)| web.scale).is_none_or(|scale| scale <= 1);
    for mount in mounts {
        let text = |key: &str| mount.get(key).and_then(Value::as_str);
        let ours = alone && !mount.contains_key("processes");
        let name = text("source").and_then(|name| name.parse().ok());
        let path = text("destination").and_then(|path| path.parse().ok());
        let path = path.filter(|path| !hides_system(path));
        let both = name.zip(path).filter(|_| ours);
        into.take("mounts", both, |it, (name, path)| {
            set(it, |process| drop(process.volumes.insert(name, Mounting::at(path))));
        });
        let rest = mount.keys().filter(|key| !MOUNT.contains(&key.as_str()));
        into.left.extend(rest.map(|key| format!("mounts.{key}")));
    }
}

/// Changes what is suggested of the process that visitors reach.
fn set(foreign: &mut Foreign, change: impl FnOnce(&mut ManifestProcess)) {
    if let Some(process) = foreign.process("web") {
        change(process);
    }
}

/// What of a mount is taken, or is why it is not.
const MOUNT: [&str; 3] = ["source", "destination", "processes"];

type Pick = fn(&mut ManifestProcess) -> &mut Option<std::time::Duration>;
const TIMES: &[(&str, Pick)] = &[
    ("grace_period", |process| &mut process.health.grace),
    ("interval", |process| &mut process.health.interval),
    ("timeout", |process| &mut process.health.timeout),
];

/// Of the place where the app was, and of nothing that would be missed here.
const SILENT: [&str; 6] =
    ["app", "primary_region", "kill_signal", "console_command", "swap_size_mb", "experimental"];

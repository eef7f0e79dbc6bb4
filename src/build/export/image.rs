//! The image's configuration: what Docker reads to run it, and the labels by which buildpack tools
//! know it. Pure.
//!
//! Invariant: equal inputs give equal bytes, and so an equal image id; the configuration has no
//! time, no build number and no name of this machine or installation.

use buildpacks::{
    agent::{BuildpackRef, Built, Layer as Left},
    packages::Package,
};
use serde_json::{Map, Value, json};

use super::{layer::Layer, plan};
use crate::{
    build::{
        base::BaseImage,
        processes::{LAUNCHER, PROCESSES},
    },
    model::AppName,
};

/// The configuration as JSON.
pub(super) fn configuration(
    app: &AppName,
    run: &BaseImage,
    built: &Built,
    layers: &[Layer],
) -> Vec<u8> {
    let diff_ids = run.layers.iter().chain(layers.iter().map(|layer| &layer.known));
    let diff_ids: Vec<&str> = diff_ids.map(|known| known.diff_id.as_str()).collect();
    let base = run.layers.iter().map(|_| run.reference.clone());
    let own = layers.iter().map(|layer| format!("paas {}", layer.key));
    let history = base.chain(own).map(|by| json!({"created": CREATED, "created_by": by}));
    let configuration = json!({
        "architecture": run.architecture,
        "os": "linux",
        "created": CREATED,
        "config": {
            "User": run.user,
            "Env": environment(run),
            "WorkingDir": "/workspace",
            "Entrypoint": [entry(built)],
            "Labels": labels(app, run, built, layers),
        },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": history.collect::<Vec<_>>(),
    });
    configuration.to_string().into_bytes()
}

/// What runs when none is named: the default process, else a shell command that is given.
fn entry(built: &Built) -> String {
    let default = built.default_process();
    default.map_or_else(|| LAUNCHER.to_owned(), |process| format!("{PROCESSES}/{}", process.kind))
}

fn environment(run: &BaseImage) -> Vec<String> {
    let mut environment: Vec<String> = Vec::new();
    let mut path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
    for (key, value) in &run.environment {
        if key == "PATH" {
            path.clone_from(value);
        } else {
            environment.push(format!("{key}={value}"));
        }
    }
    environment.push(format!("PATH=/cnb/process:/cnb/lifecycle:{path}"));
    environment.push("CNB_LAYERS_DIR=/layers".to_owned());
    environment.push("CNB_APP_DIR=/workspace".to_owned());
    environment.push("CNB_PLATFORM_API=0.14".to_owned());
    environment.push("CNB_DEPRECATION_MODE=quiet".to_owned());
    environment.sort_unstable();
    environment
}

fn labels(app: &AppName, run: &BaseImage, built: &Built, layers: &[Layer]) -> Value {
    let base = run.labels.iter().map(|(key, value)| (key.clone(), value.clone().into()));
    let mut labels: Map<String, Value> = base.collect();
    // What a build says must not be taken for what the platform says.
    let foreign = |key: &str| !key.starts_with("paas.") && !key.starts_with("io.buildpacks.");
    for label in built.labels.iter().filter(|label| foreign(&label.key)) {
        labels.insert(label.key.clone(), label.value.clone().into());
    }
    let own = [
        ("io.buildpacks.lifecycle.metadata", lifecycle(run, built, layers).to_string()),
        ("io.buildpacks.build.metadata", build(built).to_string()),
        ("io.buildpacks.project.metadata", "{}".to_owned()),
        // On another base image the packages would be missing.
        ("io.buildpacks.rebasable", run.packages.is_empty().to_string()),
        ("paas.app", app.to_string()),
    ];
    labels.extend(own.map(|(key, value)| (key.to_owned(), value.into())));
    // What older tools choose a new run image by.
    if let Some(stack) = run.environment.get("CNB_STACK_ID") {
        labels.insert("io.buildpacks.stack.id".to_owned(), stack.clone().into());
    }
    if !run.packages.is_empty() {
        let names: Vec<_> = run.packages.iter().map(Package::as_str).collect();
        labels.insert("paas.packages".to_owned(), names.join(" ").into());
    }
    labels.into()
}

/// What the next build and `pack rebase` read.
fn lifecycle(run: &BaseImage, built: &Built, layers: &[Layer]) -> Value {
    let sha = |wanted: &str| {
        let found = layers.iter().find(|layer| layer.key == wanted);
        json!({ "sha": found.map(|layer| layer.known.diff_id.as_str()) })
    };
    let app = layers.iter().filter(|layer| layer.key.starts_with("/workspace"));
    let app: Vec<_> = app.map(|layer| json!({ "sha": layer.known.diff_id })).collect();
    let buildpacks = built.group.iter().map(|own| {
        // As in the reference: what is kept for builds alone is no part of the image.
        let left = built.layers.iter().filter(|layer| layer.launch && layer.buildpack == own.id);
        let left: Map<String, Value> =
            left.map(|layer| (layer.name.clone(), layer_metadata(layer, layers))).collect();
        let store = built.store.get(&own.id).map(|store| json!({ "metadata": store }));
        present(json!({ "key": own.id, "version": own.version, "layers": left, "store": store }))
    });
    let bills = layers.iter().any(|layer| layer.key == plan::BILLS).then(|| sha(plan::BILLS));
    present(json!({
        "app": app,
        "sbom": bills,
        "config": sha("/layers/config"),
        "launcher": sha(LAUNCHER),
        "process-types": sha("/cnb/process"),
        "buildpacks": buildpacks.collect::<Vec<_>>(),
        "runImage": {
            "topLayer": run.layers.last().map(|layer| layer.diff_id.as_str()),
            "reference": run.id.as_str(),
            "image": run.reference,
        },
        "stack": { "runImage": { "image": run.reference } },
    }))
}

/// Without the fields of an object that are null, which the reference leaves out.
fn present(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

fn layer_metadata(left: &Left, layers: &[Layer]) -> Value {
    let key = plan::key(left);
    let exported = layers.iter().find(|layer| layer.key == key);
    json!({
        "sha": exported.map(|layer| layer.known.diff_id.as_str()),
        "data": left.metadata,
        "launch": left.launch,
        "build": left.build,
        "cache": left.cache,
    })
}

/// What the reference's `pack inspect` shows.
fn build(built: &Built) -> Value {
    let named = |own: &BuildpackRef| {
        present(json!({ "id": own.id, "version": own.version, "homepage": own.homepage }))
    };
    let extensions: Vec<_> = built.extensions.iter().map(named).collect();
    let processes = built.processes.iter().map(|process| {
        present(json!({
            "type": process.kind,
            "command": process.command,
            "args": process.args,
            "direct": process.direct,
            "default": process.default.then_some(true),
            "buildpackID": process.buildpack,
            "working-dir": process.working_dir,
        }))
    });
    present(json!({
        "buildpacks": built.group.iter().map(named).collect::<Vec<_>>(),
        "extensions": (!extensions.is_empty()).then_some(extensions),
        "buildpack-default-process-type": built.default_process().map(|process| &process.kind),
        "processes": processes.collect::<Vec<_>>(),
        "launcher": { "version": env!("CARGO_PKG_VERSION"), "source": { "git": {} } },
    }))
}

/// A constant, so that equal inputs give an equal image id.
pub(crate) const CREATED: &str = "1980-01-01T00:00:01Z";

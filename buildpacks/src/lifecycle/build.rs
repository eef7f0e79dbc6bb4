//! Building: each buildpack in turn, with what the ones before it left.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use super::catalog::Installed;
use super::launch::Launch;
use super::settled::Settled;
use super::variables::{Purpose, inherited, variables};
use super::{Build, Progress, aside, layers, notes, program, sbom};
use crate::agent::{BuildpackRef, Built, Code, Failed, Layer, Phase};
use crate::environment::Environment;
use crate::process::{Strays, end_strays, execute, exit_code};
use crate::spec::{
    BuildToml, Entry, Kind, LaunchToml, LayerToml, Metadata, MetadataBuildpack, MetadataProcess,
    PackPlan, read_toml_or_default,
};

/// How the ids of our own buildpacks begin.
const OURS: &str = "paas/";
/// Output lines kept to explain a failure.
const TAIL: usize = 40;

/// What accumulates from buildpack to buildpack.
struct State {
    env: Environment,
    entries: Vec<Entry>,
    launch: Launch,
    layers: Vec<Layer>,
    store: BTreeMap<String, serde_json::Value>,
}

/// Runs every `bin/build` of the group.
pub(super) fn build(
    build: &Build<'_>,
    settled: &Settled,
    progress: &mut dyn Progress,
) -> Result<Built, Failed> {
    let mut state = State {
        env: inherited(build.base),
        entries: settled.entries.clone(),
        launch: Launch::default(),
        layers: Vec::new(),
        store: BTreeMap::new(),
    };
    for (place, installed) in settled.group.iter().enumerate() {
        run(build, installed, place, &mut state, progress)?;
        end_strays();
        let broken = |error: &dyn std::fmt::Display| {
            let reason = format!("the buildpack {} broke the contract: {error}", installed.key());
            Failed::new(Code::Build, Phase::Build, reason)
        };
        harvest(build, installed, place, &mut state, progress).map_err(|error| broken(&*error))?;
    }
    finish(build, settled, state)
}

fn run(
    build: &Build<'_>,
    installed: &Installed,
    place: usize,
    state: &mut State,
    progress: &mut dyn Progress,
) -> Result<(), Failed> {
    let text = |error: &dyn std::fmt::Display| {
        let reason = format!("bin/build of {} could not be run: {error}", installed.key());
        Failed::new(Code::Build, Phase::Build, reason)
    };
    let folder = installed.id().escaped();
    let layers = build.roots.layers.join(&folder);
    let plan = build.scratch(&format!("{folder}.build.toml")).map_err(|error| text(&error))?;
    let entries = state.entries.iter().filter(|entry| entry.providers.contains(&place));
    let entries = entries.flat_map(|entry| &entry.requires).map(Into::into).collect();
    let document = toml::to_string(&PackPlan { entries }).map_err(|error| text(&error))?;
    fs::write(&plan, document).map_err(|error| text(&error))?;
    let purpose = Purpose::Build { layers: &layers, plan: &plan, contributed: &state.env };
    let env = variables(build, installed, purpose).map_err(|error| text(&error))?;
    let mut command = Command::new(installed.dir.join("bin/build"));
    env.apply_to(&mut command);
    command.arg(&layers).arg(&build.roots.platform).arg(&plan).current_dir(&build.roots.workspace);
    let mut tail = std::collections::VecDeque::new();
    let status = execute(&mut command, Strays::End, &mut |stream, line| {
        progress.line(stream, line);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line.to_owned());
    });
    let status =
        status.map_err(|error| program::unstarted(&installed.key(), &installed.dir, &error))?;
    match exit_code(status) {
        0 => Ok(()),
        code => Err(explain(installed, code, tail.make_contiguous())),
    }
}

/// Finds the reason in the output. Our buildpacks, as Heroku's, mark it with ` ! `; of others the
/// last line is the best guess.
pub(super) fn explain(installed: &Installed, code: i32, tail: &[String]) -> Failed {
    let (what, failure, phase) = match installed.kind {
        Kind::Buildpack => {
            (format!("buildpack {}", installed.key()), Code::BuildpackBuild, Phase::Build)
        }
        Kind::Extension => (installed.key(), Code::ExtensionGenerate, Phase::Detect),
    };
    let marked = tail.iter().filter_map(|line| line.trim_start().strip_prefix("! ")).map(str::trim);
    let (hints, reasons): (Vec<&str>, Vec<&str>) =
        marked.filter(|line| !line.is_empty()).partition(|line| line.starts_with("hint: "));
    let reason = if reasons.is_empty() {
        let last = tail.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
        let last = last.map_or(String::new(), |line| format!(": {line}"));
        format!("the {what} ended with exit code {code}{last}")
    } else {
        reasons.join("\n")
    };
    let failed = Failed::new(failure, phase, reason);
    match hints.last().and_then(|hint| hint.strip_prefix("hint: ")) {
        Some(hint) => failed.hint(hint),
        None if installed.id().as_str().starts_with(OURS) => failed,
        None => failed.hint(
            "its own words are above, and `paas builds log` shows them again; another version of it \
             may do, or none: without `--buildpack` paas chooses",
        ),
    }
}

/// Reads what the buildpack left.
fn harvest(
    build: &Build<'_>,
    installed: &Installed,
    place: usize,
    state: &mut State,
    progress: &mut dyn Progress,
) -> Result<(), Box<dyn std::error::Error>> {
    let dir = build.roots.layers.join(installed.id().escaped());
    let layers = layers::collect(build.roots, installed, progress)?;
    layers::contribute(build.roots, &layers, &mut state.env)?;
    sbom::collect(build.roots, installed, &layers)?;
    state.layers.extend(layers);
    let launch: LaunchToml = read_toml_or_default(&dir.join("launch.toml"))?;
    state.launch.add(installed, launch)?;
    let store: LayerToml = read_toml_or_default(&dir.join("store.toml"))?;
    if let Some(metadata) = store.metadata {
        state.store.insert(installed.id().to_string(), notes::to_json(&metadata));
    }
    let left: BuildToml = read_toml_or_default(&dir.join("build.toml"))?;
    settle(&mut state.entries, place, &left)
}

/// Requirements that this buildpack met vanish for later ones.
fn settle(
    entries: &mut Vec<Entry>,
    place: usize,
    left: &BuildToml,
) -> Result<(), Box<dyn std::error::Error>> {
    let names = |entry: &Entry, name: &str| {
        entry.providers.contains(&place) && entry.requires.iter().any(|it| it.name == name)
    };
    for unmet in &left.unmet {
        if !entries.iter().any(|entry| names(entry, &unmet.name)) {
            return Err(format!("build.toml: unmet `{}` is not in the plan", unmet.name).into());
        }
    }
    entries.retain(|entry| {
        !entry.providers.contains(&place)
            || left.unmet.iter().any(|unmet| names(entry, &unmet.name))
    });
    Ok(())
}

fn finish(build: &Build<'_>, settled: &Settled, state: State) -> Result<Built, Failed> {
    let group: Vec<BuildpackRef> = settled.group.iter().map(Installed::reference).collect();
    let processes = state.launch.processes();
    let metadata = metadata(&group, &processes);
    aside::clear(build.roots).and_then(|()| sbom::publish(build.roots)).map_err(|error| {
        let reason = format!("the layers and bills of the last build cannot be replaced: {error}");
        Failed::new(Code::Build, Phase::Build, reason)
    })?;
    let write = || -> Result<String, Box<dyn std::error::Error>> {
        let text = toml::to_string(&metadata)?;
        let path = build.roots.metadata_toml();
        fs::create_dir_all(path.parent().unwrap_or(&build.roots.layers))?;
        fs::write(path, &text)?;
        Ok(text)
    };
    let metadata_toml = write().map_err(|error| {
        let reason = format!("cannot write the launcher's configuration: {error}");
        Failed::new(Code::Build, Phase::Build, reason)
    })?;
    Ok(Built {
        group,
        extensions: settled.extensions.clone(),
        packages: settled.packages.run.clone(),
        run_images: build.catalog.run_images.clone(),
        processes,
        layers: state.layers,
        labels: state.launch.labels(),
        slices: state.launch.slices,
        metadata_toml,
        store: state.store,
    })
}

fn metadata(group: &[BuildpackRef], processes: &[crate::agent::Process]) -> Metadata {
    let buildpacks = group.iter().map(|own| MetadataBuildpack {
        id: own.id.clone(),
        version: own.version.clone(),
        api: own.api.clone(),
        homepage: own.homepage.clone(),
    });
    let own = processes.iter().map(|process| MetadataProcess {
        kind: process.kind.clone(),
        command: process.command.clone(),
        args: process.args.clone(),
        direct: process.direct,
        buildpack_id: process.buildpack.clone(),
        working_dir: process.working_dir.clone(),
        exec_env: Vec::new(),
    });
    let default = processes.iter().find(|process| process.default);
    Metadata {
        default_process: default.map(|process| process.kind.clone()),
        buildpacks: buildpacks.collect(),
        processes: own.collect(),
    }
}

//! A builder, an app and their folders, made by a test; the agent and the launcher are the real ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use buildpacks::agent::{Built, Chosen, Detection, Failed, Frame, Job, Outcome, PreviousBuild};
use buildpacks::packages::Package;
use buildpacks::{Roots, Target};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_buildpacks");

/// The folders of one builder and one app.
pub(crate) struct Site {
    dir: TempDir,
    pub(crate) roots: Roots,
    /// The environment of the build image.
    pub(crate) image: BTreeMap<String, String>,
    /// The user's variables.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) chosen: Vec<Chosen>,
    /// The packages of the build image, and what was settled in another one.
    pub(crate) extended: (BTreeSet<Package>, Option<Detection>),
}

/// What a build came to.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) log: String,
}

/// A buildpack in bash. Its detection passes and its build does nothing unless told otherwise.
pub(crate) struct Pack {
    id: String,
    version: String,
    api: String,
    identity: String,
    rest: String,
    detect: Option<String>,
    build: Option<String>,
}

pub(crate) fn pack(id: &str) -> Pack {
    let text = |text: &str| Some(text.to_owned());
    Pack {
        id: id.to_owned(),
        version: "1".to_owned(),
        api: "0.10".to_owned(),
        identity: String::new(),
        rest: String::new(),
        detect: text(""),
        build: text(""),
    }
}

impl Pack {
    pub(crate) fn api(mut self, api: &str) -> Self {
        api.clone_into(&mut self.api);
        self
    }

    pub(crate) fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Lines of the table `[buildpack]`.
    pub(crate) fn identity(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.identity);
        self
    }

    /// What follows that table.
    pub(crate) fn rest(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.rest);
        self
    }

    pub(crate) fn detect(mut self, script: &str) -> Self {
        self.detect = Some(script.to_owned());
        self
    }

    pub(crate) fn build(mut self, script: &str) -> Self {
        self.build = Some(script.to_owned());
        self
    }

    /// Without programs, as composites are.
    pub(crate) fn without_programs(mut self) -> Self {
        (self.detect, self.build) = (None, None);
        self
    }

    /// Writes it to `home`.
    pub(crate) fn write(&self, home: &Path) {
        fs::create_dir_all(home.join("bin")).unwrap();
        let Self { id, version, api, identity, rest, .. } = self;
        let text = format!(
            "api = \"{api}\"\n[buildpack]\nid = \"{id}\"\nversion = \"{version}\"\n{identity}\n{rest}\n"
        );
        fs::write(home.join("buildpack.toml"), text).unwrap();
        for (name, text) in [("detect", &self.detect), ("build", &self.build)] {
            if let Some(text) = text {
                script(&home.join("bin").join(name), text);
            }
        }
    }
}

/// Writes a program in bash that stops at its first error.
pub(crate) fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/usr/bin/env bash\nset -euo pipefail\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Site {
    /// A builder with these buildpacks. `order` has groups between `;`, and words that are ids,
    /// with `?` where optional.
    pub(crate) fn new(order: &str, packs: &[Pack]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::under(dir.path());
        for folder in [&roots.layers, &roots.platform, &roots.workspace, &roots.cnb] {
            fs::create_dir_all(folder).unwrap();
        }
        let path = std::env::var("PATH").unwrap();
        let image = BTreeMap::from([("PATH".to_owned(), path)]);
        let (env, chosen) = (BTreeMap::new(), Vec::new());
        let extended = (BTreeSet::new(), None);
        let site = Self { dir, roots, image, env, chosen, extended };
        site.order(order);
        for pack in packs {
            pack.write(&site.home(pack));
        }
        site
    }

    fn home(&self, pack: &Pack) -> PathBuf {
        self.roots.cnb.join("buildpacks").join(pack.id.replace('/', "_")).join(&pack.version)
    }

    pub(crate) fn order(&self, order: &str) {
        fs::write(self.roots.cnb.join("order.toml"), toml_order(order)).unwrap();
    }

    /// Writes a file of the app.
    pub(crate) fn app(&self, name: &str, text: &str) -> &Self {
        let path = self.roots.workspace.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A file that a buildpack left in the app's folder.
    pub(crate) fn said(&self, name: &str) -> String {
        fs::read_to_string(self.roots.workspace.join(name)).unwrap_or_default()
    }

    pub(crate) fn build(&self) -> Ran {
        self.build_after(None)
    }

    /// Runs a build in an agent of its own.
    pub(crate) fn build_after(&self, previous: Option<PreviousBuild>) -> Ran {
        let socket = self.dir.path().join("agent.sock");
        let _ = fs::remove_file(&socket);
        let daemon = UnixListener::bind(&socket).unwrap();
        let mut agent = Command::new(BINARY)
            .arg("lifecycle-agent")
            .arg(&socket)
            .env_clear()
            .envs(&self.image)
            .env("CNB_LAYERS_DIR", &self.roots.layers)
            .env("CNB_APP_DIR", &self.roots.workspace)
            .env("CNB_PLATFORM_DIR", &self.roots.platform)
            .env("PAAS_CNB_DIR", &self.roots.cnb)
            .env("PAAS_BUILDPACKS_DIR", &self.roots.buildpacks)
            .envs(self.roots.ours.iter().map(|ours| (buildpacks::OURS, ours)))
            .spawn()
            .unwrap();
        let (stream, _) = daemon.accept().unwrap();
        let mut wire = BufReader::new(stream);
        let (env, buildpacks) = (self.env.clone(), self.chosen.clone());
        let (packages, detection) = self.extended.clone();
        let app = "test".into();
        let job = Job { app, env, target: target(), buildpacks, packages, detection, previous };
        let mut log = String::new();
        let outcome = loop {
            let mut line = Vec::new();
            wire.read_until(b'\n', &mut line).unwrap();
            match Frame::decode(&line).unwrap() {
                Frame::Ready => wire.get_mut().write_all(&job.encode().unwrap()).unwrap(),
                Frame::Phase(_) => {}
                Frame::Log { line, .. } => log = log + &line + "\n",
                Frame::Done(outcome) => break *outcome,
            }
        };
        drop(wire);
        agent.wait().unwrap();
        Ran { outcome, log }
    }

    /// Starts what an image of these folders would start, and waits for its end.
    pub(crate) fn launch(&self, argv0: &str, args: &[&str]) -> Output {
        self.launch_with(argv0, args, &[])
    }

    pub(crate) fn launch_with(&self, argv0: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
        let folder = self.dir.path().join(if argv0 == "launcher" { "bin" } else { "process" });
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join(argv0);
        let _ = symlink(BINARY, &program);
        Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("CNB_LAYERS_DIR", &self.roots.layers)
            .env("CNB_APP_DIR", &self.roots.workspace)
            .envs(env.iter().copied())
            .output()
            .unwrap()
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn built(self) -> Built {
        match self.outcome {
            Outcome::Built(built) => built,
            other => panic!("{other:?}\n{}", self.log),
        }
    }

    #[track_caller]
    pub(crate) fn failed(self) -> Failed {
        match self.outcome {
            Outcome::Failed(failed) => failed,
            other => panic!("{other:?}\n{}", self.log),
        }
    }

    /// The ids of the group, or the exit code.
    pub(crate) fn shown(&self) -> String {
        match &self.outcome {
            Outcome::Built(built) => {
                let ids: Vec<_> = built.group.iter().map(|own| own.id.as_str()).collect();
                ids.join(" ")
            }
            Outcome::Wants(wants) => format!("wants {}", listed(&wants.packages.build)),
            Outcome::Failed(failed) => format!("code {}", failed.code.number()),
        }
    }
}

/// Packages in one line.
pub(crate) fn listed(packages: &BTreeSet<Package>) -> String {
    packages.iter().map(Package::as_str).collect::<Vec<_>>().join(" ")
}

/// Groups between `;` as TOML.
pub(crate) fn toml_order(groups: &str) -> String {
    let groups = groups.split(';').filter(|group| !group.trim().is_empty());
    let text = groups.map(|group| {
        let elements = group.split_whitespace().map(|word| {
            let (id, optional) = (word.trim_end_matches('?'), word.ends_with('?'));
            let (id, version) = id.split_once('@').unwrap_or((id, ""));
            let version = if version.is_empty() {
                String::new()
            } else {
                format!("version = \"{version}\"\n")
            };
            format!("[[order.group]]\nid = \"{id}\"\noptional = {optional}\n{version}")
        });
        format!("[[order]]\n{}", elements.collect::<String>())
    });
    text.collect()
}

fn target() -> Target {
    Target {
        os: "linux".into(),
        arch: "amd64".into(),
        distro_name: "debian".into(),
        distro_version: "13".into(),
        ..Target::default()
    }
}

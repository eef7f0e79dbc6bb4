//! A build container without a container: the real binary as agent, in folders of its own, with a
//! daemon's two sockets held by the test. The runtimes are the host's own node and npm.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;

use buildpacks::agent::{Built, Failed, Frame, Job, Outcome, Phase, PreviousBuild};
use buildpacks::toolchain::{Refusal, Reply, Request, Toolchain};
use buildpacks::{Roots, Target};
use tempfile::TempDir;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_buildpacks");

/// An agent that is connected and waits for jobs.
pub(crate) struct Inside {
    dir: TempDir,
    pub(crate) roots: Roots,
    agent: Child,
    wire: BufReader<UnixStream>,
}

/// What a job came to.
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    pub(crate) log: Vec<String>,
    pub(crate) phases: Vec<Phase>,
}

impl Inside {
    /// Starts an agent for the app in `source`.
    pub(crate) fn start(source: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::under(dir.path());
        for folder in [&roots.layers, &roots.platform, &roots.toolchains] {
            fs::create_dir_all(folder).unwrap();
        }
        buildpacks::cnb::materialise(&roots.cnb, Path::new(BINARY), b"").unwrap();
        let toolchains = dir.path().join("toolchains.sock");
        let listener = UnixListener::bind(&toolchains).unwrap();
        let node = host_node(&roots.toolchains);
        thread::spawn(move || hand_out(&listener, &node));
        let socket = dir.path().join("agent.sock");
        let daemon = UnixListener::bind(&socket).unwrap();
        let agent = Command::new(BINARY)
            .arg("lifecycle-agent")
            .arg(&socket)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", dir.path())
            .env("CNB_LAYERS_DIR", &roots.layers)
            .env("CNB_APP_DIR", &roots.workspace)
            .env("CNB_PLATFORM_DIR", &roots.platform)
            .env("PAAS_CNB_DIR", &roots.cnb)
            .env("PAAS_TOOLCHAINS_DIR", &roots.toolchains)
            .env("PAAS_TOOLCHAINS", &toolchains)
            .env("PAAS_CACHE", dir.path().join("cache"))
            .spawn()
            .unwrap();
        let (stream, _) = daemon.accept().unwrap();
        let mut inside = Self { dir, roots, agent, wire: BufReader::new(stream) };
        assert_eq!(inside.frame(), Frame::Ready);
        inside.upload(source);
        inside
    }

    /// Replaces the app's source, as the daemon does before each job.
    pub(crate) fn upload(&self, source: &Path) {
        let _ = fs::remove_dir_all(&self.roots.workspace);
        copy(source, &self.roots.workspace);
    }

    /// Runs one job.
    pub(crate) fn build(&mut self, previous: Option<PreviousBuild>) -> Finished {
        let target = Target {
            os: "linux".into(),
            arch: "amd64".into(),
            distro_name: "debian".into(),
            distro_version: "13".into(),
            ..Target::default()
        };
        let env = host_settings();
        let job = Job { app: "test".into(), env, target, previous, ..Job::default() };
        self.wire.get_mut().write_all(&job.encode().unwrap()).unwrap();
        let (mut log, mut phases) = (Vec::new(), Vec::new());
        loop {
            match self.frame() {
                Frame::Log { line, .. } => log.push(line),
                Frame::Phase(phase) => phases.push(phase),
                Frame::Done(outcome) => return Finished { outcome: *outcome, log, phases },
                Frame::Ready => panic!("the agent is ready twice"),
            }
        }
    }

    /// The folder that holds everything.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn frame(&mut self) -> Frame {
        let mut line = Vec::new();
        self.wire.read_until(b'\n', &mut line).unwrap();
        Frame::decode(&line).unwrap()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // The agent ends when the daemon hangs up.
        let _ = self.wire.get_mut().shutdown(std::net::Shutdown::Both);
        let _ = self.agent.wait();
    }
}

impl Finished {
    pub(crate) fn built(self) -> Built {
        match self.outcome {
            Outcome::Built(built) => built,
            other => panic!("{other:?}\n{}", self.log.join("\n")),
        }
    }

    pub(crate) fn failed(self) -> Failed {
        match self.outcome {
            Outcome::Failed(failed) => failed,
            other => panic!("{other:?}\n{}", self.log.join("\n")),
        }
    }

    pub(crate) fn says(&self, text: &str) -> bool {
        self.log.iter().any(|line| line.contains(text))
    }
}

/// An example of the repository.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

/// Copies a folder; examples hold only files and folders.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Makes a toolchain folder of the host's node and npm.
fn host_node(toolchains: &Path) -> Toolchain {
    let version = output("node", &["--version"]).trim_start_matches('v').to_owned();
    let path = toolchains.join(format!("node-{version}"));
    fs::create_dir_all(path.join("bin")).unwrap();
    for program in ["node", "npm", "npx"] {
        let found = fs::canonicalize(output("which", &[program])).unwrap();
        symlink(found, path.join("bin").join(program)).unwrap();
    }
    Toolchain { version, path }
}

/// Answers requests for runtimes as the daemon would: node, except where a test asks for 99.
fn hand_out(listener: &UnixListener, node: &Toolchain) {
    for stream in listener.incoming() {
        let mut stream = BufReader::new(stream.unwrap());
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let request: Request = serde_json::from_str(&line).unwrap();
        let reply = if request.toolchain == "node" && !request.range.starts_with("99") {
            Reply::Found(node.clone())
        } else {
            Reply::Refused(Refusal {
                because: "it is not on this machine".to_owned(),
                error: format!("there is no {} {}", request.toolchain, request.range),
                nearest: vec!["26.10.0".into(), "24.21.0".into()],
                hint: Some("npm pkg set engines.node=26".into()),
            })
        };
        let mut line = serde_json::to_vec(&reply).unwrap();
        line.push(b'\n');
        stream.get_mut().write_all(&line).unwrap();
    }
}

/// What the daemon passes on: where the host gets packages, and whom it trusts.
fn host_settings() -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let registry = output("npm", &["config", "get", "registry"]);
    env.insert("NPM_CONFIG_REGISTRY".into(), registry);
    for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] {
        if let Ok(value) = std::env::var(name) {
            env.insert(name.into(), value);
        }
    }
    env
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

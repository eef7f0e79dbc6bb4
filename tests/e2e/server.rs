//! A real `paas server`, with its own data folder, ports and installation, and a client of its own.
//!
//! Invariant: when it is dropped, also by a failing test, nothing of it is left in Docker, and its
//! process is gone. Its own words are printed then, so that a failure explains itself.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    docker::{self, Container},
    http::{Answer, Request},
    kept,
    ports::free_port,
};

/// A server, running or not.
#[derive(Debug)]
pub(crate) struct Server {
    home: tempfile::TempDir,
    data: PathBuf,
    setup: Setup,
    process: Option<Child>,
    /// A daemon that another one started, which is no child of ours.
    successor: Option<u32>,
    edge: u16,
}

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// The data folder; without it one in a temporary folder.
    pub(crate) data: Option<PathBuf>,
    /// The binary of the daemon; without it the one that is tested.
    pub(crate) binary: Option<PathBuf>,
    /// Docker's socket; without it the usual one.
    pub(crate) docker: Option<PathBuf>,
    /// Where the API listens; without it on this machine's own address.
    pub(crate) api: Option<String>,
    /// Settings, as variables.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// What a command came to.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Output {
    /// Everything that was said, after a look at how it ended.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> String {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self.stdout + &self.stderr
    }

    #[track_caller]
    pub(crate) fn ok(self) -> String {
        self.ended(0)
    }

    /// What a command with `--json` printed.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let stdout = self.stdout.clone();
        self.ok();
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error} in {stdout}"))
    }
}

/// Fails unless `text` has every one of `parts`.
#[track_caller]
pub(crate) fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "it does not say {part:?}:\n{text}");
    }
}

/// Waits for a condition. The deadline is generous: it only ends a test that has failed. What takes long to look at,
/// such as what a command shows, is looked at less often, so that looking leaves others the machine.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        let looks = Instant::now();
        if let Some(found) = condition() {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        let pause = looks.elapsed().clamp(Duration::from_millis(25), Duration::from_millis(150));
        std::thread::sleep(pause);
    }
}

impl Server {
    /// A server that is ready to build and to run apps.
    pub(crate) fn start() -> Self {
        let server = Self::starting(Setup::default());
        server.until_ready();
        server
    }

    /// A server that answers; nothing is said of Docker.
    pub(crate) fn starting(setup: Setup) -> Self {
        let home = tempfile::Builder::new().prefix("paas-e2e-").tempdir().unwrap();
        let data = setup.data.clone().unwrap_or_else(|| home.path().join("data"));
        fs::create_dir_all(&data).unwrap();
        if !data.join("stack").exists() {
            kept::lend(&data);
        }
        let mut server =
            Self { home, data, setup, process: None, successor: None, edge: free_port() };
        server.start_again(&[]);
        server
    }

    /// Starts the daemon, on the port it had, with these variables (such as `PAAS_FAULT`).
    pub(crate) fn start_again(&mut self, environment: &[(&str, &str)]) {
        self.start_daemon(environment);
        let info = until("the API answers", || {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                panic!("the daemon ended: {status}\n{}", self.log());
            }
            self.info()
        });
        let edge = info["edge_url"].as_str().unwrap().rsplit(':').next().unwrap();
        self.edge = edge.parse().unwrap();
    }

    /// The same, and nobody waits for it to answer.
    pub(crate) fn start_daemon(&mut self, environment: &[(&str, &str)]) {
        assert!(self.process.is_none(), "it runs already");
        let mut command = self.daemon();
        command.envs(environment.iter().copied());
        self.process = Some(command.spawn().unwrap());
    }

    /// The command that starts this server's daemon, its log going to the end of the log's file.
    pub(crate) fn daemon(&self) -> Command {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let binary = self.setup.binary.as_deref().unwrap_or(Path::new(BINARY));
        let mut command = self.program(binary, &["server"]);
        command.arg("--data").arg(&self.data);
        command.args(["--http", &format!("127.0.0.1:{}", self.edge)]);
        let near = "https://127.0.0.1:0,http://127.0.0.1:0";
        command.args(["--api", self.setup.api.as_deref().unwrap_or(near)]);
        // Most tests want an app gone that they destroy.
        command.env("PAAS_UNDELETE_FOR", "off");
        command.envs(self.setup.settings.iter().map(|(name, value)| (name, value)));
        if let Some(docker) = &self.setup.docker {
            command.env("PAAS_DOCKER", docker);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command
    }

    /// The binary with these arguments, in an environment that has nothing of the tester's own.
    pub(crate) fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        self.program(Path::new(BINARY), arguments)
    }

    fn program(&self, binary: &Path, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PAAS_") {
                command.env_remove(name);
            }
        }
        command.env("XDG_CONFIG_HOME", self.home.path().join("client"));
        command.env("XDG_CACHE_HOME", self.home.path().join("client-cache"));
        command.env("PAAS_URL", format!("unix:{}", self.socket().display()));
        command.current_dir(self.home.path()).stdin(Stdio::null());
        command.args(arguments);
        command
    }

    /// Runs a command of the client to its end.
    pub(crate) fn paas(&self, arguments: &[impl AsRef<OsStr>]) -> Output {
        run(&mut self.command(arguments))
    }

    /// Makes an app if it is not there, and deploys a folder to it.
    pub(crate) fn deploy(&self, app: &str, folder: &Path) -> Output {
        self.api("POST", "/v1/apps", format!(r#"{{"name":"{app}"}}"#).as_bytes());
        self.paas(&["deploy".as_ref(), folder.as_os_str(), "-a".as_ref(), app.as_ref()])
    }

    /// Asks an app for a page, through the edge.
    pub(crate) fn get(&self, app: &str, path: &str) -> Answer {
        self.try_get(app, path).unwrap()
    }

    /// The same where the edge may not be there.
    pub(crate) fn try_get(&self, app: &str, path: &str) -> std::io::Result<Answer> {
        Request::get(&format!("{app}.localhost"), path).over_tcp(self.edge)
    }

    /// The text of an app's page, which must be there.
    #[track_caller]
    pub(crate) fn page(&self, app: &str, path: &str) -> String {
        let answer = self.get(app, path);
        assert_eq!(answer.status, 200, "{app}{path}: {}", answer.text());
        answer.text()
    }

    /// Waits until an app's page has a text; until then it may be another, or a fault.
    #[track_caller]
    pub(crate) fn until_page(&self, app: &str, text: &str) {
        let what = format!("{app} answers {text:?}");
        until(&what, || (self.get(app, "/").text() == text).then_some(()));
    }

    /// Asks the API, over its socket.
    pub(crate) fn api(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.try_api(method, path, body).unwrap()
    }

    fn try_api(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<Answer> {
        let headers = [("Content-Type", "application/json")];
        let request = Request { method, path, host: "paas", headers: &headers, body };
        request.over_socket(&self.socket())
    }

    /// What the server says of itself, if it answers.
    pub(crate) fn info(&self) -> Option<Value> {
        let answer = self.try_api("GET", "/v1/server", b"").ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// Waits until it can build and run apps.
    #[track_caller]
    pub(crate) fn until_ready(&self) {
        until("the base images are ready", || {
            self.info().filter(|info| info["stack"] == "ready").map(drop)
        });
    }

    /// The instances of an app, as `paas ps --json` lists them.
    pub(crate) fn ps(&self, app: &str) -> Vec<Value> {
        let listed = self.paas(&["ps", "-a", app, "--json"]).json();
        listed.as_array().cloned().unwrap_or_default()
    }

    /// Waits until an app has exactly these instances, all of them ready.
    #[track_caller]
    pub(crate) fn until_runs(&self, app: &str, names: &[&str]) -> Vec<Value> {
        until(&format!("{app} runs {names:?}"), || {
            let all = self.ps(app);
            // A process without a port is not asked.
            let well = |one: &Value| one["health"] == "ready" || one["health"] == "-";
            let ready = all.iter().all(|one| one["state"] == "running" && well(one));
            let known: Vec<_> = all.iter().filter_map(|one| one["name"].as_str()).collect();
            (ready && known == names).then_some(all)
        })
    }

    /// Its containers in Docker, but for [`Self::builders`].
    pub(crate) fn containers(&self) -> Vec<Container> {
        docker::containers(&self.installation())
    }

    /// The containers in which it builds, or which wait for the next build.
    pub(crate) fn builders(&self) -> Vec<Container> {
        docker::builders(&self.installation())
    }

    /// What labels its things in Docker; empty before its first start.
    pub(crate) fn installation(&self) -> String {
        let text = fs::read_to_string(self.data.join("installation")).unwrap_or_default();
        text.trim().to_owned()
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.data.join("api.sock")
    }

    /// The edge's port, the same over restarts.
    pub(crate) fn edge(&self) -> u16 {
        self.edge
    }

    /// Where the API of the daemon that started last listens: `https` or `http`, with its address.
    pub(crate) fn address(&self, scheme: &str) -> String {
        let log = self.log();
        let start = format!("at={scheme}://");
        let line = log.lines().rev().find(|line| line.contains("api") && line.contains(&start));
        let at = line.unwrap().split(&start).nth(1).unwrap();
        at.split([' ', '"']).next().unwrap().to_owned()
    }

    /// Everything that its daemons have written.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("server.log")
    }

    /// The daemon's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.successor.unwrap_or_else(|| self.process.as_ref().unwrap().id())
    }

    /// Asks the daemon to hand over to a successor.
    pub(crate) fn ask_for_upgrade(&self) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-USR2", &pid]).status().unwrap().success());
    }

    /// Has the daemon hand over to a successor, and waits until that one has the data folder. The
    /// former still answers what it has: [`Self::ended`] waits for it.
    pub(crate) fn upgrade(&mut self) {
        let before = self.pid().to_string();
        self.ask_for_upgrade();
        let holder = || fs::read_to_string(self.data.join("lock")).unwrap_or_default();
        let after = until("a successor has the data folder", || {
            let holder = holder().trim().to_owned();
            (!holder.is_empty() && holder != before).then_some(holder)
        });
        self.successor = Some(after.parse().unwrap());
    }

    /// Kills the daemon as a power cut would.
    pub(crate) fn kill9(&mut self) {
        if let Some(successor) = self.successor.take() {
            end_at_once(successor);
        }
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Has the daemon begin anew with an administrator: its token, and the fingerprint of the server.
    pub(crate) fn initialise(&mut self) -> (String, String) {
        self.terminate();
        self.ended();
        let mut init = self.command(&["init"]);
        let told = run(init.arg("--data").arg(self.data())).ok();
        let last_of = |start: &str| {
            let line = told.lines().find(|line| line.starts_with(start)).unwrap();
            line.split_whitespace().last().unwrap().to_owned()
        };
        let shown = (last_of("Admin token"), last_of("Fingerprint"));
        self.start_again(&[]);
        self.until_ready();
        shown
    }

    /// Tells the daemon to end; [`Self::ended`] waits for it.
    pub(crate) fn terminate(&self) {
        assert!(Command::new("kill").arg(self.pid().to_string()).status().unwrap().success());
    }

    /// Waits until the daemon has ended, by itself or because it was told to.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let process = self.process.as_mut().unwrap();
        let status = until("the daemon ends", || process.try_wait().unwrap());
        self.process = None;
        status
    }
}

/// Runs a command to its end. One that does not come to it is killed, and what it said so far is told.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let process = child.id();
    let (ended, waits) = mpsc::channel::<()>();
    let hangs = std::thread::spawn(move || {
        let hangs = waits.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout);
        hangs.then(|| Command::new("kill").args(["-9", &process.to_string()]).status())
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    let hung = hangs.join().unwrap().is_some();
    assert!(!hung, "{command:?} did not end within {LONGEST:?}: {output:?}");
    Output {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}

/// Kills a process that is no child of ours, and waits until it is gone.
fn end_at_once(process: u32) {
    let _ = Command::new("kill").args(["-9", &process.to_string()]).status();
    until("the successor is gone", || {
        let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // Whoever adopted it may leave it a zombie.
        (status.is_empty() || status.contains(") Z ")).then_some(())
    });
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- the daemon's log\n{}", self.log());
        }
        self.kill9();
        let installation = self.installation();
        if !installation.is_empty() {
            docker::sweep(&installation);
        }
        kept::keep(&self.data);
    }
}

/// The binary that is tested.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_paas");
/// No command of a test takes longer, not even a deploy that compiles.
const LONGEST: Duration = Duration::from_mins(10);
/// After which whatever a test waits for has failed.
pub(crate) const DEADLINE: Duration = Duration::from_mins(5);

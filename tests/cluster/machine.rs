//! A machine that has joined, with its own network and its own daemon.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use crate::{
    bed::Port,
    disk::Disk,
    engine::Engine,
    http::{Answer, Request},
    server::{Output, Server, run, says, until},
};

/// The machine. Its daemon ends with it.
#[derive(Debug)]
pub(crate) struct Machine {
    name: String,
    port: Port,
    // It goes before its folder.
    engine: Option<Engine>,
    home: tempfile::TempDir,
    /// Where its data folder is, if not in the same folder.
    disk: Option<Disk>,
    daemon: Option<Child>,
}

impl Machine {
    /// Joins by a token of the server's own, and starts.
    pub(crate) fn join(server: &Server, name: &str, port: Port) -> Self {
        Self::join_with(server, name, port, (None, None))
    }

    fn join_with(
        server: &Server,
        name: &str,
        port: Port,
        (engine, disk): (Option<Engine>, Option<Disk>),
    ) -> Self {
        let home = tempfile::Builder::new().prefix("paas-machine-").tempdir().unwrap();
        let mut machine = Self { name: name.to_owned(), port, engine, home, disk, daemon: None };
        machine.try_join(server).ok();
        machine.start(server);
        machine
    }

    fn try_join(&self, server: &Server) -> Output {
        let word = server.paas(&["nodes", "token", "--json"]).json();
        let mut join = server.command(&["node", "join", word["token"].as_str().unwrap()]);
        join.args(["--name", &self.name, "--data"]).arg(self.data());
        run(&mut self.port.on(&join))
    }

    /// Joins anew, as a machine that was removed is told to.
    pub(crate) fn join_anew(&mut self, server: &Server) {
        self.kill9();
        let refused = self.try_join(server).ended(1);
        says(&refused, &["has joined already", "to join anew:", "rm -r"]);
        fs::remove_dir_all(self.data().join("node")).unwrap();
        self.try_join(server).ok();
        self.start(server);
    }

    /// The same, with a Docker of its own.
    pub(crate) fn join_to_work(server: &Server, name: &str, port: Port) -> Self {
        Self::join_with(server, name, port, (Some(Engine::start(port)), None))
    }

    /// The same, with its data on a disk that nothing else is on.
    pub(crate) fn join_on(disk: Disk, server: &Server, name: &str, port: Port) -> Self {
        Self::join_with(server, name, port, (Some(Engine::start(port)), Some(disk)))
    }

    /// Starts the daemon.
    pub(crate) fn start(&mut self, server: &Server) {
        self.start_with(server, &[]);
    }

    /// The same with these variables (such as `PAAS_FAULT`).
    pub(crate) fn start_with(&mut self, server: &Server, environment: &[(&str, &str)]) {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = server.command(&["server", "--data"]);
        command.arg(self.data()).args(["--http", "0.0.0.0:80"]);
        command.env("PAAS_ADDRESSES", self.port.address().to_string());
        command.env("PAAS_DNS", "0.0.0.0:53");
        // Once it may lead.
        command.env("PAAS_API", format!("https://{}:8443", self.port.address()));
        if let Some(engine) = &self.engine {
            command.env("PAAS_DOCKER", engine.socket());
        }
        command.envs(environment.iter().copied());
        let mut command = self.port.on(&command);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
    }

    /// Tells the daemon to end, and waits until it has.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut daemon = self.daemon.take().unwrap();
        assert!(Command::new("kill").arg(daemon.id().to_string()).status().unwrap().success());
        until("the node's daemon ends", || daemon.try_wait().unwrap())
    }

    /// Waits until it has died by itself.
    pub(crate) fn died(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        let ended = until("the node's daemon dies", || daemon.try_wait().unwrap());
        assert!(!ended.success());
    }

    /// Whether it has something of the records in its data folder.
    pub(crate) fn has_records(&self) -> bool {
        ["store", "keys", "quorum"].iter().any(|name| self.data().join(name).exists())
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill9(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    /// Gives it another address, which it notices by itself.
    pub(crate) fn renumber(&mut self, host: u8) {
        self.port.renumber(host);
    }

    /// Where its link is reached.
    pub(crate) fn link(&self) -> String {
        format!("{}:7600", self.port.address())
    }

    /// The socket of its Docker.
    pub(crate) fn docker(&self) -> PathBuf {
        self.engine.as_ref().unwrap().socket()
    }

    /// The containers of its Docker.
    pub(crate) fn containers(&self) -> usize {
        let engine = self.engine.as_ref().unwrap();
        let asked = Request::get("docker", "/v1.41/containers/json?all=true");
        let answer = asked.over_socket(&engine.socket()).unwrap();
        answer.json().as_array().unwrap().len()
    }

    /// How many programs in its containers have `word` among their arguments.
    pub(crate) fn programs(&self, word: &str) -> usize {
        let engine = self.engine.as_ref().unwrap();
        let ask = |path: &str| Request::get("docker", path).over_socket(&engine.socket()).unwrap();
        let containers = ask("/v1.41/containers/json").json();
        let listed = containers.as_array().unwrap().iter().map(|container| {
            let id = container["Id"].as_str().unwrap();
            let top = ask(&format!("/v1.41/containers/{id}/top")).json();
            let rows = top["Processes"].as_array().cloned().unwrap_or_default();
            rows.iter().filter(|row| row.to_string().contains(word)).count()
        });
        listed.sum()
    }

    pub(crate) fn port(&self) -> Port {
        self.port
    }

    /// Asks an app for its first page, through this machine's edge.
    pub(crate) fn get(&self, app: &str) -> std::io::Result<Answer> {
        Request::get(&format!("{app}.localhost"), "/").at(self.edge())
    }

    /// Waits until it shows this page.
    #[track_caller]
    pub(crate) fn until_shows(&self, app: &str, page: &str) {
        until(&format!("{} shows {app}", self.name), || {
            self.get(app).ok().filter(|answer| answer.status == 200 && answer.text() == page)
        });
    }

    pub(crate) fn edge(&self) -> SocketAddr {
        (self.port.address(), 80).into()
    }

    /// The disk that its data is on, if that is one of its own.
    pub(crate) fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// The socket of its API, for whoever is on it.
    pub(crate) fn socket(&self) -> PathBuf {
        self.data().join("api.sock")
    }

    /// Everything that its daemons have written.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub(crate) fn data(&self) -> PathBuf {
        match &self.disk {
            Some(disk) => disk.folder().join("data"),
            None => self.home.path().join("data"),
        }
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("node.log")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            println!("--- the log of {}\n{}", self.name, self.log());
        }
    }
}

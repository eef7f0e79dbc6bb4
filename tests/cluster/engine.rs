//! A Docker of a machine's own, with its containers, its networks and its rules.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{bed::Port, http::Request, server::until};

/// It. Its containers end with it.
#[derive(Debug)]
pub(crate) struct Engine {
    home: tempfile::TempDir,
    daemon: Child,
}

impl Engine {
    /// Starts one on a machine, and waits until it answers.
    pub(crate) fn start(port: Port) -> Self {
        let home = tempfile::Builder::new().prefix("paas-docker-").tempdir().unwrap();
        let at = |name: &str| home.path().join(name).display().to_string();
        // Its mounts are seen by nobody else, and go with it.
        let script = format!(
            "mkdir -p /run/docker; mount -t tmpfs none /run/docker; exec dockerd -H unix://{} --data-root {} \
             --exec-root {} -p {} --shutdown-timeout 1",
            at("docker.sock"),
            at("root"),
            at("exec"),
            at("pid")
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["-m", "sh", "-c", &script]);
        let log = File::create(home.path().join("log")).unwrap();
        let mut command = port.on(&unshare);
        // `scripts/setup.sh` says why.
        command.env("GOGC", "400");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let daemon = command.spawn().unwrap();
        let engine = Self { home, daemon };
        until("another Docker answers", || {
            let asked = Request::get("docker", "/_ping").over_socket(&engine.socket());
            asked.ok().filter(|answer| answer.status == 200)
        });
        engine
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home.path().join("docker.sock")
    }
}

impl Drop for Engine {
    /// Once in a while one does not hear that it is to end. Told a third time it would leave its containers.
    fn drop(&mut self) {
        let id = self.daemon.id().to_string();
        for _ in 0..2 {
            let _ = Command::new("kill").arg(&id).status();
            let told = Instant::now();
            while told.elapsed() < PATIENCE {
                if !matches!(self.daemon.try_wait(), Ok(None)) {
                    return;
                }
                sleep(Duration::from_millis(25));
            }
        }
        let _ = self.daemon.wait();
    }
}

/// For one to end, with its containers, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

//! A Docker of a machine's own, with its containers, its networks and its rules.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
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
    fn drop(&mut self) {
        let id = self.daemon.id().to_string();
        let _ = Command::new("kill").arg(id).status();
        let _ = self.daemon.wait();
    }
}

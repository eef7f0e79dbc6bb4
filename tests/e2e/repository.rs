//! A server, a client that has logged in to it over TLS, and a repository whose remote it is.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    server::{Output, Server, run, until},
    sources,
};

/// A server, somebody who has logged in to it, and their repository.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) token: String,
    pub(crate) fingerprint: String,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut server = Server::start();
        let (token, fingerprint) = server.initialise();
        let folder = sources::folder(&[("index.html", "zero")]);
        let world = Self { server, token, fingerprint, folder };
        world.git(&["init", "--quiet", "--initial-branch=main"]).ok();
        world.log_in();
        world
    }

    pub(crate) fn log_in(&self) {
        let url = format!("https://{}", self.server.address("https"));
        self.paas(&["login", &url, "--token", &self.token, "--fingerprint", &self.fingerprint])
            .ok();
    }

    /// The client, as somebody who has logged in has it, in the repository.
    pub(crate) fn paas(&self, arguments: &[&str]) -> Output {
        let mut command = self.server.command(arguments);
        run(command.env_remove("PAAS_URL").current_dir(self.folder.path()))
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> Output {
        run(&mut self.git_command(self.folder.path(), arguments))
    }

    pub(crate) fn git_command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command.env("XDG_CONFIG_HOME", self.server.home().join("client"));
        command.env("HOME", self.server.home()).env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_TERMINAL_PROMPT", "0");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "me").env(format!("GIT_{role}_EMAIL"), "me@x");
        }
        command
    }

    pub(crate) fn commit(&self, path: &str, text: &str) {
        sources::write(self.folder.path(), path, text);
        self.git(&["add", "--all"]).ok();
        self.git(&["commit", "--quiet", "--message", path]).ok();
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).ok().trim().to_owned()
    }

    /// What the server has under a ref.
    pub(crate) fn kept(&self, name: &str) -> String {
        let listed = self.git(&["ls-remote", "paas", name]).ok();
        listed.split_whitespace().next().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn serves(&self, text: &str) {
        self.server.until_page("site", text);
    }

    #[track_caller]
    pub(crate) fn nothing_is_left(&self) {
        let repository = self.server.data().join("apps/site/git");
        until("nothing of the push is left", || {
            let names = fs::read_dir(&repository).unwrap().flatten();
            let left = names.filter(|n| n.file_name().to_string_lossy().starts_with("incoming-"));
            (left.count() == 0).then_some(())
        });
    }
}

//! Somebody with a login: what he types goes to whichever machine leads.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::{
    Stage,
    server::{Output, Server, run, until},
};

/// With what an administrator logs in.
#[derive(Debug)]
pub(crate) struct Admin {
    token: String,
    fingerprint: String,
}

impl Admin {
    /// A new one.
    pub(crate) fn of(stage: &mut Stage) -> Self {
        let (token, fingerprint) = stage.server.initialise();
        Self { token, fingerprint }
    }

    /// Runs a command that asks the machine at this address, and no other.
    pub(crate) fn run_at(&self, server: &Server, at: Ipv4Addr, arguments: &[&str]) -> Output {
        let mut command = server.command(arguments);
        command.env("PAAS_URL", url(at));
        command.env("PAAS_TOKEN", &self.token).env("PAAS_FINGERPRINT", &self.fingerprint);
        run(&mut command)
    }
}

/// Somebody who has logged in to one machine, and asks that one first.
#[derive(Debug)]
pub(crate) struct User {
    home: tempfile::TempDir,
}

impl User {
    pub(crate) fn of(server: &Server, at: Ipv4Addr, admin: &Admin) -> Self {
        let user = Self { home: tempfile::tempdir().unwrap() };
        let Admin { token, fingerprint } = admin;
        let login = ["login", &url(at), "--token", token, "--fingerprint", fingerprint];
        user.run(server, &login).ok();
        user
    }

    pub(crate) fn run(&self, server: &Server, arguments: &[&str]) -> Output {
        let mut command = server.command(arguments);
        command.env_remove("PAAS_URL").env("XDG_CONFIG_HOME", self.home.path());
        run(&mut command)
    }

    /// Runs it again and again until it succeeds.
    #[track_caller]
    pub(crate) fn until_does(&self, server: &Server, arguments: &[&str]) -> Output {
        until(&format!("`paas {}` does it", arguments.join(" ")), || {
            let done = self.run(server, arguments);
            (done.code == 0).then_some(done)
        })
    }

    pub(crate) fn nodes(&self, server: &Server) -> Vec<Value> {
        let shown = self.until_does(server, &["nodes", "--json"]).json();
        shown.as_array().unwrap().clone()
    }

    /// Who leads.
    pub(crate) fn leader(&self, server: &Server) -> String {
        let nodes = self.nodes(server);
        let leads = nodes.iter().find(|one| one["state"] == "control").unwrap();
        leads["name"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn until_is(&self, server: &Server, node: &str, state: &str) {
        until(&format!("{node} is {state}"), || {
            let nodes = self.nodes(server);
            nodes.iter().any(|one| one["name"] == node && one["state"] == state).then_some(())
        });
    }
}

fn url(at: Ipv4Addr) -> String {
    format!("https://{at}:8443")
}

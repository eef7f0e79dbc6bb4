//! Three machines that keep the records, `box`, `edge-1` and `edge-2`, each with a Docker of its own.

use std::{path::PathBuf, time::Instant};

use crate::{
    APP, Stage,
    disk::Disk,
    docker,
    http::{Answer, Request},
    machine::Machine,
    server::{Output, says, until},
    user::{Admin, User},
};

/// They, and somebody who has logged in to `box`.
pub(crate) struct Three {
    pub(crate) one: Machine,
    pub(crate) two: Machine,
    // Machines go before the bridge that they are plugged into.
    pub(crate) stage: Stage,
    pub(crate) admin: Admin,
    pub(crate) user: User,
    /// What the app shows.
    pub(crate) page: String,
}

impl Three {
    /// They have joined, and `box` keeps the records alone. The data of `edge-1` is on this disk, if there is one.
    pub(crate) fn join(disk: Option<Disk>) -> Self {
        Self::join_with(Vec::new(), disk)
    }

    /// The same, with these settings of `box` besides.
    pub(crate) fn join_with(settings: Vec<(&'static str, String)>, disk: Option<Disk>) -> Self {
        let mut stage = Stage::with(settings);
        let admin = Admin::of(&mut stage);
        let page = stage.deploy("first");
        let (server, port) = (&stage.server, stage.bed.plug(1));
        let one = match disk {
            Some(disk) => Machine::join_on(disk, server, "edge-1", port),
            None => Machine::join_to_work(server, "edge-1", port),
        };
        let two = Machine::join_to_work(server, "edge-2", stage.bed.plug(2));
        stage.until_is("edge-1", "up");
        stage.until_is("edge-2", "up");
        let user = User::of(server, stage.bed.address(), &admin);
        Self { one, two, stage, admin, user, page }
    }

    /// Has all of them keep the records, and run the app.
    pub(crate) fn promote(&self) {
        let promote = ["nodes", "promote", "edge-1", "edge-2"];
        let begun = Instant::now();
        says(&self.run(&promote).ok(), &["edge-1", "edge-2"]);
        println!("{:?} until three machines kept the records", begun.elapsed());
        let keep = self.user.nodes(&self.stage.server);
        assert_eq!(keep.iter().filter(|one| one["keeps_records"] == true).count(), 3);
        self.run(&promote).ok();
        until("both nodes can have instances", || {
            let nodes = self.user.nodes(&self.stage.server);
            (nodes.iter().filter(|one| one["instances"] == 0).count() == 2).then_some(())
        });
        // What is on one machine only would be lost with it.
        self.run(&["scale", "web=3", "-a", APP]).ok();
        self.until_each_runs_it();
    }

    /// Runs a command of the user's.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.user.run(&self.stage.server, arguments)
    }

    /// Runs it again and again until it succeeds.
    #[track_caller]
    pub(crate) fn until_does(&self, arguments: &[&str]) -> Output {
        self.user.until_does(&self.stage.server, arguments)
    }

    /// Who leads.
    pub(crate) fn leader(&self) -> &'static str {
        let leader = self.user.leader(&self.stage.server);
        NAMES.into_iter().find(|name| *name == leader).unwrap()
    }

    #[track_caller]
    pub(crate) fn until_up(&self, name: &str) {
        let server = &self.stage.server;
        until(&format!("{name} is there"), || {
            let nodes = self.user.nodes(server);
            let one = nodes.iter().find(|one| one["name"] == name)?;
            ["up", "control"].iter().find(|state| one["state"] == **state).map(drop)
        });
    }

    /// Waits until there is one instance on each, and each shows the app. If they are uneven when none is starting any
    /// more (one was not heard of when places were given), that is mended.
    #[track_caller]
    pub(crate) fn until_each_runs_it(&self) {
        let mut before = Vec::new();
        until("each has an instance that is ready", || {
            let shown = self.until_does(&["ps", "-a", APP, "--json"]).json();
            let ready = shown.as_array().unwrap().iter().filter(|one| one["health"] == "ready");
            let mut ready: Vec<_> =
                ready.map(|one| one["node"].as_str().unwrap().to_owned()).collect();
            ready.sort();
            if ready != before {
                println!("instances are ready on {ready:?}");
            } else if ready.len() == NAMES.len() && ready != NAMES {
                self.run(&["nodes", "rebalance", "--yes"]);
            }
            before.clone_from(&ready);
            (ready == NAMES).then_some(())
        });
        for name in NAMES {
            self.until_shows(name);
        }
    }

    /// Kills the daemon of one as a power cut would.
    pub(crate) fn kill9(&mut self, name: &str) {
        match name {
            "edge-1" => self.one.kill9(),
            "edge-2" => self.two.kill9(),
            _ => self.stage.server.kill9(),
        }
    }

    /// Starts it; nobody waits for it to answer.
    pub(crate) fn start(&mut self, name: &str) {
        match name {
            "edge-1" => self.one.start(&self.stage.server),
            "edge-2" => self.two.start(&self.stage.server),
            _ => self.stage.server.start_daemon(&[]),
        }
    }

    /// The app's first page, through the edge of one.
    pub(crate) fn get(&self, name: &str) -> std::io::Result<Answer> {
        match name {
            "edge-1" => self.one.get(APP),
            "edge-2" => self.two.get(APP),
            _ => self.stage.server.try_get(APP, "/"),
        }
    }

    /// Waits until one shows the app.
    #[track_caller]
    pub(crate) fn until_shows(&self, name: &str) {
        until(&format!("{name} shows {APP}"), || {
            let answer = self.get(name).ok()?;
            (answer.status == 200 && answer.text() == self.page).then_some(())
        });
    }

    /// Asks the Docker of one.
    fn ask_docker(&self, name: &str, method: &str, path: &str) -> Answer {
        let socket = match name {
            "edge-1" => self.one.docker(),
            "edge-2" => self.two.docker(),
            _ => docker::SOCKET.into(),
        };
        let request = Request { method, ..Request::get("docker", path) };
        request.over_socket(&socket).unwrap()
    }

    /// The containers that run the app on one, each with its first process.
    pub(crate) fn instances(&self, name: &str) -> Vec<(String, u64)> {
        let installation = self.stage.server.installation();
        let label = |name: &str, value: &str| format!("%22paas.{name}%3D{value}%22");
        let labels = [("installation", installation.as_str()), ("app", APP), ("role", "instance")];
        let labels = labels.map(|(name, value)| label(name, value)).join(",");
        let list = format!("/v1.41/containers/json?filters=%7B%22label%22%3A%5B{labels}%5D%7D");
        let found = self.ask_docker(name, "GET", &list).json();
        let each = found.as_array().unwrap().iter().map(|one| {
            let id = one["Id"].as_str().unwrap().to_owned();
            let inspect = format!("/v1.41/containers/{id}/json");
            let process = self.ask_docker(name, "GET", &inspect).json()["State"]["Pid"].as_u64();
            (id, process.unwrap_or_default())
        });
        each.collect()
    }

    /// Waits until there is one such, and says which: those of the release before stand by for a while.
    #[track_caller]
    pub(crate) fn instance(&self, name: &str) -> (String, u64) {
        until(&format!("one container runs {APP} on {name}"), || {
            let mut there = self.instances(name);
            there.pop().filter(|_| there.is_empty())
        })
    }

    /// Kills what a container runs.
    pub(crate) fn kill_container(&self, name: &str, id: &str) {
        let answer = self.ask_docker(name, "POST", &format!("/v1.41/containers/{id}/kill"));
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    /// What the daemon of one has written.
    pub(crate) fn log(&self, name: &str) -> String {
        match name {
            "edge-1" => self.one.log(),
            "edge-2" => self.two.log(),
            _ => self.stage.server.log(),
        }
    }

    /// What one says, on the machine itself, to somebody without a token.
    pub(crate) fn says_on(&self, name: &str) -> std::io::Result<String> {
        let socket: PathBuf = match name {
            "edge-1" => self.one.socket(),
            "edge-2" => self.two.socket(),
            _ => self.stage.server.socket(),
        };
        Ok(Request::get("paas", "/v1/server").over_socket(&socket)?.text())
    }
}

/// All of them.
pub(crate) const NAMES: [&str; 3] = ["box", "edge-1", "edge-2"];

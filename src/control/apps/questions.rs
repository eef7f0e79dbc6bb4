//! What a running instance is asked, and how: its process says it, its container says where. Pure.

use std::net::SocketAddr;

use crate::{
    control::apps::{state::AppState, vitals::Limit},
    model::{
        AppName, HealthCheck, HttpProtocol, Instance, InstanceState, Liveness, Process, Secrets,
        Timestamp,
    },
};

/// All that one instance is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whose it is.
    pub app: AppName,
    /// When it started.
    pub since: Timestamp,
    /// Its first process on this machine, to look where else it listens.
    pub pid: Option<u32>,
    /// What shows that it can serve; `None` where running is all there is to see.
    pub readiness: Option<Question>,
    /// What shows that it does not hang, where that is another question.
    pub liveness: Option<Question>,
    /// By what it is taken to hang.
    pub limit: Limit,
    /// What programs have in their environment that are started in it.
    pub secrets: Secrets,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// How it is asked.
    pub way: Way,
    /// What is asked, and when an answer is good.
    pub check: HealthCheck,
}

/// How a question is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By a connection to it.
    Connection {
        /// Where it should answer.
        at: SocketAddr,
        /// Whether that is a door to another machine.
        door: bool,
        /// The host name it is asked under, unless its check names another.
        host: String,
        /// What it speaks.
        protocol: HttpProtocol,
    },
    /// By a program that is run in it.
    Program(Vec<String>),
}

impl Target {
    /// What to ask an instance; `None` if nothing, or if it does not run.
    pub fn of(state: &AppState, instance: &Instance, domain: &str) -> Option<Self> {
        let InstanceState::Running { since } = instance.state else { return None };
        let release = state.releases.get(&instance.incarnation.release)?;
        let process = release.processes.get(&instance.slot.process)?;
        if process.name.runs_once() {
            return None;
        }
        let question = |check: HealthCheck| {
            let way = if check.command.is_empty() {
                Way::Connection {
                    at: instance.reached_at(process.port?)?,
                    door: instance.node.is_some(),
                    host: format!("{}.{domain}", state.app.name),
                    protocol: state.protocol_of(instance.incarnation, &instance.slot),
                }
            } else {
                Way::Program(process.beside(&check.command))
            };
            Some(Question { way, check })
        };
        let readiness = process.is_asked().then(|| question(process.health.clone())).flatten();
        let liveness = process.liveness_check().and_then(question);
        let limit = limit(process, liveness.as_ref());
        (readiness.is_some() || liveness.is_some()).then(|| Self {
            app: state.app.name.clone(),
            since,
            pid: instance.pid,
            readiness,
            liveness,
            limit,
            secrets: release.secrets.clone(),
        })
    }
}

fn limit(process: &Process, own: Option<&Question>) -> Limit {
    match (&process.liveness, own) {
        (Liveness::Silence, _) => Limit::Silence { grace: process.health.grace },
        (Liveness::Check(check), Some(_)) => {
            Limit::Failures { most: check.failures, grace: check.grace }
        }
        (Liveness::Off, _) | (Liveness::Check(_), None) => Limit::None,
    }
}

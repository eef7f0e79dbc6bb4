//! Containers that run once. One that somebody talks to is made, listened to, and only then started, so
//! that its first word is heard; what it writes is theirs alone and kept nowhere.

use std::collections::HashMap;

use bollard::{
    models::{ContainerCreateBody, HostConfigLogConfig},
    query_parameters::{KillContainerOptions, ResizeContainerTTYOptions},
};
use bytes::Bytes;
use futures_util::{StreamExt, future, stream};

use super::{
    Docker, builder, fault,
    hijack::{self, Framing},
    label,
    network::{self, Network},
    policy,
    start::{self, Plan},
};
use crate::{
    engine::{Ends, EngineError, OutputStream, Piece, RunSpec},
    model::{ContainerId, Exit, ProgramSignal, RunConsole, Terminal, TerminalSize},
};

/// A run that somebody talks to.
#[derive(Debug, Clone)]
pub struct Attached {
    docker: Docker,
    id: ContainerId,
}

/// Makes and starts one that nobody talks to, unless it was started before.
pub(super) async fn start(docker: &Docker, spec: &RunSpec) -> Result<ContainerId, EngineError> {
    let plan = plan(docker, spec).await?;
    start::ensure(docker, &plan, &label::digest(&spec.instance)).await
}

async fn plan(docker: &Docker, spec: &RunSpec) -> Result<Plan, EngineError> {
    let installation = docker.installation();
    let resolvers = start::resolvers(docker).await?;
    let plan = Plan {
        name: label::instance_name(installation, &spec.instance),
        network: Network::of_app(installation, &spec.instance.app),
        body: body(policy::instance(docker.settings(), &spec.instance, &resolvers), spec.console),
    };
    network::ensure(docker, &plan.network).await?;
    Ok(plan)
}

/// An instance's container, but for what tells that it runs once and who it talks to.
fn body(mut body: ContainerCreateBody, console: RunConsole) -> ContainerCreateBody {
    body.labels.get_or_insert_default().extend(label::of_run());
    if console == RunConsole::Detached {
        return body;
    }
    let nowhere =
        HostConfigLogConfig { typ: Some("none".to_owned()), config: Some(HashMap::new()) };
    body.host_config.get_or_insert_default().log_config = Some(nowhere);
    ContainerCreateBody {
        tty: Some(console == RunConsole::Terminal),
        open_stdin: Some(true),
        stdin_once: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..body
    }
}

impl Docker {
    /// Starts a run that somebody talks to.
    pub async fn run_attached(
        &self,
        spec: &RunSpec,
        terminal: Option<&Terminal>,
    ) -> Result<(Attached, Ends), EngineError> {
        let mut plan = plan(self, spec).await?;
        let kind = terminal.map(|terminal| format!("TERM={}", terminal.kind));
        plan.body.env.get_or_insert_default().extend(kind);
        let id = start::create(self, &plan).await?;
        let path = format!("/containers/{}/attach?stream=1&stdin=1&stdout=1&stderr=1", id.0);
        let framing = if terminal.is_some() { Framing::Raw } else { Framing::Framed };
        let body = serde_json::Value::Null;
        let mut ends = hijack::open(self, "container attach", &path, &body, framing).await?;
        start::run(self, &plan, &id).await?;
        let attached = Attached { docker: self.clone(), id };
        if let Some(terminal) = terminal {
            // It may have ended already.
            attached.resize(terminal.size).await.ok();
        }
        // What could not even start says nothing itself, and Docker goes on listening to it.
        let ended = builder::exit(self, &attached.id).await?;
        if let Some(error) = ended.and_then(|exit| exit.error) {
            let bytes = Bytes::from(format!("error: {error}\n"));
            let words = Piece { stream: OutputStream::Err, bytes };
            ends.output = stream::once(future::ready(Ok(words))).boxed();
        }
        Ok((attached, ends))
    }
}

impl Attached {
    /// Tells its terminal another size.
    pub async fn resize(&self, size: TerminalSize) -> Result<(), EngineError> {
        let (h, w) = (i32::from(size.rows), i32::from(size.columns));
        let resize =
            self.docker.api().resize_container_tty(&self.id.0, ResizeContainerTTYOptions { h, w });
        self.docker.ask("container resize", &self.id.0, resize).await
    }

    /// Sends it a signal; one that has ended is fine.
    pub async fn signal(&self, signal: ProgramSignal) -> Result<(), EngineError> {
        let name = match signal {
            ProgramSignal::Hangup => "SIGHUP",
            ProgramSignal::Interrupt => "SIGINT",
            ProgramSignal::Quit => "SIGQUIT",
            ProgramSignal::Terminate => "SIGTERM",
            ProgramSignal::Kill => "SIGKILL",
        };
        let options = KillContainerOptions { signal: name.to_owned() };
        let kill = self.docker.api().kill_container(&self.id.0, Some(options));
        let sent = self.docker.ask("container kill", &self.id.0, kill).await;
        fault::accept(sent, &[404, 409])
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Result<Exit, EngineError> {
        builder::wait(&self.docker, &self.id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::docker::{DockerSettings, example};

    #[test]
    fn only_a_run_that_nobody_talks_to_is_logged() {
        let settings = DockerSettings::new("k3f9".parse().unwrap());
        let of = |console| body(policy::instance(&settings, &example(), &[]), console);
        let log = |body: &ContainerCreateBody| {
            body.host_config.clone().unwrap().log_config.unwrap().typ.unwrap()
        };
        let (detached, pipes) = (of(RunConsole::Detached), of(RunConsole::Pipes));
        assert_eq!((log(&detached), log(&pipes)), ("local".to_owned(), "none".to_owned()));
        assert_eq!((detached.open_stdin, pipes.open_stdin), (None, Some(true)));
        assert_eq!((pipes.tty, of(RunConsole::Terminal).tty), (Some(false), Some(true)));
        assert_eq!(detached.labels.unwrap()[label::ROLE], "run");
    }
}

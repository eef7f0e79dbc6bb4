//! Why a new instance fails its rollout: what is said of it, and what to do about it. Pure.
//!
//! Nothing is judged here that time may still mend; for that the moment to look again is noted.

use std::{net::SocketAddr, time::Duration};

use crate::{
    control::apps::step::Plan,
    model::{
        ContainerId, Exit, Health, HealthCheck, InstanceState, Observed, Process, Slot, Timestamp,
    },
};

/// Why a release does not take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people.
    pub reason: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Whose last lines belong to it.
    pub blame: Option<ContainerId>,
}

/// Why an instance will not become ready, if that is certain or has lasted long enough.
pub(super) fn before_ready(
    observed: &Observed,
    process: &Process,
    now: Timestamp,
    plan: &mut Plan,
) -> Option<Failure> {
    let slot = &observed.instance.slot;
    let blame = Some(observed.instance.id.clone());
    let since = match &observed.instance.state {
        InstanceState::Created => return None,
        InstanceState::Exited(exit) => {
            let hint = Some(after(exit, process));
            return Some(Failure { reason: format!("{slot} {exit}"), hint, blame });
        }
        InstanceState::Running { since } => *since,
    };
    let Health::Starting { seen, elsewhere } = &observed.health else {
        return hangs(observed, process);
    };
    if !process.is_asked() {
        await_settling(observed, process, now, plan);
        return None;
    }
    if let Some(port) = process.port.filter(|_| !elsewhere.is_empty()) {
        let patience = since.plus(ELSEWHERE_PATIENCE);
        if now >= patience {
            let (reason, hint) = listens_elsewhere(slot, port, elsewhere);
            return Some(Failure { reason, hint: Some(hint), blame });
        }
        plan.look_again_at(patience);
    }
    let grace = since.plus(process.health.grace);
    if now >= grace {
        let what = seen.as_deref().unwrap_or("no answer");
        let reason =
            format!("{slot} was not ready {:?} after its start: {what}", process.health.grace);
        return Some(Failure { reason, hint: Some(not_ready(process)), blame });
    }
    plan.look_again_at(grace);
    None
}

/// What to do about one that does not get ready.
fn not_ready(process: &Process) -> String {
    let name = &process.name;
    let grace = format!("a slower start needs a larger `grace` under [process.{name}.health]");
    match (process.health.command.first(), process.port) {
        (None, Some(port)) => format!(
            "it must listen on 0.0.0.0:$PORT (here {port}); {grace} in paas.toml; a program that \
             serves no pages is no `web`: echo 'worker: COMMAND' > Procfile"
        ),
        (Some(program), _) => {
            format!("its check `{program}` must exit with 0; {grace} in paas.toml")
        }
        (None, None) => format!("{grace} in paas.toml"),
    }
}

/// A new instance that hangs is none that may still get ready.
fn hangs(observed: &Observed, process: &Process) -> Option<Failure> {
    let Health::Hung { seen } = &observed.health else { return None };
    let reason = format!("{} hangs: {seen}", observed.instance.slot);
    let hint = format!(
        "see `paas logs` for what it wrote; if it is well, mend [process.{}.liveness] in paas.toml",
        process.name
    );
    Some(Failure { reason, hint: Some(hint), blame: Some(observed.instance.id.clone()) })
}

/// Why an instance that had taken over does not do its work any more.
pub(super) fn after_ready(observed: &Observed, process: &Process) -> Option<Failure> {
    lapse(observed, process, "had taken over")
}

/// Why an instance that was tried does not do its work any more. It had answered when its trial began, so
/// that a daemon to which it has not answered yet need not wait for it.
pub(super) fn while_tried(observed: &Observed, process: &Process) -> Option<Failure> {
    match (&observed.instance.state, &observed.health) {
        (InstanceState::Running { .. }, Health::Starting { seen: Some(seen), .. }) => {
            let failing = Health::Failing { seen: seen.clone() };
            lapse(&Observed { health: failing, ..observed.clone() }, process, "was tried")
        }
        _ => lapse(observed, process, "was tried"),
    }
}

/// Why an instance that was ready is not any more; `had` says what it was doing.
fn lapse(observed: &Observed, process: &Process, had: &str) -> Option<Failure> {
    let slot = &observed.instance.slot;
    let (what, hint) = match (&observed.instance.state, &observed.health) {
        (InstanceState::Exited(exit), _) => (exit.to_string(), after(exit, process)),
        (InstanceState::Running { .. }, Health::Failing { seen } | Health::Hung { seen }) => {
            let hint = "see `paas logs` for what it wrote, mend it and deploy again";
            (format!("does not answer any more: {seen}"), hint.to_owned())
        }
        (InstanceState::Created | InstanceState::Running { .. }, _) => return None,
    };
    let blame = Some(observed.instance.id.clone());
    let reason = format!("{slot} {had} and {what}");
    Some(Failure { reason, hint: Some(hint), blame })
}

/// Notes when time alone makes an instance ready that nobody can ask.
pub(super) fn await_settling(
    observed: &Observed,
    process: &Process,
    now: Timestamp,
    plan: &mut Plan,
) {
    let InstanceState::Running { since } = observed.instance.state else { return };
    let settled = since.plus(HealthCheck::SETTLED);
    if !process.is_asked() && now < settled {
        plan.look_again_at(settled);
    }
}

fn after(exit: &Exit, process: &Process) -> String {
    if exit.out_of_memory {
        format!(
            "its limit is {}; raise it with `memory` under [process.{}] in paas.toml",
            process.limits.memory, process.name
        )
    } else {
        "see `paas logs` for all it wrote, mend it and deploy again".to_owned()
    }
}

fn listens_elsewhere(slot: &Slot, port: u16, elsewhere: &[SocketAddr]) -> (String, String) {
    let places: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
    let reason =
        format!("{slot} listens on {} and not on 0.0.0.0:$PORT (here {port})", places.join(", "));
    let right_port = elsewhere.iter().any(|address| address.port() == port);
    let loopback = elsewhere.iter().all(|address| address.ip().is_loopback());
    let hint = match elsewhere.first() {
        Some(first) if !right_port => {
            let own = first.port();
            let process = &slot.process;
            let and = if loopback { ", and listen on 0.0.0.0 instead of 127.0.0.1" } else { "" };
            format!(
                "read the port from the environment variable PORT{and}; or keep yours: \
                 `port = {own}` under [process.{process}] in paas.toml{and}"
            )
        }
        Some(_) | None => {
            "listen on all addresses: bind 0.0.0.0 (or `::`) instead of 127.0.0.1".to_owned()
        }
    };
    (reason, hint)
}

/// How long an app may listen somewhere else before that is taken for its last word.
const ELSEWHERE_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_port_that_is_listened_on() {
        let slot = Slot { process: "web".parse().unwrap(), index: 1 };
        let hint = |address: &str| listens_elsewhere(&slot, 8080, &[address.parse().unwrap()]).1;
        assert_eq!(
            hint("[::]:3000"),
            "read the port from the environment variable PORT; or keep yours: `port = 3000` under \
             [process.web] in paas.toml"
        );
        assert!(hint("127.0.0.1:5000").contains("0.0.0.0 instead of 127.0.0.1; or keep yours"));
        assert!(hint("127.0.0.1:8080").starts_with("listen on all addresses"));
    }
}

//! Seeing instances: one list per pass, and an inspection only of what may have changed.
//!
//! The list does not say how a container ended, when it started or which process it is; inspecting
//! each of them in every pass would cost dockerd more than the apps do. What an inspection showed
//! holds as long as the list shows the same glance and no event named the container.

use std::{collections::HashSet, net::IpAddr};

use bollard::{
    models::{
        ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, ContainerSummary,
        NetworkSettings,
    },
    query_parameters::{InspectContainerOptions, ListContainersOptions},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Docker, fault,
    label::{self, Identity, Role},
    start::NEVER,
};
use crate::{
    engine::EngineError,
    model::{ContainerId, Exit, Instance, InstanceState, Timestamp},
};

/// What an inspection showed, and the glance it belongs to.
pub(super) struct Seen {
    glance: Glance,
    instance: Instance,
}

/// What the list says of a container's state.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Glance {
    state: String,
    address: Option<String>,
    age: Age,
}

/// How long a container is said to run, coarsely: the rank of the unit, then the count. It only
/// ever grows, unless the container was restarted behind our back.
type Age = Option<(usize, u32)>;

pub(super) async fn instances(docker: &Docker) -> Result<Vec<Instance>, EngineError> {
    let listed = list(docker, Role::Instance).await?;
    let present: HashSet<&str> = listed.iter().filter_map(|one| one.id.as_deref()).collect();
    docker.seen().retain(|id, _| present.contains(id.as_str()));
    let mut instances = inspected(docker, listed).await?;
    instances.sort_by(|a, b| {
        (&a.app, &a.slot, a.incarnation, a.attempt).cmp(&(
            &b.app,
            &b.slot,
            b.incarnation,
            b.attempt,
        ))
    });
    Ok(instances)
}

/// The containers of runs, which are few and short, so that nothing is remembered of them.
pub(super) async fn runs(docker: &Docker) -> Result<Vec<Instance>, EngineError> {
    let listed = list(docker, Role::Run).await?;
    for id in listed.iter().filter_map(|one| one.id.as_deref()) {
        docker.seen().remove(id);
    }
    inspected(docker, listed).await
}

async fn inspected(
    docker: &Docker,
    listed: Vec<ContainerSummary>,
) -> Result<Vec<Instance>, EngineError> {
    stream::iter(listed)
        .map(|summary| instance(docker, summary))
        .buffer_unordered(INSPECTIONS_AT_ONCE)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

/// All containers of ours in that role.
pub(super) async fn list(
    docker: &Docker,
    role: Role,
) -> Result<Vec<ContainerSummary>, EngineError> {
    let options = ListContainersOptions {
        all: true,
        filters: Some(label::filter(docker.installation(), role)),
        ..Default::default()
    };
    let list = docker.api().list_containers(Some(options));
    docker.ask("container ls", role.word(), list).await
}

/// One instance, from memory if nothing points to a change; `None` if it has vanished meanwhile or
/// its labels are not of our writing.
async fn instance(
    docker: &Docker,
    summary: ContainerSummary,
) -> Result<Option<Instance>, EngineError> {
    let Some(id) = summary.id.clone() else { return Ok(None) };
    let Some(identity) = summary.labels.as_ref().and_then(label::identity) else {
        tracing::debug!(container = id, "container with unreadable labels is left alone");
        return Ok(None);
    };
    let glance = Glance::of(&summary);
    if let Some(seen) = docker.seen().get(&id)
        && seen.glance.still_holds(&glance)
    {
        return Ok(Some(seen.instance.clone()));
    }
    let inspect = docker.api().inspect_container(&id, None::<InspectContainerOptions>);
    let inspected = match docker.ask("container inspect", &id, inspect).await {
        Ok(inspected) => inspected,
        Err(error) if fault::status(&error) == Some(404) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(instance) = read(ContainerId(id.clone()), identity, inspected) else {
        return Ok(None);
    };
    match instance.state {
        // It may change without the list showing it: a failed start stays `created`.
        InstanceState::Created => docker.seen().remove(&id),
        InstanceState::Running { .. } | InstanceState::Exited(_) => {
            docker.seen().insert(id, Seen { glance, instance: instance.clone() })
        }
    };
    Ok(Some(instance))
}

impl Seen {
    /// The first process of the instance, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.instance.pid
    }
}

impl Glance {
    fn of(summary: &ContainerSummary) -> Self {
        let networks = summary.network_settings.as_ref().and_then(|all| all.networks.as_ref());
        Self {
            state: summary.state.map(|state| state.to_string()).unwrap_or_default(),
            address: networks
                .and_then(|networks| networks.values().next())
                .and_then(|endpoint| endpoint.ip_address.clone()),
            age: summary.status.as_deref().and_then(age),
        }
    }

    fn still_holds(&self, now: &Self) -> bool {
        self.state == now.state && self.address == now.address && self.age <= now.age
    }
}

/// `Up 5 minutes (Paused)`, `Up Less than a second`, `Up About an hour`.
fn age(status: &str) -> Age {
    let words: Vec<&str> = status.strip_prefix("Up ")?.split_ascii_whitespace().collect();
    let rank = words
        .iter()
        .find_map(|word| UNITS.iter().position(|unit| word.trim_end_matches('s') == *unit))?;
    let less = words.first() == Some(&"Less");
    let count = words.iter().find_map(|word| word.parse().ok());
    Some((rank, count.unwrap_or(u32::from(!less))))
}

/// What an inspection says; `None` for a container that is being removed.
fn read(
    id: ContainerId,
    identity: Identity,
    inspected: ContainerInspectResponse,
) -> Option<Instance> {
    let Identity { app, slot, incarnation, attempt, image } = identity;
    let state = inspected.state.unwrap_or_default();
    let running = is_running(&state);
    let created = inspected.created.as_deref().and_then(Timestamp::parse).unwrap_or_default();
    Some(Instance {
        id,
        app,
        slot,
        incarnation,
        attempt,
        image,
        node: None,
        address: inspected.network_settings.filter(|_| running).and_then(address),
        door: None,
        pid: state.pid.filter(|_| running).and_then(|pid| u32::try_from(pid).ok()),
        state: life(&state, created)?,
    })
}

/// How a container is. A paused one counts as running: it holds its place, and its health checks
/// tell that it does not answer.
pub(super) fn life(state: &ContainerState, created: Timestamp) -> Option<InstanceState> {
    if is_running(state) {
        return Some(InstanceState::Running { since: time(state.started_at.as_deref())? });
    }
    let exit = || Exit {
        code: state.exit_code.unwrap_or_default(),
        out_of_memory: state.oom_killed.unwrap_or_default(),
        error: state.error.clone().filter(|error| !error.is_empty()),
        started_at: time(state.started_at.as_deref()),
        at: time(state.finished_at.as_deref()).unwrap_or(created),
    };
    match state.status? {
        ContainerStateStatusEnum::REMOVING => None,
        // A container that failed to start stays `created` and has a code or a reason.
        ContainerStateStatusEnum::CREATED
            if state.exit_code.unwrap_or_default() == 0
                && state.error.as_ref().is_none_or(String::is_empty) =>
        {
            Some(InstanceState::Created)
        }
        _ => Some(InstanceState::Exited(exit())),
    }
}

fn is_running(state: &ContainerState) -> bool {
    state.running == Some(true) || state.paused == Some(true)
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text.filter(|text| !text.starts_with(NEVER)).and_then(Timestamp::parse)
}

fn address(settings: NetworkSettings) -> Option<IpAddr> {
    settings
        .networks?
        .into_values()
        .find_map(|endpoint| endpoint.ip_address.and_then(|address| address.parse().ok()))
}

/// Inspections under way at once: enough to hide their latency, too few to crowd dockerd.
const INSPECTIONS_AT_ONCE: usize = 8;

/// The units in which Docker tells an age, by size.
const UNITS: [&str; 7] = ["second", "minute", "hour", "day", "week", "month", "year"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_grow() {
        let ages = [
            "Up Less than a second",
            "Up 1 second",
            "Up 59 seconds",
            "Up About a minute",
            "Up 2 minutes (Paused)",
            "Up About an hour",
            "Up 3 hours (unhealthy)",
            "Up 2 days",
            "Up 3 weeks",
            "Up 5 months",
        ];
        for pair in ages.windows(2) {
            assert!(age(pair[0]).is_some() && age(pair[0]) < age(pair[1]), "{pair:?}");
        }
        for not_running in ["Exited (1) 2 minutes ago", "Created", "Dead", ""] {
            assert_eq!(age(not_running), None, "{not_running}");
        }
    }

    fn state(status: ContainerStateStatusEnum, code: i64, error: &str) -> ContainerState {
        ContainerState {
            status: Some(status),
            exit_code: Some(code),
            error: Some(error.to_owned()),
            started_at: Some("0001-01-01T00:00:00Z".to_owned()),
            finished_at: Some("0001-01-01T00:00:00Z".to_owned()),
            ..Default::default()
        }
    }

    #[test]
    fn a_container_that_could_not_start_has_ended() {
        let made = Timestamp::from_millis(5);
        let failed = state(ContainerStateStatusEnum::CREATED, 127, "no such file");
        let Some(InstanceState::Exited(exit)) = life(&failed, made) else { panic!("{failed:?}") };
        assert_eq!(exit.error.as_deref(), Some("no such file"));
        assert_eq!((exit.code, exit.started_at, exit.at), (127, None, made));
        let fresh = state(ContainerStateStatusEnum::CREATED, 0, "");
        assert_eq!(life(&fresh, made), Some(InstanceState::Created));
        let going = state(ContainerStateStatusEnum::REMOVING, 0, "");
        assert_eq!(life(&going, made), None);
        let dead = state(ContainerStateStatusEnum::DEAD, 1, "");
        assert!(matches!(life(&dead, made), Some(InstanceState::Exited(_))));
    }
}

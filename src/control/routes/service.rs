//! What the edge does for one app: who answers, how requests wait, what a visitor is told. Pure.

use std::{net::SocketAddr, time::Duration};

use proxy::{Absence, Hold, Protocol, Service, Upstream};

use crate::{
    control::{
        apps::{slots, state::AppState},
        routes::{
            policy::{EdgeKey, policy},
            upstream_id,
        },
    },
    model::{Health, HttpProtocol, InstanceState, Observed, Phase, ProcessName, Rollout},
};

/// The service of an app. `last` is its newest rollout.
pub(super) fn service(
    state: &AppState,
    last: Option<&Rollout>,
    seen: &[Observed],
    key: &EdgeKey,
) -> Service {
    let upstreams = upstreams(state, seen);
    let expected = web_instances(state) > 0;
    let hold = if expected {
        Hold { most: HELD, deadline: HOLD }
    } else {
        Hold { most: 0, deadline: Duration::ZERO }
    };
    let protocol = match state.http().map(|http| http.protocol).unwrap_or_default() {
        HttpProtocol::Http1 => Protocol::Http1,
        HttpProtocol::H2c => Protocol::H2c,
    };
    let plain = Service::new(upstreams, hold, absence(state, last, seen));
    Service { protocol, policy: policy(state, key), ..plain }
}

fn upstreams(state: &AppState, seen: &[Observed]) -> Vec<Upstream> {
    let Some(current) = state.app.current.filter(|_| state.app.destroyed_at.is_none()) else {
        return Vec::new();
    };
    let (mut ready, mut failing) = (Vec::new(), Vec::new());
    for (slot, process) in state.slots_of(current) {
        let Some(observed) = slots::owner(current, &slot, seen) else { continue };
        let running = matches!(observed.instance.state, InstanceState::Running { .. });
        let port = process.port.filter(|_| running && slot.process.is_web());
        let (Some(address), Some(port)) = (observed.instance.address, port) else { continue };
        let upstream = Upstream {
            id: upstream_id(&observed.instance.id),
            address: SocketAddr::new(address, port),
        };
        match observed.health {
            Health::Ready => ready.push(upstream),
            Health::Failing { .. } => failing.push(upstream),
            Health::Starting { .. } => {}
        }
    }
    // When none is well, a sick one answers better than none at all.
    if ready.is_empty() { failing } else { ready }
}

fn web_instances(state: &AppState) -> u16 {
    let release = state.app.current.and_then(|current| state.releases.get(&current.release));
    let web: Option<ProcessName> = ProcessName::WEB.parse().ok();
    match (release, web) {
        (Some(release), Some(web)) => state.app.scale_of(&web, release),
        _ => 0,
    }
}

/// What a visitor is told while nobody answers.
fn absence(state: &AppState, last: Option<&Rollout>, seen: &[Observed]) -> Absence {
    let name = &state.app.name;
    let page = |title: String, explanation: String, seconds: u64| Absence {
        title,
        explanation,
        retry_after: Duration::from_secs(seconds),
    };
    let Some(current) = state.app.current else {
        return match last.map(|rollout| &rollout.phase) {
            Some(Phase::Failed { reason, .. }) => page(
                format!("{name} has not started yet"),
                format!("Its first deploy failed: {reason}."),
                30,
            ),
            Some(Phase::Starting) => page(
                format!("{name} is being deployed"),
                "Its first instances are starting.".to_owned(),
                5,
            ),
            _ => page(
                format!("{name} has nothing to show yet"),
                "The app exists, but nothing has been deployed to it.".to_owned(),
                30,
            ),
        };
    };
    if web_instances(state) == 0 {
        return page(
            format!("{name} is stopped"),
            "It has no web instances: it is scaled to zero, or has no web process.".to_owned(),
            60,
        );
    }
    let crashed = seen.iter().filter(|o| o.instance.incarnation == current).find_map(|o| match &o
        .instance
        .state
    {
        InstanceState::Exited(exit) => Some(format!("{} {exit}", o.instance.slot)),
        InstanceState::Created | InstanceState::Running { .. } => None,
    });
    match crashed {
        Some(story) => {
            page(format!("{name} is down"), format!("{story}. It is being started again."), 10)
        }
        None => {
            page(format!("{name} is starting"), "Its instances are not ready yet.".to_owned(), 5)
        }
    }
}

/// Requests that wait for one app at the same time; each costs a few kilobytes.
const HELD: usize = 1000;

/// How long a request waits for an instance: longer than a restart, shorter than people's patience.
const HOLD: Duration = Duration::from_secs(15);

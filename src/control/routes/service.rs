//! What the edge does for one app: who answers, how requests wait, what a visitor is told. Pure.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use proxy::{Absence, Canary, Hold, Protocol, Service, Upstream};

use crate::{
    control::{
        apps::{slots, state::AppState},
        routes::{
            earlier::earlier,
            policy::{Keys, policy},
            upstream_id,
        },
    },
    model::{
        Health, HttpProtocol, Incarnation, InstanceState, Observed, Phase, ProcessName, Rollout,
        Slot, Timestamp, rollout::servers,
    },
};

/// The service of an app. `last` is its newest rollout.
pub(super) fn service(
    state: &AppState,
    last: Option<&Rollout>,
    (seen, now): (&[Observed], Timestamp),
    keys: &Keys<'_>,
) -> Service {
    let upstreams = upstreams(state, seen);
    let hold = if web_instances(state) > 0 {
        Hold { most: HELD, deadline: HOLD }
    } else {
        Hold { most: 0, deadline: Duration::ZERO }
    };
    let protocol = match state.http().map(|http| http.protocol).unwrap_or_default() {
        HttpProtocol::Http1 => Protocol::Http1,
        HttpProtocol::H2c => Protocol::H2c,
    };
    let plain = Service::new(upstreams, hold, absence(state, last, seen));
    Service {
        canary: canary(state, seen),
        earlier: earlier(state, seen, now),
        protocol,
        policy: policy(state, keys),
        ..plain
    }
}

fn upstreams(state: &AppState, seen: &[Observed]) -> Vec<Upstream> {
    let (mut ready, mut failing) = (Vec::new(), Vec::new());
    for slot in web_slots(state) {
        let servers = servers(&state.app, state.under_way(), &slot);
        // Whoever stands in does so for somebody who is wanted.
        if !servers.first().is_some_and(|best| state.has_slot(*best, &slot)) {
            continue;
        }
        let here = servers.iter().filter_map(|one| upstream(state, *one, &slot, seen));
        let mut here: Vec<(Upstream, &Health)> = here.collect();
        let well = here.iter().position(|(_, health)| **health == Health::Ready);
        if let Some(well) = well {
            ready.push(here.swap_remove(well).0);
        } else {
            // Where another cannot begin before it has ended, one that hangs gets nothing more.
            let alone = |one: &Incarnation| state.is_alone(*one, &slot.process);
            let ends_first = servers.iter().any(alone);
            let sick = |health: &Health| match health {
                Health::Failing { .. } => true,
                Health::Hung { .. } => !ends_first,
                Health::Starting { .. } | Health::Ready => false,
            };
            failing.extend(here.into_iter().find(|(_, health)| sick(health)).map(|(it, _)| it));
        }
    }
    // When none is well, a sick one answers better than none at all.
    if ready.is_empty() { failing } else { ready }
}

/// Who gets a share of the requests beside them.
fn canary(state: &AppState, seen: &[Observed]) -> Option<Canary> {
    let rollout = state.under_way()?;
    let (slot, trial) = rollout.tried_slot().zip(rollout.trial.as_ref())?;
    let (upstream, health) = upstream(state, rollout.to, &slot, seen)?;
    let permille = trial.share.permille();
    (*health == Health::Ready).then(|| Canary { upstreams: vec![upstream], permille })
}

/// The slots that visitors may be sent to: of what serves, and of what is to.
pub(super) fn web_slots(state: &AppState) -> BTreeSet<Slot> {
    let rollout = state.under_way();
    let sides =
        rollout.into_iter().flat_map(|rollout| rollout.from.into_iter().chain([rollout.to]));
    let slots = sides.chain(state.app.current).flat_map(|one| state.slots_of(one));
    slots.map(|(slot, _)| slot).filter(|slot| slot.process.is_web()).collect()
}

/// Where the instance listens that holds that slot of an incarnation, and how it is.
pub(super) fn upstream<'a>(
    state: &AppState,
    incarnation: Incarnation,
    slot: &Slot,
    seen: &'a [Observed],
) -> Option<(Upstream, &'a Health)> {
    let observed =
        slots::owner(incarnation, slot, seen).filter(|_| state.has_slot(incarnation, slot))?;
    Some((listener(state, observed)?, &observed.health))
}

/// Where an instance listens, if it runs and there is a way to it.
pub(super) fn listener(state: &AppState, observed: &Observed) -> Option<Upstream> {
    let instance = &observed.instance;
    let running = matches!(instance.state, InstanceState::Running { .. });
    let process = state.process_of(instance.incarnation, &instance.slot).filter(|_| running)?;
    let port = process.port?;
    instance.reached_at(port)?;
    let address = SocketAddr::new(instance.address?, port);
    Some(Upstream { id: upstream_id(&instance.id), address, door: instance.door })
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

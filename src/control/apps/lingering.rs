//! Who lingers: of earlier releases one instance each, so that pages that were opened while they served
//! still get their files. Pure.
//!
//! The release that serves says which files and for how long, as it is what somebody wanted last; records
//! say since when the others do not serve. Nobody is started to linger and nobody is replaced: it is done
//! with what is there. Invariants: at most [`MOST`] linger, none of them past its time, and none of a
//! process that may have only one instance.

use std::collections::BTreeMap;

use crate::{
    control::apps::state::AppState,
    model::{
        AppName, ContainerId, Health, HttpSettings, Incarnation, InstanceState, Observed, Phase,
        ProcessName, Release, Timestamp,
    },
};

/// One that lingers.
#[derive(Debug, Clone, Copy)]
pub struct Lingerer<'a> {
    /// Who.
    pub observed: &'a Observed,
    /// Until when.
    pub until: Timestamp,
}

/// Who lingers, the newest release first.
pub fn lingerers<'a>(state: &AppState, seen: &'a [Observed], now: Timestamp) -> Vec<Lingerer<'a>> {
    let lasts = state.http().and_then(HttpSettings::assets_last);
    let Some((current, lasts)) = state.serving().zip(lasts) else { return Vec::new() };
    if state.app.destroyed_at.is_some() || !serves_requests(state, current) {
        return Vec::new();
    }
    let (mut lingerers, mut images) = (Vec::new(), vec![&current.image]);
    for earlier in &state.app.earlier {
        let until = earlier.since.plus(lasts);
        let release = state.releases.get(&earlier.incarnation.release);
        let Some(release) = release.filter(|it| now < until && may_linger(it, current)) else {
            continue;
        };
        let Some(observed) = best(earlier.incarnation, seen) else { continue };
        // Of the same image are the same files.
        if images.contains(&&release.image) {
            continue;
        }
        images.push(&release.image);
        lingerers.push(Lingerer { observed, until });
    }
    lingerers.truncate(MOST + usize::from(is_watched(state)));
    lingerers
}

/// Until when each lingers who does.
pub fn by_container(
    states: &BTreeMap<AppName, AppState>,
    seen: &BTreeMap<AppName, Vec<Observed>>,
    now: Timestamp,
) -> BTreeMap<ContainerId, Timestamp> {
    let of_app = |(name, state): (&AppName, &AppState)| {
        let seen = seen.get(name).map_or(&[][..], Vec::as_slice);
        let lingerers = lingerers(state, seen, now).into_iter();
        let until = |one: Lingerer<'_>| (one.observed.instance.id.clone(), one.until);
        lingerers.map(until).collect::<Vec<_>>()
    };
    states.iter().flat_map(of_app).collect()
}

/// While the newest of the earlier stands by, to take over again, it does not yet take a place of another.
fn is_watched(state: &AppState) -> bool {
    state.under_way().is_some_and(|rollout| {
        matches!(rollout.phase, Phase::Shifting | Phase::Watching)
            && state.app.current == Some(rollout.to)
    })
}

/// Whether somebody is there, or wanted, who could have to say that there is no such file.
fn serves_requests(state: &AppState, current: &Release) -> bool {
    let web = current.processes.keys().find(|name| name.is_web());
    web.is_some_and(|web| state.app.scale_of(web, current) > 0)
}

/// Whether instances of an earlier release may be there beside those of the one that serves, and the edge
/// can ask them.
fn may_linger(earlier: &Release, current: &Release) -> bool {
    let web = earlier.processes.keys().find(|name| name.is_web());
    let beside = |name: &ProcessName| !earlier.is_alone(name) && !current.is_alone(name);
    web.is_some_and(beside) && earlier.deploy.http.protocol == current.deploy.http.protocol
}

/// The one of an incarnation that lingers. Whoever is ready is the best, but a daemon that has just begun
/// knows of nobody that he is, and must not end all of them for that.
fn best(incarnation: Incarnation, seen: &[Observed]) -> Option<&Observed> {
    let lives = |observed: &&Observed| {
        let instance = &observed.instance;
        instance.incarnation == incarnation
            && instance.slot.process.is_web()
            && matches!(instance.state, InstanceState::Running { .. })
            && observed.stopping_since.is_none()
    };
    seen.iter().filter(lives).min_by_key(|observed| {
        let instance = &observed.instance;
        (observed.health != Health::Ready, &instance.slot, instance.attempt, &instance.id)
    })
}

/// More would cost more memory than a page that was opened four releases ago is worth.
pub const MOST: usize = 3;

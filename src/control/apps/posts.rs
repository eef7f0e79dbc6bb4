//! Which slots of which incarnation are to be filled, which are kept as long as they last, and so,
//! by silence, which are let go. Pure.
//!
//! Outside of a rollout that is simply what serves. In one, the wave under way has both: the new are
//! started beside the old, and once they have taken over the old stand by until the watch is over. Whoever
//! lingers has a post as well, in which nobody follows.
//! Invariant: whoever serves in a slot has a post in it until somebody better is ready.

use crate::{
    control::apps::{lingering, post_deploy, slots, state::AppState},
    model::{
        Incarnation, Observed, Phase, Process, Release, Rollout, Side, Slot, Timestamp,
        rollout::servers,
    },
};

/// A slot of an incarnation that may have an instance.
#[derive(Debug)]
pub struct Post<'a> {
    /// The release of the incarnation.
    pub release: &'a Release,
    /// Of what.
    pub incarnation: Incarnation,
    /// Where.
    pub slot: Slot,
    /// Running what.
    pub process: &'a Process,
    /// What if there is nobody.
    pub care: Care,
}

/// What becomes of a post that nobody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Somebody is started.
    Fill,
    /// Nothing: whoever is there stays, and is not replaced.
    Keep,
    /// Nothing, ever: it is started once, when that is on record.
    Once,
}

/// The posts of an app, in the order of incarnation and slot.
pub fn posts<'a>(state: &'a AppState, seen: &[Observed], now: Timestamp) -> Vec<Post<'a>> {
    let mut posts = wanted(state, seen, now);
    linger(state, seen, now, &mut posts);
    for post in &mut posts {
        let homeless = state.nowhere(post.incarnation, &post.slot).is_some();
        if post.care == Care::Fill && (homeless || has_another_writer(state, post, seen)) {
            post.care = Care::Keep;
        }
    }
    posts
}

fn wanted<'a>(state: &'a AppState, seen: &[Observed], now: Timestamp) -> Vec<Post<'a>> {
    let mut posts = Vec::new();
    let Some(rollout) = state.under_way() else {
        let all = state.app.current.into_iter();
        posts.extend(all.flat_map(|current| of(state, current, |_| Some(Care::Fill))));
        return posts;
    };
    if let Some(from) = rollout.from {
        let keeps = |slot: &Slot| is_tied(state, rollout, slot).then_some(Care::Keep);
        posts.extend(of(state, from, |slot| old(rollout, slot, seen).or_else(|| keeps(slot))));
    }
    posts.extend(of(state, rollout.to, |slot| new(rollout, slot, seen)));
    for one in &rollout.stand_ins {
        let stands_in = |slot: &Slot| stands_in(state, one.incarnation, slot, seen, now);
        posts.extend(of(state, one.incarnation, stands_in));
    }
    posts.extend(command(state, rollout));
    posts.extend(post_deploy::post(state));
    posts.sort_by(|a, b| (a.incarnation, &a.slot).cmp(&(b.incarnation, &b.slot)));
    posts
}

/// Adds the posts of those who linger and have none in a rollout.
fn linger<'a>(state: &'a AppState, seen: &[Observed], now: Timestamp, posts: &mut Vec<Post<'a>>) {
    for lingerer in lingering::lingerers(state, seen, now) {
        let instance = &lingerer.observed.instance;
        let (incarnation, slot) = (instance.incarnation, &instance.slot);
        let has_post = posts.iter().any(|it| (it.incarnation, &it.slot) == (incarnation, slot));
        let Some(release) = state.releases.get(&incarnation.release).filter(|_| !has_post) else {
            continue;
        };
        let Some(process) = release.processes.get(&slot.process) else { continue };
        let slot = slot.clone();
        posts.push(Post { release, incarnation, slot, process, care: Care::Keep });
    }
}

/// The post of the release command, while it is its turn.
pub(super) fn command<'a>(state: &'a AppState, rollout: &Rollout) -> Option<Post<'a>> {
    let incarnation = Some(rollout.to).filter(|_| rollout.phase == Phase::Releasing)?;
    let release = state.releases.get(&incarnation.release)?;
    let (name, process) = release.processes.iter().find(|(name, _)| name.precedes_release())?;
    let slot = Slot { process: name.clone(), index: 1 };
    Some(Post { release, incarnation, slot, process, care: Care::Once })
}

fn of(
    state: &AppState,
    incarnation: Incarnation,
    care: impl Fn(&Slot) -> Option<Care>,
) -> Vec<Post<'_>> {
    let Some(release) = state.releases.get(&incarnation.release) else { return Vec::new() };
    let post = |(slot, process)| {
        let care = care(&slot)?;
        Some(Post { release, incarnation, slot, process, care })
    };
    state.slots_of(incarnation).into_iter().filter_map(post).collect()
}

/// The post of what served before.
fn old(rollout: &Rollout, slot: &Slot, seen: &[Observed]) -> Option<Care> {
    let recreated = rollout.recreate.contains(&slot.process);
    match rollout.side(slot) {
        // Coming back, it must not meet the new either. Whoever is there already stays.
        Side::Old if recreated && meets_another(rollout.from, slot, seen) => Some(Care::Keep),
        Side::Old => Some(Care::Fill),
        Side::Nobody => None,
        Side::New => {
            let here = rollout.wave_of(slot) == rollout.present_wave();
            let watched = matches!(rollout.phase, Phase::Shifting | Phase::Watching);
            // A process that takes no requests cannot stand by: it would go on working.
            (here && watched && slot.process.is_web() && !recreated).then_some(Care::Keep)
        }
    }
}

/// The post of what the rollout leads to.
fn new(rollout: &Rollout, slot: &Slot, seen: &[Observed]) -> Option<Care> {
    let here = rollout.wave_of(slot) == rollout.present_wave();
    let recreated = here && rollout.recreate.contains(&slot.process);
    match rollout.side(slot) {
        Side::New | Side::Nobody if recreated && meets_another(Some(rollout.to), slot, seen) => {
            Some(Care::Keep)
        }
        Side::New | Side::Nobody => Some(Care::Fill),
        Side::Old => {
            let beside = matches!(rollout.phase, Phase::Starting | Phase::Trying);
            (here && beside).then_some(Care::Fill)
        }
    }
}

/// Whether nobody can take the place of who has that slot: it can only be where its volume is, and not now.
fn is_tied(state: &AppState, rollout: &Rollout, slot: &Slot) -> bool {
    let process = state.process_of(rollout.to, slot);
    let tied = process.is_some_and(|process| !process.volumes.is_empty());
    tied && state.nowhere(rollout.to, slot).is_some()
}

/// Whether an instance of another incarnation of a process is there still.
fn meets_another(own: Option<Incarnation>, slot: &Slot, seen: &[Observed]) -> bool {
    seen.iter().any(|observed| {
        let instance = &observed.instance;
        instance.slot.process == slot.process
            && Some(instance.incarnation) != own
            && !instance.is_gone()
    })
}

/// Whether somebody else is there still who writes to a volume that this post has: whatever led to
/// that, there are never two.
fn has_another_writer(state: &AppState, post: &Post<'_>, seen: &[Observed]) -> bool {
    let own = &post.process.volumes;
    !own.is_empty()
        && seen.iter().any(|observed| {
            let instance = &observed.instance;
            let itself = (instance.incarnation, &instance.slot) == (post.incarnation, &post.slot);
            let shares = match state.process_of(instance.incarnation, &instance.slot) {
                Some(process) => process.volumes.keys().any(|volume| own.contains_key(volume)),
                // Nobody knows what it has.
                None => true,
            };
            !itself && shares && !instance.is_gone()
        })
}

/// The post of one that serves until somebody better is ready.
fn stands_in(
    state: &AppState,
    incarnation: Incarnation,
    slot: &Slot,
    seen: &[Observed],
    now: Timestamp,
) -> Option<Care> {
    let servers = servers(&state.app, state.rollout.as_ref(), slot);
    let rank = servers.iter().position(|one| *one == incarnation)?;
    let wanted = servers.first().is_some_and(|best| state.has_slot(*best, slot));
    if !wanted {
        return None;
    }
    let better = servers.iter().take(rank).any(|one| state.has_ready(*one, slot, seen, now));
    (!better).then_some(Care::Keep)
}

impl AppState {
    /// Whether an incarnation is to have that slot.
    pub fn has_slot(&self, incarnation: Incarnation, slot: &Slot) -> bool {
        self.slots_of(incarnation).iter().any(|(known, _)| known == slot)
    }

    /// Whether an instance that can serve holds that slot of an incarnation.
    pub fn has_ready(
        &self,
        incarnation: Incarnation,
        slot: &Slot,
        seen: &[Observed],
        now: Timestamp,
    ) -> bool {
        let process = self.process_of(incarnation, slot);
        let owner = slots::owner(incarnation, slot, seen);
        owner.zip(process).is_some_and(|(owner, process)| slots::is_ready(owner, process, now))
    }
}

//! Which releases of an app stay, with their images and secrets, so that they can be gone back to.
//!
//! One answer for whoever removes the others and for whoever shows what is left. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Actor, App, Release, ReleaseVersion, Rollout, Timestamp};

/// The wish that a release stays. It is the app's and not the release's, which never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Whose.
    pub by: Actor,
    /// Since when.
    pub at: Timestamp,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Why a release stays; of several reasons the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It serves.
    Serves,
    /// A rollout that is under way leads to it, or from it.
    UnderWay,
    /// It served before the one that serves.
    Before,
    /// Somebody wants it.
    Pinned,
    /// An instance of it may linger for its files, and is known by its record.
    Lingers,
    /// It is one of the newest.
    Newest,
}

impl Kept {
    /// As one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Serves => "serves",
            Self::UnderWay => "under-way",
            Self::Before => "before",
            Self::Pinned => "pinned",
            Self::Lingers => "lingers",
            Self::Newest => "newest",
        }
    }
}

/// The releases of an app that stay. How many of the newest do, the release that serves says, as its
/// manifest had it, and else the server, with `most`. The reasons above that count besides, whatever the
/// number: nothing that may have to serve again depends on a setting.
pub fn kept(
    app: &App,
    releases: &[Release],
    rollouts: &[Rollout],
    most: usize,
) -> BTreeMap<ReleaseVersion, Kept> {
    let serves = app.current.map(|current| current.release);
    let serving = releases.iter().find(|release| Some(release.version) == serves);
    let most = serving.and_then(|release| release.deploy.keep).map_or(most, usize::from);
    let mut versions: Vec<_> = releases.iter().map(|release| release.version).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    let newest = versions.iter().take(most).map(|version| (*version, Kept::Newest));
    let has_assets = |release: &Release| release.deploy.http.assets_last().is_some();
    let lingering = app.earlier.iter().filter(|_| serving.is_some_and(has_assets));
    let lingering = lingering.map(|one| (one.incarnation.release, Kept::Lingers));
    let pinned = app.pins.keys().map(|version| (*version, Kept::Pinned));
    let before = serves.and_then(|serves| before(serves, rollouts));
    let before = before.map(|version| (version, Kept::Before));
    let current = app.rollout.and_then(|number| rollouts.iter().find(|it| it.number == number));
    let under_way = current.into_iter().flat_map(|rollout| {
        let stand_ins = rollout.stand_ins.iter().map(|one| one.incarnation.release);
        let ends = rollout.from.map(|from| from.release).into_iter().chain([rollout.to.release]);
        ends.chain(stand_ins).map(|version| (version, Kept::UnderWay))
    });
    let serves = serves.map(|version| (version, Kept::Serves));
    // What is said last counts.
    let all = newest.chain(lingering).chain(pinned).chain(before).chain(under_way).chain(serves);
    all.filter(|(version, _)| versions.contains(version)).collect()
}

/// What served before a release. A restart of it leads from itself to itself, and tells nothing.
fn before(serves: ReleaseVersion, rollouts: &[Rollout]) -> Option<ReleaseVersion> {
    let to_it = rollouts.iter().filter(|rollout| rollout.to.release == serves);
    let from = to_it.filter_map(|rollout| Some((rollout.number, rollout.from?.release)));
    from.filter(|(_, from)| *from != serves).max().map(|(_, from)| from)
}

/// The most releases that `keep` can ask for; each may hold an image of its own.
pub const MAX_KEEP: u16 = 100;

/// The most releases of an app that can be pinned.
pub const MAX_PINS: usize = 20;

/// The longest note of a pin, in bytes: a sentence.
pub const MAX_NOTE: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Incarnation, Phase, RolloutNumber, build::DeploySettings};

    fn release(version: u32, keep: Option<u16>) -> Release {
        let deploy = DeploySettings { keep, ..DeploySettings::default() };
        let example = Release::example("shop".parse().unwrap(), ReleaseVersion(version));
        Release { deploy, ..example }
    }

    /// From one release to another, each with its restarts.
    fn rollout(number: u32, from: (u32, u32), to: (u32, u32)) -> Rollout {
        let incarnation =
            |(release, restart)| Incarnation { release: ReleaseVersion(release), restart };
        Rollout {
            app: "shop".parse().unwrap(),
            number: RolloutNumber(number),
            from: Some(incarnation(from)),
            to: incarnation(to),
            phase: Phase::Done,
            started_at: Timestamp::default(),
            phase_at: Timestamp::default(),
            waves: Vec::new(),
            wave: 0,
            command: None,
            post_deploy: None,
            trial: None,
            recreate: [].into(),
            stand_ins: Vec::new(),
        }
    }

    /// Of v1 to v12, where v8 serves and was restarted after v5 had served, and v7 is pinned.
    fn check(keep: Option<u16>, under_way: Option<(u32, u32)>, expected: &str) {
        let releases: Vec<_> =
            (1..=12).map(|version| release(version, keep.filter(|_| version == 8))).collect();
        let mut rollouts = vec![
            rollout(1, (2, 0), (5, 0)),
            rollout(2, (5, 0), (8, 0)),
            rollout(3, (8, 0), (8, 1)),
        ];
        let mut app = App::new("shop".parse().unwrap(), Timestamp::default());
        app.current = Some(Incarnation { release: ReleaseVersion(8), restart: 1 });
        let pin = Pin { by: Actor::platform(), at: Timestamp::default(), note: None };
        app.pins.insert(ReleaseVersion(7), pin.clone());
        // Of a release that is not there any more nothing can stay.
        app.pins.insert(ReleaseVersion(99), pin);
        if let Some((from, to)) = under_way {
            rollouts.push(rollout(4, (from, 0), (to, 0)));
            app.rollout = Some(RolloutNumber(4));
        }
        let kept = kept(&app, &releases, &rollouts, 3);
        let shown: Vec<_> =
            kept.iter().rev().map(|(version, why)| format!("{version} {}", why.word())).collect();
        assert_eq!(shown.join(", "), expected);
    }

    #[test]
    fn what_may_linger_stays_while_files_are_declared() {
        let mut releases: Vec<_> = (1..=4).map(|version| release(version, Some(1))).collect();
        let mut app = App::new("shop".parse().unwrap(), Timestamp::default());
        for version in 1..=4 {
            let to = Incarnation { release: ReleaseVersion(version), restart: 0 };
            app.succeed(to, Timestamp::default());
        }
        let versions = |releases: &[Release]| {
            kept(&app, releases, &[], 10).into_keys().map(|version| version.0).collect::<Vec<_>>()
        };
        assert_eq!(versions(&releases), [4]);
        releases[3].deploy.http.assets = vec!["/assets/".parse().unwrap()];
        assert_eq!(versions(&releases), [1, 2, 3, 4]);
    }

    #[test]
    fn the_newest_stay_and_whatever_may_have_to_serve() {
        check(None, None, "v12 newest, v11 newest, v10 newest, v8 serves, v7 pinned, v5 before");
        check(Some(1), None, "v12 newest, v8 serves, v7 pinned, v5 before");
        let more = "v12 newest, v11 newest, v10 newest, v9 newest, v8 serves, v7 pinned, v6 newest, v5 before";
        check(Some(7), None, more);
        let rolling = "v12 newest, v8 serves, v7 pinned, v5 before, v3 under-way, v2 under-way";
        check(Some(1), Some((2, 3)), rolling);
    }
}

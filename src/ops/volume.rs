//! Make a volume before a release names it, or destroy one that none has any more.

use crate::{
    model::{
        Actor, App, AppName, ByteSize, EventKind, Incarnation, MountPath, NodeName, ProcessName,
        Release, Timestamp, Volume, VolumeName, volume::Away,
    },
    ops::{Refusal, create::existing},
    store::{StoreError, Transaction, View, diary, releasing, volumes},
};

/// Makes a volume. One that is there gets the size, if that is said.
pub fn create(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
    size: Option<ByteSize>,
    (here, by): (&NodeName, &Actor),
    now: Timestamp,
) -> Result<Volume, Refusal> {
    existing(tx, app)?;
    let what = || format!("volume {name} of {app}");
    if let Some(size) = size.filter(|size| *size < LEAST) {
        return Err(Refusal::invalid(what(), format!("{size} is too little"))
            .hint(format!("paas volumes create {name} --size 1g -a {app}")));
    }
    let all = tx.scan::<Volume>(app.as_str())?;
    if let Some(known) = all.iter().find(|volume| volume.name == *name) {
        if known.destroyed_at.is_some() {
            return Err(Refusal::conflict(what(), "one of that name is being destroyed")
                .hint(format!("`paas volumes -a {app}` shows when it is gone")));
        }
        not_lost(tx, known, here, "stays as it is")?;
        let volume = Volume { size: size.or(known.size), ..known.clone() };
        tx.put(&volume)?;
        return Ok(volume);
    }
    if all.len() >= MOST {
        return Err(Refusal::conflict(what(), format!("{app} has {MOST} volumes already"))
            .hint(format!("`paas volumes -a {app}` lists them")));
    }
    Ok(volumes::make(tx, app, name, size, by, now)?)
}

/// Marks a volume to vanish, if `confirmed` repeats its name and no release that serves, or may serve
/// soon, has it.
pub fn destroy(
    tx: &mut Transaction<'_>,
    app: &AppName,
    name: &VolumeName,
    confirmed: &str,
    (here, by): (&NodeName, &Actor),
    now: Timestamp,
) -> Result<Volume, Refusal> {
    let mut volume = known(tx, app, name)?;
    let what = format!("volume {name} of {app} was not destroyed");
    if confirmed != name.as_str() {
        return Err(Refusal::invalid(what, "the confirmation does not repeat its name")
            .hint(format!("paas volumes destroy {name} -a {app} --confirm {name}")));
    }
    let record = existing(tx, app)?;
    if let Some((release, process, path)) = attached(tx, &record, name)? {
        return Err(Refusal::conflict(what, format!("{process} of {release} has it at {path}"))
            .hint(format!("take [volume.{name}] out of paas.toml and deploy first")));
    }
    // Nothing goes on that was under way on a machine that is lost.
    let is_lost = matches!(volumes::away(tx, &volume, here)?, Some(Away::Lost(_)));
    if let Some(job) = volume.job.as_ref().filter(|_| !is_lost) {
        let why = format!("something is under way: {}", job.task.words());
        return Err(Refusal::conflict(what, why)
            .hint(format!("`paas volumes show {name} -a {app}` says when it is over")));
    }
    if volume.destroyed_at.is_none() {
        volume.destroyed_at = Some(now);
        tx.put(&volume)?;
        let text = format!("the volume {name} is being destroyed");
        diary::write(tx, app, EventKind::Volume, text, by, now)?;
    }
    Ok(volume)
}

/// A volume on record.
pub fn known(view: &impl View, app: &AppName, name: &VolumeName) -> Result<Volume, Refusal> {
    view.get::<Volume>(&volumes::key(app, name))?.ok_or_else(|| {
        Refusal::not_found(format!("volume {name}"), format!("{app} has none of that name"))
            .hint(format!("`paas volumes -a {app}` lists them"))
    })
}

/// Refuses if the machine that had a volume was removed: nothing can be done to it, which is what `then` says of it.
pub(super) fn not_lost(
    view: &impl View,
    volume: &Volume,
    here: &NodeName,
    then: &str,
) -> Result<(), Refusal> {
    let Some(away @ Away::Lost(_)) = volumes::away(view, volume, here)? else { return Ok(()) };
    let Volume { app, name, .. } = volume;
    let hint = format!(
        "deploy without [volume.{name}], `paas volumes destroy {name} -a {app} --confirm {name}`, \
         deploy with it, and restore a backup"
    );
    let what = format!("volume {name} of {app} {then}");
    Err(Refusal::conflict(what, format!("it is {away}")).hint(hint))
}

/// Who has a volume: of the release that serves, of the one that is about to, or of those that serve
/// again if that fails.
pub fn attached(
    view: &impl View,
    app: &App,
    name: &VolumeName,
) -> Result<Option<(String, ProcessName, MountPath)>, StoreError> {
    let next = releasing::under_way(view, app)?.into_iter().flat_map(|rollout| {
        let stand_ins = rollout.stand_ins.into_iter().map(|one| one.incarnation);
        [rollout.to].into_iter().chain(rollout.from).chain(stand_ins)
    });
    for Incarnation { release, .. } in app.current.into_iter().chain(next) {
        let key = (app.name.as_str().to_owned(), u64::from(release.0));
        let Some(release) = view.get::<Release>(&key)? else { continue };
        for (process, described) in release.processes {
            if let Some(mounting) = described.volumes.get(name) {
                return Ok(Some((release.version.to_string(), process, mounting.path.clone())));
            }
        }
    }
    Ok(None)
}

/// Volumes of one app.
const MOST: usize = 20;
/// Less than this is a slip of the pen.
const LEAST: ByteSize = ByteSize::mib(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Node, Phase, Process, ReleaseVersion, Rollout, RolloutNumber, volume::Mounting},
        ops::{
            backup::backup,
            node::{check_without_volumes, remove},
            snapshot::{relocate, snapshot},
        },
        store::{Store, StoreOptions, records},
    };

    /// A release that has the volume `data`, or none.
    fn release(version: u32, volume: Option<&VolumeName>) -> Release {
        let mut web = Process::plain("web".parse().unwrap(), Vec::new(), String::new());
        let mounting = Mounting {
            path: "/data".parse().unwrap(),
            size: None,
            backup: None,
            keep_backups: None,
        };
        web.volumes.extend(volume.map(|name| (name.clone(), mounting)));
        let processes = [(web.name.clone(), web)].into();
        let example = Release::example("shop".parse().unwrap(), ReleaseVersion(version));
        Release { processes, ..example }
    }

    fn here() -> NodeName {
        "box".parse().unwrap()
    }

    fn rollout(from: Incarnation, to: Incarnation) -> Rollout {
        Rollout {
            app: "shop".parse().unwrap(),
            number: RolloutNumber(1),
            from: Some(from),
            to,
            phase: Phase::Watching,
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

    #[tokio::test]
    async fn nobody_is_made_to_stand_still_during_a_deploy() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let done = store.transact(|tx| {
            let (shop, data): (AppName, VolumeName) = ("shop".parse()?, "data".parse()?);
            let (by, now) = (Actor::platform(), Timestamp::default());
            let of = |release| Incarnation { release: ReleaseVersion(release), restart: 0 };
            let mut app = App::new(shop.clone(), now);
            (app.current, app.rollout) = (Some(of(1)), Some(RolloutNumber(1)));
            tx.put(&app)?;
            let mut deploy = rollout(of(1), of(2));
            tx.put(&deploy)?;
            create(tx, &shop, &data, None, (&here(), &by), now)?;
            for refused in [
                snapshot(tx, &shop, &data, (&here(), &by)).unwrap_err(),
                backup(tx, &shop, &data, (&here(), &by), now).unwrap_err(),
            ] {
                assert_eq!(refused.why, "a deploy is under way");
                assert!(refused.hint.unwrap().contains("`paas deploys abort -a shop`"));
            }
            deploy.phase = Phase::Done;
            tx.put(&deploy)?;
            snapshot(tx, &shop, &data, (&here(), &by)).map(drop)
        });
        done.await.unwrap();
    }

    #[tokio::test]
    async fn of_a_machine_that_is_lost_there_is_nothing_left_but_the_record() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let done = store.transact(|tx| {
            let (shop, data): (AppName, VolumeName) = ("shop".parse()?, "data".parse()?);
            let (by, now) = (Actor::platform(), Timestamp::default());
            let edge: NodeName = "edge-1".parse().unwrap();
            tx.put(&App::new(shop.clone(), now))?;
            create(tx, &shop, &data, None, (&here(), &by), now)?;
            volumes::settle(tx, &here())?;
            tx.put(&Node::example("box"))?;
            tx.put(&Node::example("edge-1"))?;
            create(tx, &shop, &data, Some(ByteSize::mib(9)), (&edge, &by), now)?;
            let volume = snapshot(tx, &shop, &data, (&edge, &by))?;
            let refused = backup(tx, &shop, &data, (&edge, &by), now).unwrap_err();
            assert!(refused.why.contains("making s1"), "another machine has it: {}", refused.why);
            tx.put(&Volume { job: None, ..volume })?;
            tx.delete::<Node>(&"box".to_owned())?;
            for refused in [
                create(tx, &shop, &data, Some(ByteSize::mib(9)), (&edge, &by), now).unwrap_err(),
                snapshot(tx, &shop, &data, (&edge, &by)).unwrap_err(),
                backup(tx, &shop, &data, (&edge, &by), now).unwrap_err(),
                relocate(tx, &shop, &data, &edge, (&edge, &by), now).unwrap_err(),
            ] {
                assert_eq!(refused.why, "it is on box, which was removed");
                assert!(refused.hint.unwrap().contains("restore a backup"));
            }
            destroy(tx, &shop, &data, "data", (&edge, &by), now).map(drop)
        });
        done.await.unwrap();
    }

    #[tokio::test]
    async fn a_volume_moves_to_a_machine_that_there_is_and_that_has_nothing_of_it() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let done = store.transact(|tx| {
            let (shop, data): (AppName, VolumeName) = ("shop".parse()?, "data".parse()?);
            let (by, now) = (Actor::platform(), Timestamp::default());
            let edge: NodeName = "edge-1".parse().unwrap();
            tx.put(&App::new(shop.clone(), now))?;
            tx.put(&Node::example("edge-1"))?;
            create(tx, &shop, &data, None, (&here(), &by), now)?;
            let mut to = |to: &NodeName| relocate(tx, &shop, &data, to, (&here(), &by), now);
            let why = to(&"edge-2".parse().unwrap()).unwrap_err().why;
            assert_eq!(why, "no machine is called edge-2");
            assert_eq!(to(&here()).unwrap_err().why, format!("it is on {} already", here()));
            let volume = to(&edge)?;
            assert!(!volume.is_held(), "it is used until the image is there");
            let moved = volumes::moved(tx, Volume { job: None, ..volume }, &edge, &here())?;
            assert_eq!((moved.home, moved.left), (Some(edge.clone()), [here()].into()));
            let refused = check_without_volumes(tx, &edge).unwrap_err();
            assert_eq!(refused.why, "the volume data of shop is on it, and would be lost");
            let refused = relocate(tx, &shop, &data, &here(), (&here(), &by), now).unwrap_err();
            assert!(refused.why.contains("still being removed"), "{}", refused.why);
            volumes::cleared(tx, (&shop, &data), &here())?;
            relocate(tx, &shop, &data, &here(), (&here(), &by), now)?;
            // One that is removed takes it along, and brings it back if it joins again.
            remove(tx, &edge, "edge-1")?;
            volumes::settle(tx, &here())?;
            let lost = known(tx, &shop, &data)?;
            assert_eq!(volumes::away(tx, &lost, &here())?, Some(Away::Lost(edge.clone())));
            tx.put(&Node::example("edge-1"))?;
            assert_eq!(volumes::away(tx, &lost, &here())?, Some(Away::On(edge)));
            Ok::<_, Refusal>(())
        });
        done.await.unwrap();
    }

    #[tokio::test]
    async fn what_stands_by_keeps_its_volume() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let told = store.transact(|tx| {
            let (shop, data): (AppName, VolumeName) = ("shop".parse()?, "data".parse()?);
            let (by, now) = (Actor::platform(), Timestamp::default());
            let of = |release| Incarnation { release: ReleaseVersion(release), restart: 0 };
            let mut app = App::new(shop.clone(), now);
            (app.current, app.rollout) = (Some(of(2)), Some(RolloutNumber(1)));
            tx.put(&app)?;
            tx.put(&release(1, Some(&data)))?;
            tx.put(&release(2, None))?;
            let mut watched = rollout(of(1), of(2));
            tx.put(&watched)?;
            create(tx, &shop, &data, None, (&here(), &by), now)?;
            let refused = destroy(tx, &shop, &data, "data", (&here(), &by), now).unwrap_err();
            watched.phase = Phase::Done;
            tx.put(&watched)?;
            destroy(tx, &shop, &data, "data", (&here(), &by), now)?;
            Ok::<_, Refusal>(refused)
        });
        let refused = told.await.unwrap();
        assert_eq!(refused.why, "web of v1 has it at /data");
    }
}

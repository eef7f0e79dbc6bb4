//! Config and secrets as releases, as a story of wishes and what they come to.

use super::*;
use crate::{
    clock,
    model::{Incarnation, Phase, Release, Rollout, Secret},
    ops::{configure::configure, pending, rollback::rollback, rotate},
    store::{self, Store, StoreOptions, View, secrets},
};

/// A store with one app, and the key.
struct World {
    store: Store,
    sealing: SealingKey,
    folder: tempfile::TempDir,
}

impl World {
    /// The app has no release, or `v1`, which serves.
    async fn new(released: Option<()>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
        let store = Store::open(&folder.path().join("store"), options).unwrap();
        let sealing = SealingKey::open(&folder.path().join("sealing.key"), None).unwrap();
        let mut app = App::new("shop".parse().unwrap(), Timestamp::default());
        if released.is_some() {
            app.last_release = app.last_release.next();
            app.current = Some(Incarnation { release: app.last_release, restart: 0 });
        }
        let release = Release {
            config: app.config.clone(),
            ..Release::example(app.name.clone(), app.last_release)
        };
        let put = move |tx: &mut Transaction<'_>| {
            tx.put(&app)?;
            if app.current.is_some() { tx.put(&release) } else { Ok(()) }
        };
        store.transact(put).await.unwrap();
        Self { store, sealing, folder }
    }

    /// `A=1 B` sets and unsets secrets; `--stage` and `--from-config` as on the command line.
    async fn secrets(&self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let when = if words.contains(&"--stage") { When::Later } else { When::Now };
        let mut wishes = BTreeMap::new();
        for word in words.iter().filter(|word| !word.starts_with("--")) {
            let wish = match word.split_once('=') {
                Some((_, value)) => Wish::Set(SecretValue::new(value.to_owned())),
                None if words.contains(&"--from-config") => Wish::FromConfig,
                None => Wish::Unset,
            };
            wishes.insert(word.split('=').next().unwrap().parse().unwrap(), wish);
        }
        let (sealing, app) = (self.sealing.clone(), app());
        told(
            self.store
                .transact(move |tx| {
                    change(tx, &sealing, &app, &wishes, (when, &Actor::platform(), now()))
                })
                .await,
        )
    }

    async fn config(&self, line: &str) -> String {
        let (key, value) = line.split_once('=').unwrap();
        let patch = [(key.parse().unwrap(), Some(value.to_owned()))].into();
        let by = Actor::platform();
        let done = self
            .store
            .transact(move |tx| configure(tx, &app(), &patch, When::Now, (&by, now())))
            .await;
        told(done)
    }

    async fn discard(&self) -> String {
        let by = Actor::platform();
        told(self.store.transact(move |tx| pending::discard(tx, &app(), &by, now())).await)
    }

    /// The rollout under way ends well.
    async fn serves(&self) {
        let end = |tx: &mut Transaction<'_>| {
            let mut app = existing(tx, &app())?;
            let number = app.rollout.take().unwrap();
            let key = (app.name.as_str().to_owned(), u64::from(number.0));
            let mut rollout = tx.get::<Rollout>(&key)?.unwrap();
            rollout.phase = Phase::Done;
            app.current = Some(rollout.to);
            tx.put(&rollout)?;
            Ok::<_, Refusal>(tx.put(&app)?)
        };
        self.store.transact(end).await.unwrap();
    }

    /// What the newest release would be started with.
    fn opens(&self) -> String {
        let snapshot = self.store.snapshot();
        let release = snapshot.latest::<Release>("shop", 1).unwrap().remove(0);
        match secrets::open(&snapshot, &self.sealing, &app(), &release.secrets) {
            Ok(open) => {
                let line =
                    |(name, value): (&EnvKey, &SecretValue)| format!("{name}={}", value.expose());
                open.iter().map(line).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }
}

fn app() -> AppName {
    "shop".parse().unwrap()
}

fn now() -> Timestamp {
    Timestamp::default()
}

fn told(done: Result<Configured, Refusal>) -> String {
    match done {
        Ok(Configured::Released(version, _)) => version.to_string(),
        Ok(other) => format!("{other:?}").to_lowercase(),
        Err(refusal) => {
            format!("{refusal}; {}", refusal.hint.as_deref().unwrap_or_default())
        }
    }
}

#[tokio::test]
async fn a_change_is_a_release_and_a_rollback_brings_the_old_value_back() {
    let world = World::new(Some(())).await;
    assert_eq!(world.secrets("A=1 B=2").await, "v2");
    world.serves().await;
    assert_eq!(world.secrets("A=1").await, "unchanged");
    assert_eq!(world.secrets("A=other B").await, "v3");
    world.serves().await;
    assert_eq!(world.opens(), "A=other");
    let by = Actor::platform();
    world.store.transact(move |tx| rollback(tx, &app(), None, &by, now())).await.unwrap();
    assert_eq!(world.opens(), "A=1 B=2");
    let cause = |version: u64| {
        let key = ("shop".to_owned(), version);
        world.store.snapshot().get::<Release>(&key).unwrap().unwrap().cause.to_string()
    };
    assert_eq!((cause(2), cause(3)), ("Set A, B".to_owned(), "Set A; unset B".to_owned()));
    let stored = serde_json::to_string(&world.store.snapshot().scan::<Secret>(&()).unwrap());
    assert!(!stored.unwrap().contains("other"), "a value is sealed");
}

#[tokio::test]
async fn a_name_is_config_or_a_secret() {
    let world = World::new(None).await;
    assert_eq!(world.secrets("A=1").await, "kept");
    assert_eq!(
        world.config("A=2").await,
        "config of shop: A is a secret; `paas secrets set A -a shop` changes it; to have it in the \
         open, first `paas secrets unset A -a shop`"
    );
    assert_eq!(world.config("B=2").await, "kept");
    assert!(world.secrets("B=3").await.contains("paas secrets set B --from-config -a shop"));
    assert_eq!(world.secrets("B --from-config").await, "kept");
    let snapshot = world.store.snapshot();
    let found = existing(&snapshot, &app()).unwrap();
    assert!(found.config.is_empty() && found.secrets.len() == 2);
    assert!(world.secrets("C --from-config").await.contains("shop has no such config"));
}

#[tokio::test]
async fn what_is_staged_waits_for_the_next_release() {
    let world = World::new(Some(())).await;
    assert_eq!(world.secrets("A=1 --stage").await, "staged");
    assert_eq!(world.secrets("A=1 --stage").await, "staged");
    assert_eq!(world.discard().await, "unchanged");
    assert_eq!(world.secrets("A=1 --stage").await, "staged");
    assert_eq!(world.config("B=2").await, "v2");
    assert_eq!(world.opens(), "A=1", "another change takes it along");
    let by = Actor::platform();
    let applied = world.store.transact(move |tx| pending::apply(tx, &app(), &by, now())).await;
    assert_eq!(told(applied), "unchanged");
}

#[tokio::test]
async fn versions_go_with_the_last_release_that_names_them() {
    let world = World::new(Some(())).await;
    for value in ["A=1", "A=2", "A=3"] {
        world.secrets(value).await;
        world.serves().await;
    }
    let forget = |kept: u64| {
        move |tx: &mut Transaction<'_>| {
            for version in 1..=kept {
                tx.delete::<Release>(&("shop".to_owned(), version))?;
            }
            secrets::forget_unnamed(tx, &existing(tx, &app())?)?;
            Ok::<_, Refusal>(tx.scan::<Secret>("shop")?.len())
        }
    };
    assert_eq!(world.store.transact(forget(0)).await, Ok(3));
    assert_eq!(world.store.transact(forget(2)).await, Ok(2));
    assert_eq!(world.store.transact(forget(3)).await, Ok(1));
    assert_eq!(world.opens(), "A=3");
}

#[tokio::test]
async fn a_rotation_may_be_cut_and_leaves_nothing_under_the_old_key() {
    let mut world = World::new(Some(())).await;
    for number in 0..45 {
        world.secrets(&format!("KEY{number}=value{number} --stage")).await;
    }
    world.secrets("LAST=1").await;
    let before = world.opens();
    let old = world.sealing.clone();
    let file = world.folder.path().join("sealing.key");
    let reopen = || SealingKey::open(&file, None).unwrap();
    // Cut after the first step: both open, and the next start goes on.
    reopen().replace().unwrap();
    world.sealing = reopen();
    assert_eq!(world.opens(), before);
    rotate::settle(&world.store, &world.sealing).await;
    world.sealing = reopen();
    assert!(!world.sealing.has_old());
    assert_eq!(world.opens(), before);
    let done = rotate::rotate(&world.store, &world.sealing, &Actor::platform(), now()).await;
    assert_eq!(done, Ok(46));
    assert_eq!(world.opens(), before);
    world.sealing = old;
    assert!(world.opens().ends_with("cannot be opened"), "{}", world.opens());
}

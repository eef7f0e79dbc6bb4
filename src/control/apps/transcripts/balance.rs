//! Balance: which apps a restart would spread better over the machines.

use std::collections::BTreeMap;

use super::{
    notation::{self, Situation},
    placement::{
        Lacks::{self, Nothing},
        machines,
    },
};
use crate::{
    control::apps::{
        balance::imbalance,
        placement::{Seating, images},
        rebalance::{self, Turn},
        state::AppState,
    },
    model::{
        Actor, App, AppName, Imbalance, Instance, Move, NodeName, Observed, Rebalance, Timestamp,
    },
    store::{self, Store, StoreError, StoreOptions, Transaction, View},
};

/// Apps and what there is of them.
struct Scene {
    states: BTreeMap<AppName, AppState>,
    there: BTreeMap<AppName, Vec<Instance>>,
}

impl Scene {
    /// Of apps with their situations.
    fn of(apps: &[(&str, &str)]) -> Self {
        let (mut states, mut there) = (BTreeMap::new(), BTreeMap::new());
        for (name, situation) in apps {
            let Situation { mut state, seen, .. } = notation::read(situation);
            let name: AppName = name.parse().unwrap();
            state.app.name = name.clone();
            state.releases.values_mut().for_each(|release| release.app = name.clone());
            let instance = |one: Observed| Instance { app: name.clone(), ..one.instance };
            there.insert(name.clone(), seen.into_iter().map(instance).collect());
            states.insert(name, state);
        }
        Self { states, there }
    }

    fn imbalance(&self, nodes: &[(&str, Lacks)]) -> Imbalance {
        let machines = machines(nodes, &images(self.states.values()));
        let seating = Seating::of(machines, &self.states, &self.there);
        imbalance(&seating, &self.states, &self.there)
    }

    /// Everybody is where the move has them.
    fn make(&mut self, one: &Move) {
        let node = |name: &NodeName| Some(name.clone()).filter(|name| name.as_str() != "box");
        for (process, shifts) in &one.shifts {
            let mut arriving: Vec<Option<NodeName>> = Vec::new();
            for (name, (from, to)) in shifts {
                arriving.extend((*from..*to).map(|_| node(name)));
            }
            for (name, (from, to)) in shifts {
                let here =
                    |it: &&mut Instance| it.slot.process == *process && it.node == node(name);
                let all = self.there.get_mut(&one.app).unwrap().iter_mut();
                let leaving: Vec<_> = all.filter(here).take(from.saturating_sub(*to)).collect();
                for one in leaving {
                    one.node = arriving.pop().unwrap();
                }
            }
            assert!(arriving.is_empty(), "as many come as go");
        }
    }
}

fn written(imbalance: &Imbalance) -> String {
    let moves = imbalance.moves.iter().flat_map(|one| {
        one.shifts.iter().map(|(process, shifts)| {
            let shift =
                |(node, (from, to)): (&NodeName, &(usize, usize))| format!("{node} {from} -> {to}");
            let shifts: Vec<_> = shifts.iter().map(shift).collect();
            format!("{} {process}: {}", one.app, shifts.join(", "))
        })
    });
    let left = imbalance.left.iter().map(|(app, why)| format!("{app} stays: {why}"));
    let lines: Vec<_> = moves.chain(left).collect();
    if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") }
}

/// What would be elsewhere with these machines besides `box`; when it is, nothing more would be.
#[track_caller]
fn check(apps: &[(&str, &str)], nodes: &[(&str, Lacks)], expected: &str) {
    let mut scene = Scene::of(apps);
    let imbalance = scene.imbalance(nodes);
    let lines = |text: &str| text.trim().lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>();
    let shown = written(&imbalance);
    assert!(lines(&shown) == lines(expected), "what would be elsewhere:\n{shown}");
    imbalance.moves.iter().for_each(|one| scene.make(one));
    let again = scene.imbalance(nodes).moves;
    assert!(again.is_empty(), "it does not come to rest: {again:?}");
}

const TWO_HERE: &str = "now 50
    release v1 web=2
    current v1.0
    a web.1 v1.0 running 10 ready
    b web.2 v1.0 running 10 ready";

const ONE_HERE: &str = "now 50
    release v1 web=1
    current v1.0
    a web.1 v1.0 running 10 ready";

const ONE_ON_A: &str = "now 50
    release v1 web=1
    current v1.0
    a web.1 v1.0 running 10 ready on a";

const BOTH: &str = "now 50
    release v1 web=2
    current v1.0
    a web.1 v1.0 running 10 ready
    b web.2 v1.0 running 10 ready on a";

#[test]
fn a_new_machine_gets_its_share_of_each_app() {
    check(
        &[("blog", TWO_HERE), ("shop", TWO_HERE)],
        &[("a 8gib", Nothing), ("box 8gib", Nothing)],
        "blog web: a 0 -> 1, box 2 -> 1
         shop web: a 0 -> 1, box 2 -> 1",
    );
    let three = "now 50
        release v1 web=3 worker=1
        current v1.0
        a web.1 v1.0 running 10 ready
        b web.2 v1.0 running 10 ready on a
        c web.3 v1.0 running 10 ready on a
        d worker.1 v1.0 running 10 ready";
    let nodes = [("a", Nothing), ("b", Nothing)];
    check(
        &[("shop", three)],
        &nodes,
        "shop web: a 2 -> 1, b 0 -> 1\nshop worker: b 0 -> 1, box 1 -> 0",
    );
}

#[test]
fn apps_of_one_instance_are_spread_by_the_memory_that_is_promised() {
    let apps = ["one", "two", "three", "four", "five"].map(|name| (name, ONE_HERE));
    check(
        &apps,
        &[("a 64gib", Nothing), ("box 64gib", Nothing)],
        "five web: a 0 -> 1, box 1 -> 0
         four web: a 0 -> 1, box 1 -> 0",
    );
}

#[test]
fn two_equals_are_never_exchanged() {
    let even = [("a 4000mib", Nothing), ("box 4008mib", Nothing)];
    check(&[("blog", ONE_HERE), ("shop", ONE_ON_A)], &even, "nothing");
    check(&[("blog", ONE_HERE), ("mail", ONE_HERE), ("shop", ONE_ON_A)], &even, "nothing");
    check(&[("blog", ONE_ON_A), ("mail", ONE_HERE), ("shop", ONE_ON_A)], &even, "nothing");
    check(&[("blog", ONE_HERE)], &even, "nothing");
    check(&[("blog", BOTH), ("shop", BOTH)], &even, "nothing");
}

#[test]
fn one_machine_alone_is_always_even() {
    check(&[("shop", TWO_HERE)], &[], "nothing");
}

#[test]
fn a_machine_that_came_back_gets_its_share_again() {
    let four = "now 50
        release v1 web=4
        current v1.2
        a web.1 v1.2 running 10 ready
        b web.2 v1.2 running 10 ready
        c web.3 v1.2 #1 running 40 ready
        d web.4 v1.2 #1 running 40 ready";
    check(&[("shop", four)], &[("a", Nothing)], "shop web: a 0 -> 2, box 4 -> 2");
    check(&[("shop", four)], &[("a", Lacks::Everything)], "nothing");
    check(&[("shop", four)], &[("a drained", Nothing)], "nothing");
}

#[test]
fn who_is_where_the_labels_are_not_any_more_moves() {
    let placed = |node: &str| {
        format!(
            "now 50
             release v1 web=2
             place web zone=a
             current v1.0
             a web.1 v1.0 running 10 ready on {node}
             b web.2 v1.0 running 10 ready on a"
        )
    };
    let nodes = [("a zone=a", Nothing), ("b zone=b", Nothing)];
    check(&[("shop", &placed("b"))], &nodes, "shop web: a 1 -> 2, b 1 -> 0");
    check(&[("shop", &placed("a"))], &nodes, "nothing");
    // Nobody goes from where it should not be to nowhere.
    check(&[("shop", &placed("b"))], &[("a", Nothing), ("b zone=b", Nothing)], "nothing");
}

#[test]
fn nobody_is_sent_where_there_is_no_room() {
    let full = "now 50
        release v1 web=2
        place web node=a
        current v1.0
        a web.1 v1.0 running 10 ready on a
        b web.2 v1.0 running 10 ready on a";
    let nodes = [("a 1gib", Nothing), ("box 8gib", Nothing)];
    check(&[("full", full), ("shop", TWO_HERE)], &nodes, "nothing");
}

#[test]
fn who_would_be_away_meanwhile_is_left_and_said() {
    let with = |what: &str| {
        format!("{TWO_HERE}\n d db.1 v1.0 running 10 ready")
            .replace("current", what)
            .replace("web=2", "web=2 db=1")
    };
    let nodes = [("a 8gib", Nothing), ("box 8gib", Nothing)];
    let told = "shop stays: its db would end before it begins anew; `paas restart -a shop` does that when \
                it suits";
    check(&[("shop", &with("disk db data\n current"))], &nodes, told);
    check(&[("shop", &with("recreate db\n current"))], &nodes, told);
}

#[test]
fn who_is_on_the_way_already_is_left_alone() {
    let nodes = [("a", Nothing)];
    let deployed = format!("{TWO_HERE}\n rollout starting v1.0 > v1.1 since 50");
    check(&[("shop", &deployed)], &nodes, "nothing");
    let lacking = TWO_HERE.replace("b web.2 v1.0 running 10 ready", "b web.2 v1.0 exited 1 10..49");
    check(&[("shop", &lacking)], &nodes, "nothing");
    check(&[("shop", &format!("{TWO_HERE}\n destroyed"))], &nodes, "nothing");
    let lost =
        TWO_HERE.replace("b web.2 v1.0 running 10 ready", "b web.2 v1.0 running 10 ready on b");
    check(&[("shop", &lost)], &[("a", Nothing), ("b", Lacks::Everything)], "nothing");
}

#[test]
fn what_a_machine_is_promised_counts_whoever_it_is_from() {
    let heavy = "now 50
        release v1 web=4
        place web node=a
        current v1.0
        a web.1 v1.0 running 10 ready on a
        b web.2 v1.0 running 10 ready on a
        c web.3 v1.0 running 10 ready on a
        d web.4 v1.0 running 10 ready on a";
    let nodes = [("a 8gib", Nothing), ("box 8gib", Nothing)];
    check(&[("heavy", heavy), ("shop", ONE_ON_A)], &nodes, "shop web: a 1 -> 0, box 0 -> 1");
}

/// Apps on record, and the wish to have them moved.
struct World {
    scene: Scene,
    store: Store,
    _home: tempfile::TempDir,
}

impl World {
    async fn of(apps: &[(&str, &str)], waiting: &[&str]) -> Self {
        let scene = Scene::of(apps);
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: store::records::schema(), now: std::time::UNIX_EPOCH };
        let store = Store::open(home.path(), options).unwrap();
        let states: Vec<_> = scene.states.values().cloned().collect();
        let wish = Rebalance {
            moving: None,
            waiting: waiting.iter().map(|app| app.parse().unwrap()).collect(),
            by: Actor::platform(),
            at: Timestamp::default(),
        };
        let put = store.transact(move |tx| {
            for AppState { app, releases, .. } in states {
                tx.put(&app)?;
                releases.values().try_for_each(|release| tx.put(release))?;
            }
            tx.put(&wish)
        });
        put.await.unwrap();
        Self { scene, store, _home: home }
    }

    fn wish(&self) -> Option<Rebalance> {
        self.store.snapshot().get::<Rebalance>(&()).unwrap()
    }

    fn turn(&self, imbalance: &Imbalance) -> Option<Turn> {
        let states = AppState::load_all(&self.store.snapshot(), &self.scene.there).unwrap();
        rebalance::turn(self.wish(), &states, imbalance)
    }

    async fn take(&self, turn: Turn) {
        let take = move |tx: &mut Transaction<'_>| rebalance::take(tx, turn, Timestamp::default());
        self.store.transact::<_, StoreError, _>(take).await.unwrap();
    }

    fn app(&self, name: &str) -> App {
        self.store.snapshot().get::<App>(&name.to_owned()).unwrap().unwrap()
    }

    /// The rollout of an app has come to an end.
    async fn finish(&self, name: &str) {
        let app = App { rollout: None, ..self.app(name) };
        self.store.transact::<_, StoreError, _>(move |tx| tx.put(&app)).await.unwrap();
    }

    /// What is to be done, and how often each was restarted by then.
    fn story(&self) -> String {
        let names =
            |all: &[AppName]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let wish = self.wish().map_or("no wish".to_owned(), |wish| {
            format!(
                "moving {:?}, then {}",
                wish.moving.as_ref().map(AppName::as_str),
                names(&wish.waiting)
            )
        });
        let restarts =
            self.scene.states.keys().map(|app| self.app(app.as_str()).restarts.to_string());
        format!("{wish}; {}", restarts.collect::<Vec<_>>().join(" "))
    }
}

#[tokio::test]
async fn one_after_another_is_restarted_and_none_in_vain() {
    let apps = [("blog", TWO_HERE), ("mail", BOTH), ("shop", TWO_HERE)];
    let world = World::of(&apps, &["blog", "gone", "mail", "shop"]).await;
    let nodes = [("a 8gib", Nothing), ("box 8gib", Nothing)];
    let uneven = world.scene.imbalance(&nodes);
    let first = world.turn(&uneven).unwrap();
    world.take(first.clone()).await;
    assert_eq!(world.story(), "moving Some(\"blog\"), then gone mail shop; 1 0 0");
    assert_eq!(world.turn(&uneven), None, "the next waits for its rollout");
    world.take(first).await;
    assert_eq!(world.story(), "moving Some(\"blog\"), then gone mail shop; 1 0 0", "once");
    world.finish("blog").await;
    world.take(world.turn(&uneven).unwrap()).await;
    assert_eq!(world.story(), "moving Some(\"shop\"), then ; 1 0 1");
    world.finish("shop").await;
    world.take(world.turn(&uneven).unwrap()).await;
    assert_eq!(world.story(), "no wish; 1 0 1");
    assert_eq!(world.turn(&uneven), None);
}

#[tokio::test]
async fn an_app_that_has_changed_meanwhile_is_looked_at_anew() {
    let world = World::of(&[("blog", TWO_HERE)], &["blog"]).await;
    let turn = world.turn(&world.scene.imbalance(&[("a", Nothing)])).unwrap();
    let app = App { generation: 99, ..world.app("blog") };
    world.store.transact::<_, StoreError, _>(move |tx| tx.put(&app)).await.unwrap();
    world.take(turn).await;
    assert_eq!(world.story(), "moving None, then blog; 0");
    world.take(world.turn(&Imbalance::default()).unwrap()).await;
    assert_eq!(world.story(), "no wish; 0");
}

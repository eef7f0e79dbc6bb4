//! Who joins by which token, as a story of wishes and answers.

use std::time::Duration;

use super::*;
use crate::{
    clock,
    model::{Actor, JoinToken, Move, Node, NodeName, Rebalance, Timestamp},
    ops::{
        Refusal,
        grant::{Randomness, TokenKey},
    },
    store::{self, Store, StoreOptions, View},
};

/// A control called `control`, and a clock that the story sets.
struct World {
    store: Store,
    now: Timestamp,
    folder: tempfile::TempDir,
}

const KEY: TokenKey = TokenKey::new([7; 32]);
const HOUR: Duration = Duration::from_hours(1);

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
        let store = Store::open(&folder.path().join("store"), options).unwrap();
        Self { store, now: Timestamp::from_millis(1_790_000_000_123), folder }
    }

    /// Makes a token out of a number, and answers what proves it.
    async fn token(&self, number: u8, lasts: Option<Duration>) -> Result<String, String> {
        let now = self.now;
        let made = self.store.transact(move |tx| {
            let randomness = Randomness { id: [number; 4], secret: [number; 32] };
            make(tx, &KEY, &randomness, lasts, (&Actor::platform(), now))
        });
        let id = made.await.map_err(|refusal: Refusal| refusal.to_string())?.id;
        Ok(format!("paasj_{id}_{}", hex::encode([number; 32])))
    }

    /// A machine with this key joins by `proof`, as the API has it do.
    async fn join(&self, proof: &str, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let (name, key, address) = (words[0], words[1].repeat(32), words[2]);
        let candidate = Candidate {
            name: name.parse().unwrap(),
            key: key.parse().unwrap(),
            address: address.parse().unwrap(),
        };
        let Some(id) = recognise(&self.store.snapshot(), &KEY, proof).unwrap() else {
            return "no token of ours".to_owned();
        };
        let (control, now) = ("control".parse::<NodeName>().unwrap(), self.now);
        let joined = self.store.transact(move |tx| join(tx, &control, &id, candidate, now));
        match joined.await {
            Ok(node) => format!("{} at {}", node.name, node.address),
            Err(refusal) => refusal.to_string(),
        }
    }

    fn nodes(&self) -> Vec<Node> {
        all(&self.store.snapshot()).unwrap()
    }

    fn tokens(&self) -> usize {
        self.store.snapshot().scan::<JoinToken>(&()).unwrap().len()
    }
}

#[tokio::test]
async fn a_token_makes_one_machine_a_node() {
    let world = World::new();
    let proof = world.token(1, None).await.unwrap();
    assert_eq!(world.join(&proof, "edge-1 aa 10.0.0.1:7600").await, "edge-1 at 10.0.0.1:7600");
    let said = world.join(&proof, "edge-2 bb 10.0.0.2:7600").await;
    let by_whom = "the token was used by edge-1 at 2026-09-21T14:13:20.000Z";
    assert_eq!(said, format!("edge-2 did not join: {by_whom}"));
    let thief = world.join(&proof, "edge-1 bb 10.0.0.2:7600").await;
    assert_eq!(thief, format!("edge-1 did not join: {by_whom}"));
    assert_eq!(world.nodes().len(), 1);
    assert_eq!(world.nodes()[0].by, Actor::platform());
}

#[tokio::test]
async fn who_lost_the_answer_gets_it_again_even_when_the_token_has_ended() {
    let mut world = World::new();
    let proof = world.token(1, None).await.unwrap();
    let first = world.join(&proof, "edge-1 aa 10.0.0.1:7600").await;
    let before = world.nodes();
    world.now = world.now.plus(2 * HOUR);
    assert_eq!(world.join(&proof, "edge-1 aa 10.0.0.1:7600").await, first);
    assert_eq!(world.nodes(), before);
    let name: NodeName = "edge-1".parse().unwrap();
    world.store.transact(move |tx| remove(tx, &name, "edge-1")).await.unwrap();
    let said = world.join(&proof, "edge-1 aa 10.0.0.1:7600").await;
    assert!(said.contains("was used by edge-1"), "{said}: a removed node does not come back so");
}

#[tokio::test]
async fn two_machines_at_once_with_one_token() {
    let world = World::new();
    let proof = world.token(1, None).await.unwrap();
    let (one, two) = tokio::join!(
        world.join(&proof, "edge-1 aa 10.0.0.1:7600"),
        world.join(&proof, "edge-2 bb 10.0.0.2:7600")
    );
    let refused = [&one, &two].iter().filter(|said| said.contains("was used by")).count();
    assert_eq!((world.nodes().len(), refused), (1, 1), "{one}, {two}");
}

#[tokio::test]
async fn tokens_end_are_taken_back_and_forgotten() {
    let mut world = World::new();
    for wrong in [Duration::from_secs(59), 169 * HOUR, Duration::ZERO] {
        assert!(
            world.token(1, Some(wrong)).await.unwrap_err().contains("one minute to seven days")
        );
    }
    let late = world.token(1, Some(Duration::from_mins(1))).await.unwrap();
    let back = world.token(2, None).await.unwrap();
    let id = recognise(&world.store.snapshot(), &KEY, &back).unwrap().unwrap();
    let gone = id.clone();
    world.store.transact(move |tx| revoke(tx, &gone)).await.unwrap();
    assert_eq!(world.join(&back, "edge-1 aa 10.0.0.1:7600").await, "no token of ours");
    let twice = world.store.transact(move |tx| revoke(tx, &id)).await.unwrap_err();
    assert_eq!(twice.to_string(), "token 02020202: there is no such token");

    world.now = world.now.plus(Duration::from_mins(1));
    let said = world.join(&late, "edge-1 aa 10.0.0.1:7600").await;
    assert_eq!(said, "edge-1 did not join: the token ended at 2026-09-21T14:14:20.000Z");
    world.now = world.now.plus(170 * HOUR);
    world.token(3, None).await.unwrap();
    assert_eq!(world.tokens(), 1, "what ended a week ago is forgotten");
}

#[tokio::test]
async fn what_proves_nothing() {
    let world = World::new();
    let proof = world.token(1, None).await.unwrap();
    let other = format!("paasj_02020202_{}", "01".repeat(32));
    let wrong = format!("paasj_01010101_{}", "02".repeat(32));
    for text in ["", "paasj_01010101_", &proof[..proof.len() - 1], &other, &wrong] {
        assert_eq!(recognise(&world.store.snapshot(), &KEY, text).unwrap(), None, "{text}");
    }
    let all = world.store.snapshot().scan::<JoinToken>(&()).unwrap();
    assert!(!proof.contains(&all[0].hash), "the secret is not kept");
}

#[tokio::test]
async fn a_name_belongs_to_one_key_and_a_key_to_one_name() {
    let world = World::new();
    let tokens = [1, 2, 3, 4].map(|number| world.token(number, None));
    let [first, second, third, fourth] = tokens;
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    let (third, fourth) = (third.await.unwrap(), fourth.await.unwrap());
    world.join(&first, "edge-1 aa 10.0.0.1:7600").await;
    let taken = world.join(&second, "edge-1 bb 10.0.0.2:7600").await;
    assert_eq!(taken, "edge-1 did not join: another machine has that name");
    let copied = world.join(&second, "edge-2 aa 10.0.0.2:7600").await;
    assert_eq!(copied, "edge-2 did not join: that machine joined already, as edge-1");
    let control = world.join(&second, "control bb 10.0.0.2:7600").await;
    assert_eq!(control, "control did not join: the control itself has that name");
    for path in ["demote", "join", "promote", "rebalance", "tokens"] {
        let said = world.join(&second, &format!("{path} bb 10.0.0.2:7600")).await;
        assert_eq!(said, format!("{path} did not join: no node can"));
    }
    for nowhere in ["0.0.0.0:7600", "10.0.0.2:0", "[::]:7600"] {
        let said = world.join(&second, &format!("edge-2 bb {nowhere}")).await;
        assert_eq!(said, format!("edge-2 did not join: nobody can connect to {nowhere}"));
    }
    assert_eq!(world.join(&second, "edge-2 bb 10.0.0.2:7600").await, "edge-2 at 10.0.0.2:7600");
    // A machine that begins anew with the key it had, by a token of its own.
    assert_eq!(world.join(&third, "edge-1 aa 10.0.0.9:7600").await, "edge-1 at 10.0.0.9:7600");
    let said = world.join(&fourth, "edge-1 cc 10.0.0.9:7600").await;
    assert!(said.contains("another machine has that name"), "{said}");
}

#[tokio::test]
async fn a_node_gets_another_key_another_address_and_labels() {
    let world = World::new();
    for (number, line) in [(1, "edge-1 aa 10.0.0.1:7600"), (2, "edge-2 bb 10.0.0.2:7600")] {
        let proof = world.token(number, None).await.unwrap();
        world.join(&proof, line).await;
    }
    let name = || "edge-1".parse::<NodeName>().unwrap();
    let renewed = |key: &str| {
        let key = key.repeat(32).parse().unwrap();
        world.store.transact(move |tx| renew(tx, &name(), key))
    };
    assert_eq!(renewed("cc").await.unwrap().key.as_str(), "cc".repeat(32));
    let said = renewed("bb").await.unwrap_err().to_string();
    assert!(said.ends_with("that machine joined already, as edge-2"), "{said}");
    let moved = |to: &str| {
        let to = to.parse().unwrap();
        world.store.transact(move |tx| readdress(tx, &name(), to))
    };
    assert_eq!(moved("10.0.0.3:7601").await.unwrap().address.port(), 7601);
    assert!(moved("0.0.0.0:7601").await.unwrap_err().to_string().contains("nobody can connect"));

    let labelled = |change: &[(&str, Option<&str>)]| {
        let read = |(key, value): &(&str, Option<&str>)| {
            (key.parse().unwrap(), value.map(|value| value.parse().unwrap()))
        };
        let change: LabelChange = change.iter().map(read).collect();
        world.store.transact(move |tx| label(tx, &name(), change))
    };
    labelled(&[("zone", Some("a")), ("disk", Some("ssd"))]).await.unwrap();
    let node = labelled(&[("zone", Some("b")), ("disk", None), ("none", None)]).await.unwrap();
    let shown: Vec<_> = node.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(shown, ["zone=b"]);
    let refused = labelled(&[("node", Some("edge-2"))]).await.unwrap_err().to_string();
    assert!(refused.contains("is a machine's name"), "{refused}");
    let change: LabelChange = [("zone".parse().unwrap(), Some("c".parse().unwrap()))].into();
    let control = || "control".parse::<NodeName>().unwrap();
    let own = world.store.transact(move |tx| label_control(tx, &control(), change)).await.unwrap();
    assert_eq!(control_labels(&world.store.snapshot(), &control()).unwrap(), own);

    let nobody: NodeName = "nobody".parse().unwrap();
    let said = world.store.transact(move |tx| remove(tx, &nobody, "nobody")).await.unwrap_err();
    assert_eq!(said.to_string(), "node nobody: no machine of that name has joined");
    let said = world.store.transact(move |tx| remove(tx, &name(), "edge-2")).await.unwrap_err();
    assert!(said.hint.unwrap().contains("paas nodes remove edge-1 --confirm edge-1"));
    world.store.transact(move |tx| remove(tx, &name(), "edge-1")).await.unwrap();
    assert_eq!(world.nodes().len(), 1);
}

#[tokio::test]
async fn a_control_that_has_a_record_as_a_node_has_its_labels_there() {
    let world = World::new();
    let proof = world.token(1, None).await.unwrap();
    world.join(&proof, "edge-1 aa 10.0.0.1:7600").await;
    let labelled = async |name: &str, value: &str| {
        let name: NodeName = name.parse().unwrap();
        let change: LabelChange = [("zone".parse().unwrap(), Some(value.parse().unwrap()))].into();
        let label = world.store.transact(move |tx| label_control(tx, &name, change));
        label.await.unwrap();
    };
    labelled("control", "a").await;
    labelled("edge-1", "b").await;
    let zone = |name: &str| {
        let labels = control_labels(&world.store.snapshot(), &name.parse().unwrap()).unwrap();
        labels.values().map(ToString::to_string).collect::<String>()
    };
    assert_eq!((zone("control"), zone("edge-1")), ("a".to_owned(), "b".to_owned()));
    assert_eq!(world.nodes()[0].labels.len(), 1, "it is the node's own record");
}

#[tokio::test]
async fn nodes_and_tokens_are_part_of_an_export() {
    let world = World::new();
    let proof = world.token(1, None).await.unwrap();
    world.join(&proof, "edge-1 aa 10.0.0.1:7600").await;
    let file = world.folder.path().join("export.jsonl");
    world.store.export(&file, clock::system()).unwrap();
    let restored = world.folder.path().join("restored");
    store::restore(&file, &restored).unwrap();
    let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
    let other = Store::open(&restored, options).unwrap();
    assert_eq!(all(&other.snapshot()).unwrap(), world.nodes());
    let known = recognise(&other.snapshot(), &KEY, &proof).unwrap();
    assert_eq!(known.map(|id| id.0).as_deref(), Some("01010101"));
    other.close().await;
}

#[tokio::test]
async fn a_wish_to_rebalance_takes_the_place_of_the_last_and_knows_who_is_moving() {
    let world = World::new();
    let wished = async |apps: &[&str]| {
        let app = |name: &&str| Move { app: name.parse().unwrap(), shifts: [].into() };
        let (moves, now): (Vec<Move>, _) = (apps.iter().map(app).collect(), world.now);
        let wish = world.store.transact(move |tx| rebalance(tx, &moves, &Actor::platform(), now));
        let wish: Result<_, Refusal> = wish.await;
        wish.unwrap().map(|wish| wish.waiting.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(wished(&[]).await, None);
    assert_eq!(wished(&["blog", "shop"]).await.unwrap(), ["blog", "shop"]);
    let begun = rebalancing(&world.store.snapshot()).unwrap().unwrap();
    let begun = Rebalance { moving: Some("blog".parse().unwrap()), ..begun };
    let put = world.store.transact::<_, Refusal, _>(move |tx| Ok(tx.put(&begun)?));
    put.await.unwrap();
    assert_eq!(wished(&[]).await.unwrap(), ["blog", "shop"], "nothing to wish is no wish");
    assert_eq!(wished(&["mail"]).await.unwrap(), ["mail"]);
    let wish = rebalancing(&world.store.snapshot()).unwrap().unwrap();
    assert_eq!(wish.moving.unwrap().as_str(), "blog", "who comes next waits for it");
}

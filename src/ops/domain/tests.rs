//! Who may have which name, as a story of wishes and answers.

use super::*;
use crate::{
    clock,
    model::App,
    ops::destroy::{Remains, destroy},
    store::{self, Store, StoreOptions},
};

/// A store with the apps `shop` and `blog`, on a platform called `apps.example.net`.
struct World {
    store: Store,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: store::records::schema(), now: clock::system() };
        let store = Store::open(folder.path(), options).unwrap();
        for name in ["shop", "blog"] {
            let app = App::new(name.parse().unwrap(), Timestamp::default());
            store.transact(move |tx| tx.put(&app)).await.unwrap();
        }
        Self { store, _folder: folder }
    }

    /// `shop example.com/api → other.example`, with `strip` at the end.
    async fn add(&self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let (app, place) = (words[0].parse::<AppName>().unwrap(), words[1]);
        let (name, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let wish = Wish {
            name: name.parse().unwrap(),
            path: if path.is_empty() { "/" } else { path }.parse().unwrap(),
            strip: words.contains(&"strip"),
            moved_to: words.get(3).map(|name| name.parse().unwrap()),
        };
        let now = Timestamp::default();
        let done = self
            .store
            .transact(move |tx| add(tx, &app, wish, "apps.example.net", &Actor::platform(), now));
        done.await.map_or_else(|refusal| refusal.to_string(), |_| "added".to_owned())
    }

    async fn remove(&self, name: &str, path: Option<&str>) -> String {
        let (name, path) = (name.parse().unwrap(), path.map(|path| path.parse().unwrap()));
        let now = Timestamp::default();
        let done = self
            .store
            .transact(move |tx| remove(tx, &name, path.as_ref(), &Actor::platform(), now));
        let count = |removed: Vec<Domain>| format!("{} removed", removed.len());
        done.await.map_or_else(|refusal| refusal.to_string(), count)
    }

    #[track_caller]
    fn has(&self, expected: &[&str]) {
        let domains = self.store.snapshot().scan::<Domain>(&()).unwrap();
        let line = |d: &Domain| format!("{} {}{}", d.app, d.name, d.path);
        assert_eq!(domains.iter().map(line).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_name_and_path_has_one_app() {
    let world = World::new().await;
    for (wish, answer) in [
        ("shop www.example.com", "added"),
        ("shop www.example.com", "added"),
        ("blog www.example.com", "domain www.example.com: the app shop has it"),
        ("blog www.example.com/blog strip", "added"),
        ("shop www.example.com/blog", "domain www.example.com/blog: the app blog has it"),
        ("blog *.example.com", "added"),
        ("blog example.com", "added"),
        ("nobody example.org", "app nobody: there is no such app"),
    ] {
        assert_eq!(world.add(wish).await, answer, "{wish}");
    }
    world.has(&[
        "blog *.example.com/",
        "blog example.com/",
        "shop www.example.com/",
        "blog www.example.com/blog",
    ]);
    let shared = "domain www.example.com: several apps share it: / of shop, /blog of blog";
    assert_eq!(world.remove("www.example.com", None).await, shared);
    assert_eq!(world.remove("www.example.com", Some("/blog")).await, "1 removed");
    assert_eq!(world.remove("www.example.com", None).await, "1 removed");
    let gone = "domain www.example.com: no app has it";
    assert_eq!(world.remove("www.example.com", None).await, gone);
}

#[tokio::test]
async fn the_platforms_names_are_not_given_away() {
    let world = World::new().await;
    for (wish, answer) in [
        ("shop shop.apps.example.net", "the app answers there already"),
        ("shop blog.apps.example.net", "the platform's own domain"),
        ("shop apps.example.net", "the platform's own domain"),
        ("shop *.apps.example.net", "the platform's own domain"),
        ("shop a.shop.apps.example.net", "the platform's own domain"),
        ("shop example.net", "added"),
        ("shop badapps.example.net", "added"),
    ] {
        let answered = world.add(wish).await;
        assert!(answered.contains(answer), "{wish}: {answered}");
    }
}

#[tokio::test]
async fn a_name_that_moves_moves_as_a_whole_and_comes_to_an_end() {
    let world = World::new().await;
    for (wish, answer) in [
        ("shop www.example.com → example.com", "added"),
        (
            "shop example.com → www.example.com",
            "domain example.com: moving to www.example.com would lead back to it",
        ),
        (
            "shop example.com → example.com",
            "domain example.com: moving to example.com would lead back to it",
        ),
        ("shop example.com", "added"),
        (
            "blog www.example.com/blog",
            "domain www.example.com: all of it only sends its visitors to example.com",
        ),
        ("blog example.com/blog", "added"),
        ("shop example.com → example.org", "domain example.com: blog answers at example.com/blog"),
        (
            "shop a.example.com → *.example.org",
            "domain a.example.com: it can only move to one name, not to a wildcard",
        ),
        ("shop www.example.com", "added"),
        ("blog www.example.com/blog", "added"),
    ] {
        assert_eq!(world.add(wish).await, answer, "{wish}");
    }
}

#[tokio::test]
async fn an_app_that_is_destroyed_leaves_its_names_to_others() {
    let world = World::new().await;
    world.add("shop example.com").await;
    world.add("blog example.org").await;
    let destroyed = world.store.transact(|tx| {
        let name = "shop".parse().unwrap();
        destroy(tx, &name, ("shop", Remains::Nothing), &Actor::platform(), Timestamp::default())
    });
    destroyed.await.unwrap();
    world.has(&["blog example.org/"]);
    assert_eq!(world.add("blog example.com").await, "added");
}

//! A build container that waits for the next build of its app: what it saves, and that a build in it
//! cannot be told from one in a fresh container.

use std::{collections::BTreeSet, fs, time::Duration};

use paas::{
    build::{BuildError, Builder},
    engine::BuildEngine,
    model::ContainerId,
};

use crate::{
    package,
    world::{Told, World},
};

const SERVER: &str = "require('http').createServer((q, s) => s.end('up')).listen(process.env.PORT)";

/// Says what a build finds of earlier ones, then leaves as much as it can.
const LITTER: &str = "const fs = require('fs'), run = require('child_process');
for (const folder of ['/tmp', process.env.HOME, '/dev/shm', '/var/tmp'])
  console.log('found', folder, fs.readdirSync(folder).sort().join(' '));
const running = fs.readdirSync('/proc').filter(name => +name > 1)
  .map(name => { try { return fs.readFileSync(`/proc/${name}/cmdline`, 'utf8') } catch { return '' } });
console.log('found running', running.some(line => line.includes('3600')));
console.log('found variable', process.env.SECRET, process.env.MODE);
fs.mkdirSync('/tmp/left/locked', { recursive: true }); fs.chmodSync('/tmp/left', 0o500);
for (const folder of ['/tmp', process.env.HOME, '/dev/shm'])
  fs.writeFileSync(folder + '/.left', 'x');
run.spawn('setsid', ['sleep', '3600'], { detached: true, stdio: 'ignore' }).unref();
if (process.env.MODE === 'disk') fs.writeFileSync('/var/tmp/left', 'x');";

struct Case {
    world: World,
    number: u32,
}

impl Case {
    /// An app whose build litters, under a `[build]` of its own.
    async fn build(&mut self, manifest: &str) -> Told {
        self.number += 1;
        let files = [
            ("app.js", SERVER),
            ("litter.js", LITTER),
            ("package.json", &package("node litter.js")),
            ("paas.toml", manifest),
        ];
        let source = self.world.app(&format!("source{}", self.number), &files);
        self.world.build("shop", &source).await
    }

    async fn waiting(&self) -> BTreeSet<ContainerId> {
        let all = self.world.docker.builders().await.unwrap();
        all.into_iter().map(|builder| builder.id).collect()
    }
}

fn found(told: &Told) -> Vec<String> {
    told.log.iter().filter(|line| line.contains("found ")).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_build_finds_a_container_and_nothing_of_the_last() {
    let mut case = Case { world: World::new().await, number: 0 };
    let first = case.build("[build.env]\nSECRET = \"a\"\nMODE = \"one\"\n").await;
    let one = case.waiting().await;
    assert_eq!(one.len(), 1, "it waits");
    let second = case.build("[build.env]\nMODE = \"one\"\n").await;
    assert_eq!(case.waiting().await, one, "the same one built and waits again");
    let (mut fresh, used) = (found(&first), found(&second));
    assert_eq!(fresh.len(), 6, "{fresh:?}");
    assert!(fresh[4].ends_with("found running false"), "{fresh:?}");
    assert!(fresh[5].ends_with("found variable a one"), "{fresh:?}");
    fresh[5] = fresh[5].replace("variable a one", "variable undefined one");
    assert_eq!(fresh, used);
    println!("fresh {:?}, warm {:?}", first.took, second.took);
    second.artifact();

    // What a build leaves on the container's own disk ends the container.
    case.build("[build.env]\nMODE = \"disk\"\n").await.artifact();
    assert!(case.waiting().await.is_empty());
    assert_eq!(found(&case.build("[build.env]\nMODE = \"one\"\n").await), used);

    // Other limits are another container; so are other folders, which a new app of the name has.
    let two = case.waiting().await;
    assert_eq!(two.len(), 1);
    case.build("[build]\nmemory = \"512m\"\n").await.artifact();
    let three = case.waiting().await;
    assert_eq!((three.len(), three.is_disjoint(&two)), (1, true));
    fs::remove_dir_all(case.world.home.join("apps/shop")).unwrap();
    case.build("[build]\nmemory = \"512m\"\n").await.artifact();
    let four = case.waiting().await;
    assert_eq!((four.len(), four.is_disjoint(&three)), (1, true));

    // One that somebody ended is not waited for.
    let id = four.first().unwrap();
    case.world.docker.remove_builder(id).await.unwrap();
    case.build("[build]\nmemory = \"512m\"\n").await.artifact();
    assert_eq!(case.waiting().await.len(), 1);

    case.world.builder.dismiss(|app| app.as_str() == "shop").await;
    assert_eq!(case.waiting().await.len(), 1);
    case.world.builder.dismiss(|_| false).await;
    assert!(case.waiting().await.is_empty(), "its app is destroyed");
    case.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_waits_only_so_long() {
    let mut world = World::new().await;
    world.settings.keep = Duration::from_millis(1);
    world.builder = Builder::new(world.docker.clone(), world.settings.clone());
    let mut case = Case { world, number: 0 };
    case.build("").await.artifact();
    let gone = async {
        while !case.waiting().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone).await.unwrap();

    case.world.settings.keep = Duration::ZERO;
    case.world.builder = Builder::new(case.world.docker.clone(), case.world.settings.clone());
    case.build("").await.artifact();
    assert!(case.waiting().await.is_empty(), "none waits at all");
    case.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_build_ends_the_container_that_had_waited_for_it() {
    let mut case = Case { world: World::new().await, number: 0 };
    case.build("").await.artifact();
    let waited = case.waiting().await;
    assert_eq!(waited.len(), 1);
    let files = [("app.js", SERVER), ("package.json", &package("echo begun; sleep 600"))];
    let source = case.world.app("slow", &files);
    let (request, mut news) = case.world.request("shop", &source);
    let cancel = request.cancel.clone();
    let building = case.world.builder.build(request);
    let watching = async {
        while let Some(progress) = news.recv().await {
            if format!("{progress:?}").contains("begun") {
                assert_eq!(case.waiting().await, waited, "it builds in the one that waited");
                cancel.cancel();
            }
        }
    };
    let (result, ()) = tokio::join!(building, watching);
    assert!(matches!(result, Err(BuildError::Cancelled)), "{result:?}");
    assert!(case.waiting().await.is_empty());

    // The daemon dies while one waits; the next one knows nothing of it.
    case.build("").await.artifact();
    assert_eq!(case.waiting().await.len(), 1);
    let next = Builder::new(case.world.docker.clone(), case.world.settings.clone());
    assert_eq!(next.sweep().await.unwrap(), 1);
    assert!(case.waiting().await.is_empty());
    case.world.end().await;
}

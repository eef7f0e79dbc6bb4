//! The same source gives the same image, on two machines as well: with folders, caches, a disk, a
//! moment and an order of files of their own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use paas::{build::Builder, engine::BuildEngine};

use crate::world::World;

/// A disk in memory, which lists files in another order than one on a disk.
struct Memory(PathBuf);

impl Memory {
    fn mount(at: PathBuf) -> Self {
        fs::create_dir(&at).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=3g", "none"]).arg(&at).status();
        assert!(mounted.unwrap().success(), "mount needs root");
        Self(at)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

const GO: [(&str, &str); 2] = [
    ("go.mod", "module example.com/app\n\ngo 1.22\n"),
    ("main.go", "package main\n\nfunc main() { println(\"hello\") }\n"),
];

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_make_the_same_image_of_the_same_source() {
    let mut one = World::new().await;
    let mut two = World::new().await;
    let memory = Memory::mount(two.home.join("memory"));
    two.settings.apps = memory.0.join("apps");
    two.settings.cache = memory.0.join("cache");
    two.builder = Builder::new(two.docker.clone(), two.settings.clone());

    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for app in ["static-site", "node-express", "python-flask", "golang"] {
        let images = {
            let mut images = Vec::new();
            for (number, world) in [&mut one, &mut two].into_iter().enumerate() {
                let folder = format!("folder-{number}-of-{app}");
                let source = match app {
                    "golang" => world.app(&folder, &GO),
                    example => world.source(&folder, &examples.join(example)),
                };
                images.push(world.build(app, &source).await.artifact().image);
            }
            images
        };
        let layers = |index: usize| one.docker.image_layers(&images[index]);
        let (a, b) = (layers(0).await.unwrap().unwrap(), layers(1).await.unwrap().unwrap());
        assert!(
            a == b && images[0] == images[1],
            "{app}: {a:#?}\n{b:#?}\n{}",
            difference(&one, &two, app)
        );
    }
    drop(memory);
    one.end().await;
    two.end().await;
}

/// Which files of an app's folders are not the same.
fn difference(one: &World, two: &World, app: &str) -> String {
    let folder = |world: &World| world.settings.apps.join(app);
    let mut diff = Command::new("diff");
    diff.args(["--recursive", "--brief", "--no-dereference"]);
    let told = diff.arg(folder(one)).arg(folder(two)).output().unwrap();
    String::from_utf8_lossy(&told.stdout).into_owned()
}

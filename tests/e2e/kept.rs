//! What outlives a test: the base images, those with packages, and the toolchains, which take minutes
//! and megabytes.
//!
//! They lie in cargo's folder for such things. A server gets hard links of them and never the
//! folder itself, because a shelf belongs to one daemon; what a server fetched is linked back.
//! Invariant: both ways happen under one lock, and what has its final name is whole.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use paas::build::stack::{Origin, Stack};

const SHELF: &str = "toolchains";
const STACK: &str = "stack";
const VARIANTS: &str = "variants";
/// Marks a toolchain as whole on the disk; see the shelf.
const SETTLED: &str = ".settled-";

fn kept() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Held until it is dropped.
pub(crate) fn turn() -> File {
    let file = File::create(kept().join("kept.lock")).unwrap();
    file.lock().unwrap();
    file
}

/// Gives a data folder the stack, which is made now if nobody made it before, and all variants of it
/// and toolchains that are known.
pub(crate) fn lend(data: &Path) {
    let _turn = turn();
    let stack = kept().join(STACK);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let origin = Origin::Host { apt: "/etc/apt".into() };
    runtime.block_on(Stack::at(&stack).ensure(origin, &|_| ())).unwrap();
    link(&stack, &data.join(STACK)).unwrap();
    move_toolchains(&kept().join(SHELF), &data.join(SHELF));
    // A test that takes one away wants it made anew, by the next daemon too.
    if !data.join(VARIANTS).exists() {
        move_variants(&kept().join(VARIANTS), &data.join(VARIANTS));
    }
}

/// Keeps the toolchains that a server fetched, and the variants that it made.
pub(crate) fn keep(data: &Path) {
    let _turn = turn();
    move_toolchains(&data.join(SHELF), &kept().join(SHELF));
    move_variants(&data.join(VARIANTS), &kept().join(VARIANTS));
}

/// Those that are whole: what is not has a name that begins with a dot.
fn move_variants(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with('.') || to.join(&name).exists() {
            continue;
        }
        let unfinished = to.join(format!(".unfinished-lent-{name}"));
        fs::remove_dir_all(&unfinished).ok();
        link(&entry.path(), &unfinished).unwrap();
        fs::rename(unfinished, to.join(name)).unwrap();
    }
}

fn move_toolchains(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let mark = entry.file_name().into_string().unwrap();
        let Some(name) = mark.strip_prefix(SETTLED) else { continue };
        if from.join(name).is_dir() && !to.join(name).exists() {
            let unfinished = to.join(format!(".unfinished-lent-{name}"));
            fs::remove_dir_all(&unfinished).ok();
            link(&from.join(name), &unfinished).unwrap();
            fs::rename(unfinished, to.join(name)).unwrap();
            File::create(to.join(&mark)).unwrap();
        }
    }
}

/// A tree of hard links, or of copies where the folders lie on different disks.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            link(&source, &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else if !target.exists() && fs::hard_link(&source, &target).is_err() {
            // Never onto a link of itself, which a folder that was lent to before has: that empties both.
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

#[test]
fn what_is_lent_to_a_folder_twice_is_still_there() {
    let home = tempfile::tempdir().unwrap();
    let (from, to) = (home.path().join("kept"), home.path().join("lent"));
    fs::create_dir(&from).unwrap();
    fs::write(from.join("stack.tar"), "whole").unwrap();
    for _ in 0..2 {
        link(&from, &to).unwrap();
        for folder in [&from, &to] {
            assert_eq!(fs::read_to_string(folder.join("stack.tar")).unwrap(), "whole");
        }
    }
}

//! What builds keep on this machine for the next ones: measured, and given back when it is too much.
//!
//! Nothing here is needed to run an app; what is given back costs a later build time. Images are
//! not kept here but in Docker. Invariant: no build of an app runs while its folders are given back,
//! and none at all while what all share is; who calls sees to that.

use std::{
    collections::BTreeSet,
    fs, io,
    time::{Duration, SystemTime},
};

use super::{
    disk::{Space, usage},
    folder::Folder,
    uploads::BuildFolders,
    workspace::Workspace,
};
use crate::model::{AppName, ByteSize};

/// What builds keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The folders of each app: source, layers, its own caches.
    pub apps: Vec<KeptByApp>,
    /// The caches that all apps share.
    pub shared: u64,
    /// The toolchains.
    pub toolchains: u64,
}

/// What builds keep of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptByApp {
    /// Whose.
    pub app: AppName,
    /// Bytes.
    pub size: u64,
    /// When a build of it last succeeded.
    pub used: SystemTime,
}

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptLimits {
    /// Of one app.
    pub app: ByteSize,
    /// Of all apps, with what they share.
    pub total: ByteSize,
    /// Of toolchains.
    pub toolchains: ByteSize,
    /// What is to stay free on the disk, or a twentieth of it if that is less.
    pub reserve: ByteSize,
}

/// What is to be given back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surplus {
    /// All that is kept of these apps.
    pub apps: Vec<AppName>,
    /// What all apps share.
    pub shared: bool,
}

impl Kept {
    /// What to give back, so that the limits hold and `missing` more bytes are free: what is too
    /// large for one app, then apps that were not built for longest, then what all share. Apps that
    /// are `busy` keep theirs. Pure.
    pub fn surplus(&self, limits: &KeptLimits, busy: &BTreeSet<AppName>, missing: u64) -> Surplus {
        let mut surplus = Surplus::default();
        let mut total = self.apps.iter().map(|kept| kept.size).sum::<u64>() + self.shared;
        let goal = limits.total.0.min(total.saturating_sub(missing));
        let mut spare: Vec<&KeptByApp> =
            self.apps.iter().filter(|kept| !busy.contains(&kept.app) && kept.size > 0).collect();
        spare.sort_by(|a, b| (a.used, &a.app).cmp(&(b.used, &b.app)));
        let (large, small): (Vec<_>, Vec<_>) =
            spare.into_iter().partition(|kept| kept.size > limits.app.0);
        for kept in large {
            total -= kept.size;
            surplus.apps.push(kept.app.clone());
        }
        for kept in small {
            if total > goal {
                total -= kept.size;
                surplus.apps.push(kept.app.clone());
            }
        }
        surplus.shared = total > goal && busy.is_empty() && self.shared > 0;
        surplus
    }
}

impl BuildFolders {
    /// What is kept of apps and shared. It blocks for as long as it takes to look at every file.
    pub fn kept(&self) -> io::Result<Kept> {
        let mut kept = Kept { shared: usage(self.shared()), ..Kept::default() };
        for entry in fs::read_dir(self.apps()).into_iter().flatten() {
            let entry = entry?;
            let Some(app) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            kept.apps.push(self.kept_of(&app));
        }
        Ok(kept)
    }

    /// What is kept of one app, without the sources that wait to be built.
    pub fn kept_of(&self, app: &AppName) -> KeptByApp {
        let home = self.apps().join(app.as_str());
        let size = Workspace::folders(&home).iter().map(|folder| usage(folder)).sum();
        let used = [Workspace::record(&home), home]
            .iter()
            .find_map(|path| fs::metadata(path).and_then(|stat| stat.modified()).ok());
        KeptByApp { app: app.clone(), size, used: used.unwrap_or(SystemTime::UNIX_EPOCH) }
    }

    /// Empties what is kept of an app.
    pub fn give_back(&self, app: &AppName) -> io::Result<()> {
        Workspace::at(self.apps(), app).clear()
    }

    /// Empties what all apps share.
    pub fn give_back_shared(&self) -> io::Result<()> {
        let folder = match Folder::open(self.shared()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        for name in folder.names()? {
            folder.remove(&name)?;
        }
        Ok(())
    }

    /// How many bytes must become free for builds to begin; 0 if there is room.
    pub fn missing(&self, reserve: ByteSize) -> u64 {
        let space = Space::of(self.apps()).filter(|space| space.is_low(reserve));
        space.map_or(0, |space| reserve.0.min(space.size / 20).saturating_sub(space.free))
    }

    /// Bytes free where builds work.
    pub fn free(&self) -> u64 {
        Space::of(self.apps()).map_or(0, |space| space.free)
    }
}

/// Toolchains that nobody asked for this long are given back.
pub const TOOLCHAIN_UNUSED: Duration = Duration::from_hours(30 * 24);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::folder::Owner;

    fn kept(apps: &[(&str, u64, u64)], shared: u64) -> Kept {
        let apps = apps.iter().map(|(app, size, used)| KeptByApp {
            app: app.parse().unwrap(),
            size: *size,
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(*used),
        });
        Kept { apps: apps.collect(), shared, toolchains: 0 }
    }

    fn check(kept: &Kept, busy: &[&str], missing: u64, expected: &str) {
        let limits = KeptLimits {
            app: ByteSize(50),
            total: ByteSize(100),
            toolchains: ByteSize(0),
            reserve: ByteSize(0),
        };
        let busy = busy.iter().map(|app| app.parse().unwrap()).collect();
        let surplus = kept.surplus(&limits, &busy, missing);
        let mut told: Vec<&str> = surplus.apps.iter().map(AppName::as_str).collect();
        told.extend(surplus.shared.then_some("(shared)"));
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn what_was_not_built_for_longest_goes_first() {
        check(&kept(&[("aaa", 10, 3), ("bbb", 10, 1)], 10), &[], 0, "");
        check(&kept(&[("aaa", 60, 3), ("bbb", 10, 1)], 10), &[], 0, "aaa");
        check(&kept(&[("aaa", 40, 3), ("bbb", 40, 1), ("ccc", 40, 2)], 10), &[], 0, "bbb");
        check(&kept(&[("aaa", 40, 3), ("bbb", 40, 1), ("ccc", 40, 2)], 30), &[], 0, "bbb ccc");
        check(&kept(&[("aaa", 40, 3), ("bbb", 40, 1)], 90), &[], 0, "bbb aaa");
        check(&kept(&[("aaa", 40, 3)], 120), &[], 0, "aaa (shared)");
        // What is being built is left alone, and so is what it shares.
        check(&kept(&[("aaa", 60, 3), ("bbb", 60, 1)], 10), &["bbb"], 0, "aaa");
        check(&kept(&[("aaa", 40, 3)], 120), &["bbb"], 0, "aaa");
        // The disk is low.
        check(&kept(&[("aaa", 10, 3), ("bbb", 10, 1)], 10), &[], 5, "bbb");
        check(&kept(&[("aaa", 10, 3), ("bbb", 10, 1)], 10), &[], 15, "bbb aaa");
        check(&kept(&[("aaa", 10, 3), ("bbb", 10, 1)], 10), &[], 25, "bbb aaa (shared)");
        check(&kept(&[("aaa", 0, 3)], 0), &[], 25, "");
    }

    #[test]
    fn only_what_builds_fill_is_given_back() {
        let home = tempfile::tempdir().unwrap();
        let folders = BuildFolders::new(home.path());
        let app: AppName = "shop".parse().unwrap();
        let place = folders.apps().join("shop");
        Workspace::open(folders.apps(), &app, Owner::APP).unwrap();
        fs::create_dir_all(place.join("uploads/sha256-1")).unwrap();
        fs::write(place.join("layers/big"), vec![7; 1 << 20]).unwrap();
        fs::create_dir_all(home.path().join("cache/npm")).unwrap();
        fs::write(home.path().join("cache/npm/pack"), vec![7; 1 << 20]).unwrap();
        let kept = folders.kept().unwrap();
        assert!(kept.apps[0].size >= 1 << 20 && kept.shared >= 1 << 20, "{kept:?}");
        folders.give_back(&app).unwrap();
        folders.give_back_shared().unwrap();
        let kept = folders.kept().unwrap();
        assert!(kept.apps[0].size < 64 << 10 && kept.shared < 64 << 10, "{kept:?}");
        assert!(place.join("uploads/sha256-1").exists());
    }
}

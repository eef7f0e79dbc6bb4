//! The story: is the stack there? If not, make both halves at once and keep them.
//!
//! Half-made files have hidden names and are removed at the next try; the manifest, written last,
//! makes a new pair visible, and only then is the old pair removed.

use super::apt::{Mirror, mirror};
use super::error::StackError;
use super::make::{Kitchen, Source, host_options};
use super::manifest::{self, Manifest};
use super::recipe::{self, Flavour};
use super::release::Releases;
use super::rootfs::Rootfs;
use super::{DISTRO_NAME, DISTRO_VERSION};
use crate::build::web::{Web, WebError, shown};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The kept stack of one host.
#[derive(Debug)]
pub struct Stack {
    dir: PathBuf,
    /// One making at a time; whoever comes second finds it made.
    making: tokio::sync::Mutex<()>,
}

/// Both root filesystems and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackSet {
    /// What apps run in.
    pub run: Rootfs,
    /// What builds run in.
    pub build: Rootfs,
    /// The distribution's name, for buildpacks.
    pub distro_name: &'static str,
    /// The distribution's version, for buildpacks.
    pub distro_version: &'static str,
    /// How it was made, for people.
    pub made_how: String,
}

/// Where a stack comes from when it is not there.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Made here by mmdebstrap, from the mirror that apt's configuration in this folder (usually
    /// `/etc/apt`) names. A host whose apt names none, such as Ubuntu, uses Debian's own mirrors.
    Host {
        /// apt's configuration folder.
        apt: PathBuf,
    },
    /// Two root filesystems that somebody else made, for example the engine from a pulled image
    /// with [`super::container_script`]. They are moved into the stack.
    Tars {
        /// The uncompressed tar of the run root.
        run: PathBuf,
        /// The uncompressed tar of the build root.
        build: PathBuf,
        /// How they were made, for people.
        how: String,
    },
}

/// What is told while a stack is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Both are about to be made, from here.
    Making {
        /// The mirror's address.
        from: String,
    },
    /// One of them has reached a step.
    Step {
        /// Which one.
        flavour: Flavour,
        /// What it is doing now.
        text: String,
    },
    /// One of them is made.
    Made {
        /// Which one.
        flavour: Flavour,
        /// Bytes of its tar.
        size: u64,
        /// How long it took.
        took: Duration,
    },
}

impl Stack {
    /// The stack kept in `dir`; nothing is touched yet.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), making: tokio::sync::Mutex::new(()) }
    }

    /// The stack, if it is there and of this program's recipe. Quick.
    pub fn present(&self) -> Option<StackSet> {
        Manifest::load(&self.dir, &recipe::hash())
    }

    /// The stack, made now if it is not there. `progress` is told each step.
    pub async fn ensure(
        &self,
        origin: Origin,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<StackSet, StackError> {
        let _turn = self.making.lock().await;
        if let Some(set) = self.present() {
            return Ok(set);
        }
        self.clear().await.map_err(|source| self.folder(source))?;
        let (run, build, made_how) = match origin {
            Origin::Host { apt } => self.make(&apt, progress).await?,
            Origin::Tars { run, build, how } => (run, build, how),
        };
        let dir = self.dir.clone();
        let kept = tokio::task::spawn_blocking(move || keep(&dir, &run, &build, made_how)).await;
        let set = kept.map_err(io::Error::other).flatten();
        let set = set.map_err(|source| self.folder(source))?;
        self.clear().await.map_err(|source| self.folder(source))?;
        Ok(set)
    }

    async fn make(
        &self,
        apt: &Path,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(PathBuf, PathBuf, String), StackError> {
        if !Path::new(KEYRING).is_file() {
            return Err(StackError::NoKeyring { path: KEYRING });
        }
        let list = self.dir.join(".unfinished-sources.list");
        let (epoch, from) = match mirror(apt) {
            Some(mirror) => (Some(self.write_sources(&mirror, &list).await?), shown(&mirror.main)),
            None => (None, "Debian's own mirrors".to_owned()),
        };
        progress(Progress::Making { from: from.clone() });
        let temp = self.dir.join(".unfinished-temp");
        fs::create_dir_all(&temp).map_err(|source| self.folder(source))?;
        let source = epoch.map(|epoch| Source { list: &list, epoch });
        let kitchen = Kitchen { source, apt: &host_options().await, temp: &temp };
        let one = async |flavour: Flavour| {
            let tar = self.dir.join(format!(".unfinished-{flavour}.tar"));
            let start = Instant::now();
            kitchen.make(flavour, &tar, progress).await?;
            let size = fs::metadata(&tar).map_err(|source| self.folder(source))?.len();
            progress(Progress::Made { flavour, size, took: start.elapsed() });
            Ok(tar)
        };
        // Both run to their end even if one fails, so that nothing is left running.
        let (run, build) = tokio::join!(one(Flavour::Run), one(Flavour::Build));
        Ok((run?, build?, format!("made on this host by mmdebstrap from {from}")))
    }

    /// Asks the mirror what it has and writes the source list; tells the images' time stamp.
    async fn write_sources(&self, mirror: &Mirror, list: &Path) -> Result<i64, StackError> {
        let asked = mirror.clone();
        let found = tokio::task::spawn_blocking(move || Releases::find(&Web::new(), &asked));
        let found = found.await.map_err(|lost| StackError::Start(io::Error::other(lost)))?;
        let releases = found.map_err(|error| unusable(&mirror.main, &error))?;
        let text = releases.sources(KEYRING);
        fs::write(list, text).map_err(|source| self.folder(source))?;
        Ok(releases.epoch)
    }

    /// Removes what a try left; never across a mount, in case one is left too.
    async fn clear(&self) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(".unfinished-") {
                let mut remove = tokio::process::Command::new("rm");
                remove.args(["-rf", "--one-file-system", "--"]).arg(&path).status().await?;
            }
        }
        Ok(())
    }

    fn folder(&self, source: io::Error) -> StackError {
        StackError::Folder { path: self.dir.clone(), source }
    }
}

/// Whether this host has what [`Origin::Host`] takes. Quick; a mirror that does not answer shows
/// only when it is tried.
pub fn host_can_make() -> bool {
    Path::new(MMDEBSTRAP).is_file() && Path::new(KEYRING).is_file()
}

/// Hashes both tars, gives them their names, and writes the manifest.
fn keep(dir: &Path, run: &Path, build: &Path, made_how: String) -> io::Result<StackSet> {
    let recipe = recipe::hash();
    let set = std::thread::scope(|scope| {
        let run = scope.spawn(|| keep_one(dir, Flavour::Run, run, &recipe));
        let build = keep_one(dir, Flavour::Build, build, &recipe)?;
        let run = run.join().map_err(|_| io::Error::other("hashing was cut"))??;
        let (distro_name, distro_version) = (DISTRO_NAME, DISTRO_VERSION);
        Ok::<_, io::Error>(StackSet { run, build, distro_name, distro_version, made_how })
    })?;
    Manifest::new(&recipe, &set).save(dir)?;
    let kept = [&set.run.tar, &set.build.tar, &dir.join(manifest::FILE)];
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if !kept.contains(&&path) && path.is_file() {
            fs::remove_file(path)?;
        }
    }
    Ok(set)
}

fn keep_one(dir: &Path, flavour: Flavour, tar: &Path, recipe: &str) -> io::Result<Rootfs> {
    let rootfs = Rootfs::read(tar)?;
    File::open(tar)?.sync_all()?;
    let short = recipe.get(..12).unwrap_or(recipe);
    let place = dir.join(format!("{flavour}-{short}.tar"));
    take(tar, &place)?;
    Ok(Rootfs { tar: place, ..rootfs })
}

/// Moves a file, from another file system too.
fn take(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()?;
            fs::remove_file(from)
        }
        other => other,
    }
}

fn unusable(mirror: &str, error: &WebError) -> StackError {
    StackError::Mirror { mirror: shown(mirror), because: error.to_string() }
}

/// Where Debian's package puts it, and Ubuntu's.
const MMDEBSTRAP: &str = "/usr/bin/mmdebstrap";
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

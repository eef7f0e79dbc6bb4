//! Handing secrets to instances: files in this machine's memory, never on its disk.
//!
//! Each instance that has secrets or files gets a folder below `/run/paas/INSTALLATION` (or `/dev/shm`, where `/run`
//! is no tmpfs), which only the daemon's user can reach, mounted read-only into its container. A program
//! that is mounted beside it reads the file and becomes what the instance runs; once that is sure to have
//! happened the file is taken away. What the instance is to find as files is mounted one by one, and stays.
//! Invariant: what is not in memory is not written to, so without a tmpfs such an instance is not started.

use std::{
    fs, io,
    io::Write,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    engine::{Handed, InstanceSpec, place},
    model::{Instance, InstanceState, OpenSecrets, SecretValue, Timestamp},
};

use super::past::Past;

/// Where secrets are handed over.
#[derive(Debug, Clone)]
pub struct Handout {
    /// Who gives, in the memory of the machine.
    giver: String,
    /// Where the program is kept.
    programs: PathBuf,
    program: &'static [u8],
    places: [PathBuf; 2],
    past: Past,
}

/// What an instance was handed, and where.
#[derive(Debug)]
pub(super) struct Given {
    folder: PathBuf,
    secrets: OpenSecrets,
    /// In the order of the files' numbers.
    files: Vec<SecretValue>,
}

/// Why an instance cannot be handed its secrets.
#[derive(Debug, thiserror::Error)]
pub enum HandoutError {
    /// There is nowhere to put them.
    #[error("secrets are kept in memory only, and neither /run nor /dev/shm is a tmpfs")]
    NoMemory,
    /// Somebody else has the folder.
    #[error("{} is not a folder of this user's alone", .0.display())]
    Foreign(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// How far an instance is, as far as its secrets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// It may read them yet.
    Waits,
    /// It runs since then.
    RunsSince(Timestamp),
    /// It has ended.
    Ended,
}

impl Reader {
    /// How far whoever is at that place of this machine is; `None` if it is none of these.
    pub fn of(instances: &[Instance], wanted: &str) -> Option<Self> {
        // One elsewhere may be in the place of one that is being started here.
        let here = |one: &&Instance| one.node.is_none();
        let of =
            |one: &&Instance| place(&one.app, &one.slot, one.incarnation, one.attempt) == wanted;
        instances.iter().filter(here).find(of).map(|instance| match instance.state {
            InstanceState::Created => Self::Waits,
            InstanceState::Running { since } => Self::RunsSince(since),
            InstanceState::Exited(_) => Self::Ended,
        })
    }

    fn has_read(self, now: Timestamp) -> bool {
        match self {
            Self::Waits => false,
            Self::RunsSince(since) => now.since(since) >= READS,
            Self::Ended => true,
        }
    }
}

impl Handout {
    /// For one installation, whose data folder keeps the program.
    pub fn new(installation: &str, data: &Path, program: &'static [u8]) -> Self {
        Self {
            giver: installation.to_owned(),
            programs: data.join("enter"),
            program,
            places: ["/run", "/dev/shm"].map(PathBuf::from),
            past: Past::default(),
        }
    }

    /// The same, and what is given is remembered there.
    #[must_use]
    pub fn remembered_by(self, past: &Past) -> Self {
        Self { past: past.clone(), ..self }
    }

    /// The same of a node. Several may be on one machine, each with a Docker of its own, as in a demo: what is for
    /// an instance of one is nothing that another takes away.
    pub fn of_node(installation: &str, data: &Path, program: &'static [u8]) -> Self {
        use sha2::{Digest, Sha256};
        let own = hex::encode(Sha256::digest(data.as_os_str().as_bytes()));
        let own = own.get(..8).unwrap_or(&own);
        Self::new(&format!("{installation}-{own}"), data, program)
    }

    /// Writes what the instance is to find, if there is anything. Doing it again is doing it once.
    pub fn give(
        &self,
        spec: &InstanceSpec,
        secrets: &OpenSecrets,
    ) -> Result<Option<Handed>, HandoutError> {
        let contents = spec.contents(secrets);
        if secrets.is_empty() && contents.is_empty() {
            return Ok(None);
        }
        let program = self.program()?;
        let base = self.places.iter().find(|place| is_memory(place));
        let base = base.ok_or(HandoutError::NoMemory)?.join("paas");
        private(&base)?;
        let own = base.join(&self.giver);
        private(&own)?;
        let folder = own.join(spec.place());
        let (paths, files): (Vec<_>, Vec<_>) =
            contents.into_iter().map(|(path, text)| (path, SecretValue::new(text.into()))).unzip();
        let given = Given { folder: folder.clone(), secrets: secrets.clone(), files };
        given.write()?;
        self.past.gave(spec.place(), given);
        let files = (0..).zip(paths);
        let files = files.map(|(number, path)| (numbered(&folder, number), path.clone())).collect();
        Ok(Some(Handed { folder, program, files }))
    }

    /// Takes away what these instances have read, and what is for none of them.
    pub fn tidy_after(&self, instances: &[Instance], now: Timestamp, clock: SystemTime) {
        self.tidy(|place| Reader::of(instances, place), now, clock);
        self.past.tidy(instances, now);
    }

    /// Takes away what has been read, or never will be. `reader` answers for the instance at a place;
    /// `None` is one that is not there, which may be about to be made.
    pub fn tidy(&self, reader: impl Fn(&str) -> Option<Reader>, now: Timestamp, clock: SystemTime) {
        for base in &self.places {
            let own = base.join("paas").join(&self.giver);
            for entry in fs::read_dir(own).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let (path, place) = (entry.path(), name.to_str().unwrap_or_default());
                match reader(place) {
                    Some(reader) if reader.has_read(now) => take_away(&path),
                    Some(_) => {}
                    None => {
                        let made = entry.metadata().and_then(|found| found.modified());
                        let age = made.ok().and_then(|at| clock.duration_since(at).ok());
                        if age.is_some_and(|age| age >= STARTS) {
                            fs::remove_dir_all(&path).ok();
                        }
                    }
                }
            }
        }
    }

    /// The program, in a file that is named by what it is. One of an older version goes; containers that
    /// run with it keep theirs.
    fn program(&self) -> Result<PathBuf, HandoutError> {
        use sha2::{Digest, Sha256};
        let digest = hex::encode(Sha256::digest(self.program));
        let path = self.programs.join(digest.get(..16).unwrap_or(&digest));
        if path.exists() {
            return Ok(path);
        }
        let write = || {
            fs::create_dir_all(&self.programs)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.programs)?;
            file.write_all(self.program)?;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o755))?;
            // Its name says what is in it, also after a power cut.
            file.as_file().sync_all()?;
            file.persist(&path)?;
            for other in fs::read_dir(&self.programs)? {
                let other = other?.path();
                if other != path {
                    fs::remove_file(other)?;
                }
            }
            Ok(())
        };
        match write() {
            // Somebody else was as far, and one of the two has cleared away what the other had.
            Err(_) if path.exists() => {}
            written => {
                written.map_err(|source| HandoutError::Write { path: path.clone(), source })?;
            }
        }
        Ok(path)
    }
}

impl Given {
    /// Writes it, once or again.
    pub(super) fn write(&self) -> Result<(), HandoutError> {
        readable_folder(&self.folder)?;
        let lines = self.secrets.iter().flat_map(|(name, value)| {
            [name.as_str().as_bytes(), b"=", value.expose().as_bytes(), b"\0"]
        });
        readable_file(&self.folder.join(Handed::FILE), lines)?;
        for (number, text) in (0..).zip(&self.files) {
            let text = [text.expose().as_bytes()].into_iter();
            readable_file(&numbered(&self.folder, number), text)?;
        }
        Ok(())
    }

    /// Takes away what has been read, or never will be.
    pub(super) fn tidy(&self, reader: Reader, now: Timestamp) {
        if reader.has_read(now) {
            take_away(&self.folder);
        }
    }
}

fn numbered(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("file.{number}"))
}

/// The folder stays: it is mounted. What cannot be removed is tried again.
fn take_away(folder: &Path) {
    fs::remove_file(folder.join(Handed::FILE)).ok();
}

/// A folder that whatever user the image has can read; those above it keep all others out.
fn readable_folder(path: &Path) -> Result<(), HandoutError> {
    let make = || {
        match fs::DirBuilder::new().mode(0o755).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
    };
    make().map_err(|source| HandoutError::Write { path: path.to_owned(), source })
}

/// A file in such a folder, made anew.
fn readable_file<'a>(
    path: &Path,
    parts: impl Iterator<Item = &'a [u8]>,
) -> Result<(), HandoutError> {
    let write = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o444).open(path)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.set_permissions(fs::Permissions::from_mode(0o444))
    };
    write().map_err(|source| HandoutError::Write { path: path.to_owned(), source })
}

/// Whether a folder is in memory.
fn is_memory(path: &Path) -> bool {
    const TMPFS: rustix::fs::FsWord = 0x0102_1994;
    const RAMFS: rustix::fs::FsWord = 0x8584_58f6;
    rustix::fs::statfs(path).is_ok_and(|found| matches!(found.f_type, TMPFS | RAMFS))
}

/// A folder that nobody but us can enter. `/dev/shm` is everybody's: one who was faster is not trusted.
fn private(path: &Path) -> Result<(), HandoutError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(HandoutError::Write { path: path.to_owned(), source: error });
        }
        _ => {}
    }
    let own = rustix::process::geteuid().as_raw();
    let ours = fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_dir() && found.uid() == own && found.mode() & 0o777 == 0o700);
    if ours { Ok(()) } else { Err(HandoutError::Foreign(path.to_owned())) }
}

/// After so long a run the file has been read: that is the first thing an instance does.
const READS: Duration = Duration::from_secs(10);
/// What was written for an instance that is not there after so long is for nobody.
const STARTS: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ContainerId, SecretValue};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_in_memory_until_it_has_been_read() {
        let data = tempfile::tempdir().unwrap();
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let places = [data.path().to_owned(), memory.path().to_owned()];
        let handout = Handout { places, ..Handout::new("k3f9", data.path(), b"the program") };
        let value = SecretValue::new("a=b\nc".to_owned());
        let values = [("TOKEN".parse().unwrap(), value)].into();
        let spec = InstanceSpec {
            environment: [("MOTD".parse().unwrap(), "hello".to_owned())].into(),
            files: [("/etc/motd", "MOTD"), ("/etc/token", "TOKEN"), ("/etc/none", "NONE")]
                .map(|(path, name)| (path.parse().unwrap(), name.parse().unwrap()))
                .into(),
            ..crate::engine::docker::example()
        };
        let handed = handout.give(&spec, &values).unwrap().unwrap();
        assert_eq!(handout.give(&spec, &values).unwrap().as_ref(), Some(&handed));
        let files: Vec<_> = handed
            .files
            .iter()
            .map(|(file, path)| (path.as_str(), fs::read_to_string(file).unwrap(), mode(file)))
            .collect();
        let (motd, token) = ("hello".to_owned(), "a=b\nc".to_owned());
        assert_eq!(files, [("/etc/motd", motd, 0o444), ("/etc/token", token, 0o444)]);
        assert!(handed.folder.starts_with(memory.path()), "the first place is a disk");
        let file = handed.folder.join(Handed::FILE);
        assert_eq!(fs::read(&file).unwrap(), b"TOKEN=a=b\nc\0");
        assert_eq!(fs::read(&handed.program).unwrap(), b"the program");
        assert_eq!(mode(&handed.program), 0o755);
        assert_eq!((mode(&file), mode(&handed.folder)), (0o444, 0o755));
        assert_eq!(mode(&memory.path().join("paas")), 0o700);

        let made = fs::metadata(&handed.folder).unwrap().modified().unwrap();
        let (now, clock) = (Timestamp::from_millis(1_000_000), made);
        let since = |seconds: i64| Timestamp::from_millis(1_000_000 - seconds * 1000);
        for reader in [None, Some(Reader::Waits), Some(Reader::RunsSince(since(9)))] {
            handout.tidy(|_| reader, now, clock);
            assert!(file.exists(), "{reader:?}");
        }
        handout.tidy(|_| Some(Reader::RunsSince(since(10))), now, clock);
        assert!(!file.exists() && handed.files.iter().all(|(file, _)| file.exists()));
        handout.give(&spec, &values).unwrap();
        handout.tidy(|_| Some(Reader::Ended), now, clock);
        assert!(!file.exists());
        handout.tidy(|_| None, now, clock + STARTS * 2);
        assert!(!handed.folder.exists());
    }

    #[test]
    fn who_took_the_place_of_one_on_a_lost_machine_finds_its_secrets() {
        let (data, memory) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
        let places = [data.path().to_owned(), memory.path().to_owned()];
        let handout = Handout { places, ..Handout::new("k3f9", data.path(), b"") };
        let values = [("A".parse().unwrap(), SecretValue::new("b".to_owned()))].into();
        let spec = crate::engine::docker::example();
        let file = handout.give(&spec, &values).unwrap().unwrap().folder.join(Handed::FILE);
        let now = Timestamp::from_millis(1_000_000);
        let long = |node: Option<&str>| Instance {
            id: ContainerId("lost".to_owned()),
            app: spec.app.clone(),
            slot: spec.slot.clone(),
            incarnation: spec.incarnation,
            attempt: spec.attempt,
            image: spec.image.clone(),
            node: node.map(|name| name.parse().unwrap()),
            address: None,
            door: None,
            pid: None,
            state: InstanceState::Running { since: Timestamp::from_millis(0) },
        };
        handout.tidy_after(&[long(Some("edge-1"))], now, SystemTime::UNIX_EPOCH);
        assert!(file.exists());
        handout.tidy_after(&[long(None)], now, SystemTime::UNIX_EPOCH);
        assert!(!file.exists());
    }

    #[test]
    fn what_was_read_is_handed_again_by_whoever_remembers() {
        let data = tempfile::tempdir().unwrap();
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let (places, past) = ([(); 2].map(|()| memory.path().to_owned()), Past::default());
        let handout = Handout { places, ..Handout::new("k3f9", data.path(), b"") };
        let handout = handout.remembered_by(&past);
        let values = [("A".parse().unwrap(), SecretValue::new("b".to_owned()))].into();
        let spec = crate::engine::docker::example();
        let file = handout.give(&spec, &values).unwrap().unwrap().folder.join(Handed::FILE);
        fs::remove_file(&file).unwrap();
        past.give_again(&spec.place()).unwrap().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"A=b\0");
        assert!(Past::default().give_again(&spec.place()).is_none());
    }

    #[test]
    fn a_folder_that_others_may_enter_is_not_used() {
        let data = tempfile::tempdir().unwrap();
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let places = [memory.path().to_owned(), memory.path().to_owned()];
        let handout = Handout { places, ..Handout::new("k3f9", data.path(), b"") };
        let open = memory.path().join("paas");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let spec = crate::engine::docker::example();
        assert_eq!(handout.give(&spec, &OpenSecrets::new()).unwrap(), None, "there is nothing");
        let values = [("A".parse().unwrap(), SecretValue::new("b".to_owned()))].into();
        let refused = handout.give(&spec, &values).unwrap_err();
        assert!(matches!(refused, HandoutError::Foreign(path) if path == open));
        let places = [data.path().to_owned(), "/nowhere".into()];
        let nowhere = Handout { places, ..handout };
        let refused = nowhere.give(&spec, &values);
        assert!(is_memory(data.path()) || matches!(refused, Err(HandoutError::NoMemory)));
    }
}

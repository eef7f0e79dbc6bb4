//! What a machine is given by whoever leads so that it can keep the records, too, and lead one day: the keys, which
//! installation it is, and the settings that are the installation's. The records themselves come by the quorum.

use std::{collections::BTreeMap, fs, io, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    daemon::{folders::Folders, init::write_secret},
    model::NodeName,
};

/// What a node is told by whoever leads. Neighbouring versions tell it each other: fields are only added.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Charge {
    /// To keep the records from now on.
    Keep(Estate),
    /// To keep them no more.
    Resign,
}

/// What it is given.
#[derive(Serialize, Deserialize)]
pub(super) struct Estate {
    /// Who leads.
    pub(super) leader: NodeName,
    /// What labels the installation's things in Docker.
    installation: String,
    /// The files of the folder of keys, by name.
    keys: BTreeMap<String, Zeroizing<String>>,
    /// The installation's settings, as TOML.
    settings: String,
}

impl Estate {
    /// That of this machine, whose sealing key may be in another place. Blocks on the disk.
    pub(super) fn of(
        folders: &Folders,
        leader: NodeName,
        settings: String,
        sealing: Option<&Path>,
    ) -> io::Result<Self> {
        let mut keys = BTreeMap::new();
        for file in fs::read_dir(folders.keys())? {
            let file = file?;
            if file.file_type()?.is_file() {
                let name = file.file_name().to_string_lossy().into_owned();
                keys.insert(name, text(&file.path())?);
            }
        }
        if let Some(credential) = sealing.filter(|path| path.exists()) {
            keys.insert(SEALING.to_owned(), text(credential)?);
        }
        let installation = fs::read_to_string(folders.identity())?;
        Ok(Self { leader, installation, keys, settings })
    }

    /// Puts it where this machine's own would be. Blocks on the disk.
    pub(super) fn settle(&self, folders: &Folders) -> io::Result<()> {
        folders.make()?;
        for (name, contents) in &self.keys {
            if Path::new(name).components().count() != 1 || name == ".." {
                return Err(io::Error::other(format!("`{name}` is no name of a key")));
            }
            let contents = STANDARD_NO_PAD.decode(contents.as_bytes()).map_err(io::Error::other)?;
            write_secret(&folders.keys().join(name), &Zeroizing::new(contents))?;
        }
        write_secret(&folders.identity(), self.installation.as_bytes())?;
        write_secret(&folders.installation(), self.settings.as_bytes())
    }
}

fn text(path: &Path) -> io::Result<Zeroizing<String>> {
    let contents = Zeroizing::new(fs::read(path)?);
    Ok(Zeroizing::new(STANDARD_NO_PAD.encode(&*contents)))
}

const SEALING: &str = "sealing.key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_there_as_it_was_and_nothing_is_put_elsewhere() {
        let (giver, taker) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (Folders::of(giver.path()), Folders::of(taker.path()));
        from.make().unwrap();
        fs::write(from.keys().join("edge.key"), [0, 255, 7]).unwrap();
        fs::write(from.keys().join("sealing.key"), "of a file").unwrap();
        fs::write(from.identity(), "0011aabb").unwrap();
        let credential = giver.path().join("credential");
        fs::write(&credential, "of systemd").unwrap();
        let leader: NodeName = "box".parse().unwrap();
        let settings = "domain = \"example.com\"\n".to_owned();
        let estate = Estate::of(&from, leader, settings, Some(&credential)).unwrap();

        let told = serde_json::to_vec(&Charge::Keep(estate)).unwrap();
        let Charge::Keep(estate) = serde_json::from_slice(&told).unwrap() else { panic!() };
        estate.settle(&to).unwrap();
        assert_eq!(fs::read(to.keys().join("edge.key")).unwrap(), [0, 255, 7]);
        assert_eq!(fs::read_to_string(to.keys().join("sealing.key")).unwrap(), "of systemd");
        assert_eq!(fs::read_to_string(to.identity()).unwrap(), "0011aabb");
        assert!(fs::read_to_string(to.installation()).unwrap().contains("example.com"));

        for name in ["../outside", "..", "a/b", "/etc/passwd"] {
            let keys = [(name.to_owned(), Zeroizing::new(String::new()))].into();
            let estate = Estate { keys, ..serde_json::from_slice(EMPTY).unwrap() };
            assert!(estate.settle(&to).is_err(), "{name}");
        }
    }

    const EMPTY: &[u8] = br#"{"leader":"box","installation":"","keys":{},"settings":""}"#;
}

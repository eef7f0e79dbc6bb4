//! What is remembered of a variant: its key, and `variant.json` beside the layer.
//!
//! The key follows from everything that goes in, so a new base image or recipe is another variant.
//! Version 1 of the format; fields are only ever added.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use buildpacks::packages::Package;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::recipe;
use crate::build::{BaseImage, workspace::Known};

/// Which variant; also the name of its folder, and the end of its image's tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(String);

impl Key {
    /// Of a base image with these packages.
    pub(crate) fn of(base: &BaseImage, packages: &BTreeSet<Package>) -> Self {
        let mut hash = Sha256::new();
        let layers = base.layers.iter().map(|layer| layer.diff_id.as_str());
        let packages = packages.iter().map(Package::as_str);
        for text in layers.chain(["packages"]).chain(packages).chain(recipe::PARTS) {
            hash.update(text);
            hash.update([0]);
        }
        let mut key = hex::encode(hash.finalize());
        key.truncate(LENGTH);
        Self(key)
    }

    /// As a folder or a tag has it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The file beside the layer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    /// For people who look into the folder.
    base: String,
    packages: BTreeSet<Package>,
    layer: Known,
}

impl Record {
    pub(super) fn new(base: &BaseImage, packages: &BTreeSet<Package>, layer: Known) -> Self {
        let (base, packages) = (base.reference.clone(), packages.clone());
        Self { version: VERSION, base, packages, layer }
    }

    /// The layer of the variant in `folder`, if it is there and whole.
    pub(super) fn load(folder: &Path) -> Option<Known> {
        let text = fs::read(folder.join(FILE)).ok()?;
        let record: Self = serde_json::from_slice(&text).ok()?;
        let size = fs::metadata(folder.join(LAYER)).ok()?.len();
        (record.version == VERSION && record.layer.size == size).then_some(record.layer)
    }

    /// Writes it; the folder gets its final name afterwards.
    pub(super) fn save(&self, folder: &Path) -> io::Result<()> {
        let mut file = File::create(folder.join(FILE))?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    }
}

/// The layer's tar.
pub(super) const LAYER: &str = "layer.tar";
const FILE: &str = "variant.json";
const VERSION: u32 = 1;
/// Hex digits of a key: more than enough for the variants of one machine.
const LENGTH: usize = 20;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn key(diff_id: &str, packages: &[&str]) -> Key {
        let base = BaseImage {
            id: format!("sha256:{}", "1".repeat(64)).parse().unwrap(),
            reference: "paas/run:test".to_owned(),
            architecture: "amd64".to_owned(),
            user: "1000:1000".to_owned(),
            environment: BTreeMap::new(),
            labels: BTreeMap::new(),
            maker: crate::build::base::Maker::Ours,
            layers: vec![Known { diff_id: diff_id.to_owned(), size: 1 }],
            tars: Vec::new(),
            packages: BTreeSet::new(),
        };
        Key::of(&base, &packages.iter().map(|name| name.parse().unwrap()).collect())
    }

    #[test]
    fn another_base_or_other_packages_are_another_variant() {
        let one = key("sha256:a", &["jq", "figlet"]);
        assert_eq!(one, key("sha256:a", &["figlet", "jq", "jq"]), "in any order");
        assert_ne!(one, key("sha256:b", &["jq", "figlet"]), "the base was made anew");
        assert_ne!(one, key("sha256:a", &["jq"]));
        assert_ne!(one, key("sha256:a", &["jq=1.7", "figlet"]));
    }

    #[test]
    fn a_layer_that_was_cut_is_no_variant() {
        let folder = tempfile::tempdir().unwrap();
        let layer = Known { diff_id: "sha256:a".to_owned(), size: 3 };
        let (base, packages) = ("paas/run:test".to_owned(), BTreeSet::new());
        let record = Record { version: VERSION, base, packages, layer: layer.clone() };
        record.save(folder.path()).unwrap();
        assert_eq!(Record::load(folder.path()), None);
        fs::write(folder.path().join(LAYER), "abc").unwrap();
        assert_eq!(Record::load(folder.path()), Some(layer));
        fs::write(folder.path().join(LAYER), "ab").unwrap();
        assert_eq!(Record::load(folder.path()), None);
    }
}

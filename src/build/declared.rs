//! The files of a source tree that say something of its app, read under limits.
//!
//! The tree is a stranger's: no link is followed, and no file is read beyond its limit. What they say
//! is found out in [`Declaration`].

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::Path,
};

use super::{error::BuildError, folder::Folder, pages};
use crate::model::{
    AppName, Manifest,
    manifest::{self, Declaration},
};

/// Of a source tree that is deployed as that app.
pub(super) fn read(source: &Path, app: &AppName) -> Result<Declaration, BuildError> {
    let folder = Folder::open(source).map_err(BuildError::prepare)?;
    let mut texts = BTreeMap::new();
    for name in folder.names().map_err(BuildError::prepare)? {
        let Some(name) = name.to_str().filter(|name| Declaration::reads(name)) else { continue };
        match text(&folder, name) {
            Ok(text) => {
                texts.insert(name.to_owned(), text);
            }
            // Of the others it is said by whoever needs them, if anybody does.
            Err(source) if name.starts_with("paas.") => {
                return Err(BuildError::ManifestFile { file: name.to_owned(), source });
            }
            Err(_) => {}
        }
    }
    let mut declaration = Declaration::read(&texts, app)?;
    match text(&folder, TAKEOVER) {
        Ok(text) => {
            let told = Manifest::parse(&text).map_err(|error| BuildError::Told(error.fault))?;
            let manifest = &mut declaration.manifest;
            manifest.deploy.strategy = told.deploy.strategy.or(manifest.deploy.strategy);
            // What is said of this one deploy is said of all of it.
            manifest.processes.values_mut().for_each(|process| process.strategy = None);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(BuildError::prepare(error)),
    }
    pages::read(&folder, &mut declaration.manifest)?;
    Ok(declaration)
}

fn text(folder: &Folder, name: &str) -> io::Result<String> {
    let (file, _) = folder.file(name.as_ref())?;
    let mut text = String::new();
    let count = file.take(manifest::MAX_FILE + 1).read_to_string(&mut text)?;
    let fits = count as u64 <= manifest::MAX_FILE;
    if fits { Ok(text) } else { Err(io::ErrorKind::FileTooLarge.into()) }
}

/// Where an upload says what the command line said of `[deploy]`.
const TAKEOVER: &str = ".paas/deploy.toml";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_said_of_one_deploy_counts_before_what_is_written() {
        let home = tempfile::tempdir().unwrap();
        let said = "[deploy]\nstrategy = \"rolling\"\n[process.web]\nstrategy = \"recreate\"";
        fs::write(home.path().join("paas.toml"), said).unwrap();
        let strategies = || {
            let declared = read(home.path(), &"hello".parse().unwrap()).unwrap();
            let takeover = declared.manifest.deploy_settings().takeover;
            ["web", "other"].map(|name| takeover.strategy_of(&name.parse().unwrap()).word())
        };
        assert_eq!(strategies(), ["recreate", "rolling"]);
        fs::create_dir(home.path().join(".paas")).unwrap();
        let told = "[deploy]\nstrategy = \"blue-green\"";
        fs::write(home.path().join(TAKEOVER), told).unwrap();
        assert_eq!(strategies(), ["blue-green", "blue-green"]);
    }
}

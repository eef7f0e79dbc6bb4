//! What apt in a build container is lent of this machine: where Debian is, and how to get there.
//!
//! The build image names no mirror, so that nothing of this machine is in it. Buildpacks that fetch
//! packages for themselves, as the app's user and into folders of their own, find it mounted. It is
//! asked for once per daemon; should the mirror not answer, what an earlier one was told counts.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::timeout;

use super::Variants;
use crate::build::stack::{self, KEPT_SOURCES};

/// Files of this machine, and where apt looks for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lent(Vec<(PathBuf, &'static str)>);

impl Lent {
    /// `(file here, path there)`.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Path, &'static str)> {
        self.0.iter().map(|(file, path)| (file.as_path(), *path))
    }
}

impl Variants {
    /// What build containers are lent, if anything is known.
    pub(crate) async fn lent(&self) -> Option<Lent> {
        let asked = self.0.lent.get_or_try_init(|| async {
            let apt = self.0.apt.clone();
            let sources = tokio::task::spawn_blocking(move || stack::container_sources(&apt));
            let sources = timeout(PATIENCE, sources).await.map_err(drop)?.map_err(drop)?;
            let (list, _) = sources.map_err(|(mirror, error)| {
                tracing::warn!(mirror, %error, "apt in builds is lent no new list");
            })?;
            let options = stack::host_options().await;
            self.write_lent(list.as_deref(), &options).map_err(|error| {
                tracing::warn!(%error, "what apt in builds is lent cannot be written");
            })
        });
        match asked.await {
            Ok(lent) => Some(lent.clone()),
            Err(()) => self.kept(),
        }
    }

    fn write_lent(&self, list: Option<&str>, options: &[String]) -> io::Result<Lent> {
        let folder = self.0.folder.join(FOLDER);
        fs::create_dir_all(&folder)?;
        // Half of what a mirror lists are translations, which no build reads.
        let own = ["Acquire::Languages \"none\""].into_iter();
        let options = own.chain(options.iter().map(String::as_str));
        let mut text: String = options.flat_map(|option| [option, ";\n"]).collect();
        let mut files = Vec::new();
        if let Some(list) = list {
            replace(&folder.join(LIST), list)?;
            files.push((folder.join(LIST), LIST_PATH));
            // Scripts copy what is in that folder, and stop if there is nothing.
            replace(&folder.join(PART), "# What there is stands in /etc/apt/sources.list.\n")?;
            files.push((folder.join(PART), PART_PATH));
        } else {
            // A base image out of a registry has kept that one's sources.
            text.extend(["Dir::Etc::sourcelist \"", KEPT_SOURCES, "/sources.list\";\n"]);
            text.extend(["Dir::Etc::sourceparts \"", KEPT_SOURCES, "/sources.list.d\";\n"]);
        }
        replace(&folder.join(OPTIONS), &text)?;
        files.push((folder.join(OPTIONS), OPTIONS_PATH));
        Ok(Lent(files))
    }

    /// What an earlier daemon wrote.
    fn kept(&self) -> Option<Lent> {
        let folder = self.0.folder.join(FOLDER);
        let all = [(LIST, LIST_PATH), (PART, PART_PATH), (OPTIONS, OPTIONS_PATH)];
        let files = all.map(|(name, path)| (folder.join(name), path));
        let there: Vec<_> = files.into_iter().filter(|(file, _)| file.is_file()).collect();
        (!there.is_empty()).then_some(Lent(there))
    }
}

/// A file that says the same already stays as it is: containers that wait have it mounted.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let fresh = file.with_extension("new");
    fs::write(&fresh, text)?;
    fs::rename(fresh, file)
}

/// Beside the variants; no key begins with a dot.
const FOLDER: &str = ".lent";
const LIST: &str = "sources.list";
const PART: &str = "part.list";
const OPTIONS: &str = "apt.conf";
const LIST_PATH: &str = "/etc/apt/sources.list";
const PART_PATH: &str = "/etc/apt/sources.list.d/paas.list";
const OPTIONS_PATH: &str = "/etc/apt/apt.conf.d/99paas";
/// A build does not wait longer for a mirror that it may not need.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn shown(lent: &Lent) -> Vec<String> {
        let show = |(file, path)| format!("{path}: {}", fs::read_to_string(file).unwrap());
        lent.files().map(show).collect()
    }

    #[test]
    fn what_is_lent_stays_as_it_is_until_it_says_something_else() {
        let home = tempfile::tempdir().unwrap();
        let variants = Variants::at(home.path(), "/etc/apt".as_ref(), "test");
        assert_eq!(variants.kept(), None);
        let options = ["Acquire::http::Proxy \"http://p.test\"".to_owned()];
        let lent = variants.write_lent(Some("deb x\n"), &options).unwrap();
        assert_eq!(
            shown(&lent),
            [
                "/etc/apt/sources.list: deb x\n",
                "/etc/apt/sources.list.d/paas.list: # What there is stands in /etc/apt/sources.list.\n",
                "/etc/apt/apt.conf.d/99paas: Acquire::Languages \"none\";\n\
                 Acquire::http::Proxy \"http://p.test\";\n"
            ]
        );
        assert_eq!(variants.kept(), Some(lent.clone()));
        let inode = |lent: &Lent| fs::metadata(lent.files().next().unwrap().0).unwrap().ino();
        let before = inode(&lent);
        assert_eq!(inode(&variants.write_lent(Some("deb x\n"), &options).unwrap()), before);
        assert_ne!(inode(&variants.write_lent(Some("deb y\n"), &[]).unwrap()), before);
    }

    #[test]
    fn a_machine_without_debian_uses_the_sources_of_its_base_image() {
        let home = tempfile::tempdir().unwrap();
        let variants = Variants::at(home.path(), "/nowhere".as_ref(), "test");
        let lent = variants.write_lent(None, &[]).unwrap();
        let said = shown(&lent).concat();
        assert!(said.contains("sourceparts \"/usr/share/paas/apt/sources.list.d\";"), "{said}");
    }
}

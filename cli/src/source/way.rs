//! How an app's image is to come about, if it is said on the command line: it goes with the upload, in
//! the words of `paas.toml`, and counts before what stands there.

use std::{fs, io, path::PathBuf};

use clap::Args;
use tempfile::NamedTempFile;

use super::{brought::add, list::Source};
use crate::failure::Failure;

/// How the image is to come about; without any of it the server finds out.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub(crate) struct Way {
    /// Run this image, from the server's Docker or a registry, instead of building the folder
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Build with this Dockerfile, a path in the folder
    #[arg(long, value_name = "PATH")]
    dockerfile: Option<String>,
    /// Build with the buildpacks of this builder image, from the server's Docker or a registry;
    /// `buildpacks` are the server's own, whatever else is in the folder
    #[arg(long, value_name = "IMAGE|buildpacks")]
    builder: Option<String>,
}

impl Way {
    /// Whether anything is said.
    pub(crate) fn is_given(&self) -> bool {
        self.text().is_some()
    }

    /// Whether a builder is said that brings buildpacks of its own.
    pub(crate) fn brings_builder(&self) -> bool {
        self.builder.as_deref().is_some_and(|builder| builder != "buildpacks")
    }

    fn text(&self) -> Option<String> {
        let keys =
            [("image", &self.image), ("dockerfile", &self.dockerfile), ("builder", &self.builder)];
        let (key, value) =
            keys.into_iter().find_map(|(key, value)| Some((key, value.as_ref()?)))?;
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        Some(format!("[build]\n{key} = \"{value}\"\n"))
    }
}

/// Adds to `source` what is said. The file must outlive the upload.
pub(crate) fn tell(source: &mut Source, way: &Way) -> Result<Option<NamedTempFile>, Failure> {
    way.text().map(|text| put(source, &text, PLACE)).transpose()
}

/// Adds to `source` how the release is to take over. The file must outlive the upload.
pub(crate) fn tell_strategy(
    source: &mut Source,
    strategy: Option<&str>,
) -> Result<Option<NamedTempFile>, Failure> {
    let text = strategy.map(|strategy| format!("[deploy]\nstrategy = \"{strategy}\"\n"));
    text.map(|text| put(source, &text, TAKEOVER)).transpose()
}

fn put(source: &mut Source, text: &str, place: &str) -> Result<NamedTempFile, Failure> {
    let local = |error: io::Error| Failure::local("the upload cannot be prepared").because(error);
    let file = NamedTempFile::new().map_err(local)?;
    fs::write(file.path(), text).map_err(local)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(file.path(), mode).map_err(local)?;
    add(source, file.path(), PathBuf::from(place)).map_err(local)?;
    Ok(file)
}

/// Where the server looks for it. A folder `.paas` of the app itself is never uploaded.
const PLACE: &str = ".paas/build.toml";
/// The same for how its release takes over.
const TAKEOVER: &str = ".paas/deploy.toml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_goes_with_the_upload() {
        let mut source = Source::default();
        let way = Way { image: Some("a\"b\\:1".to_owned()), ..Way::default() };
        let file = tell(&mut source, &way).unwrap().unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "[build]\nimage = \"a\\\"b\\\\:1\"\n");
        assert_eq!(source.entries[0].path, PathBuf::from(PLACE));
        assert!(tell(&mut source, &Way::default()).unwrap().is_none());
        assert!(way.is_given() && !Way::default().is_given());
        let file = tell_strategy(&mut source, Some("recreate")).unwrap().unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "[deploy]\nstrategy = \"recreate\"\n");
        assert_eq!(source.entries[1].path, PathBuf::from(TAKEOVER));
    }
}

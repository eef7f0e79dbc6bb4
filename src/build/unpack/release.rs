//! An archive as hosts of code make them: where all of it lies in one folder, which is named after a version
//! and of no interest, that folder is the tree.

use std::{
    fs::File,
    io::{self, Seek},
    path::Path,
};

use super::{
    Excess, Source, UnpackError, UnpackLimits,
    inflow::Inflow,
    members::{Kind, Members},
    unpack, unpack_layers,
};

/// Unpacks a tar archive, plain or gzip, into the new folder `into`: what is in its only folder, or else
/// all of it.
pub fn unpack_release(
    mut file: &File,
    into: &Path,
    limits: &UnpackLimits,
) -> Result<Source, UnpackError> {
    let broken = |error: io::Error| UnpackError::read(error, 0);
    let folder = only_folder(file, limits)?;
    file.rewind().map_err(broken)?;
    match folder {
        Some(folder) => unpack_layers([file], &folder, into, limits),
        None => unpack(file, into, limits),
    }
}

/// The folder that all entries are in, with a slash behind it.
fn only_folder(file: &File, limits: &UnpackLimits) -> Result<Option<Vec<u8>>, UnpackError> {
    let inflow = Inflow::open(file, limits).map_err(|error| UnpackError::read(error, 0))?;
    let mut members = Members::new(inflow, limits);
    let mut only: Option<Vec<u8>> = None;
    while let Some(member) = members.next()? {
        if members.entries > limits.entries {
            return Err(Excess::Entries(limits.entries).into());
        }
        let path = member.path.strip_prefix(b"./").unwrap_or(&member.path);
        let first = match path.iter().position(|byte| *byte == b'/') {
            _ if path.is_empty() || path == b"." => continue,
            Some(end) => path.get(..=end).unwrap_or_default().to_vec(),
            None if matches!(member.kind, Kind::Folder) => [path, b"/"].concat(),
            None => return Ok(None),
        };
        // Such names are refused by whoever unpacks them.
        let is_name = !matches!(first.as_slice(), b"/" | b"./" | b"../");
        if !is_name || only.as_ref().is_some_and(|known| *known != first) {
            return Ok(None);
        }
        only = Some(first);
    }
    Ok(only)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;
    use crate::build::unpack::forge::gzip;

    /// The names of what is unpacked of an archive of these files.
    fn unpacked(files: &[&str]) -> Result<Vec<String>, UnpackError> {
        let mut archive = tar::Builder::new(Vec::new());
        for name in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(1);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, &b"x"[..]).unwrap();
        }
        let home = tempfile::tempdir().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&gzip(&archive.into_inner().unwrap())).unwrap();
        file.rewind().unwrap();
        let into = home.path().join("tree");
        unpack_release(&file, &into, &UnpackLimits::default())?;
        let names = fs::read_dir(&into).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        Ok(names)
    }

    #[test]
    fn the_only_folder_is_the_tree() {
        let inside = ["app-1.0/index.html", "app-1.0/css/x.css"];
        assert_eq!(unpacked(&inside).unwrap(), ["css", "index.html"]);
        assert_eq!(unpacked(&["./index.html", "./css/x.css"]).unwrap(), ["css", "index.html"]);
        assert_eq!(unpacked(&["a/x", "b/x"]).unwrap(), ["a", "b"]);
        assert_eq!(unpacked(&["a/x", "index.html"]).unwrap(), ["a", "index.html"]);
    }
}

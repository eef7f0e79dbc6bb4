//! The distribution of a build image that nobody says anything of: its `os-release`.
//!
//! As in the reference, the labels of the image to run on count first; the daemon reads those.

use std::path::Path;

use crate::spec::{Target, read_small};

/// The target, with the distribution of the image below `root` where it names none.
pub(super) fn completed(target: &Target, root: &Path) -> Target {
    if !target.distro_name.is_empty() {
        return target.clone();
    }
    let places = ["etc/os-release", "usr/lib/os-release"].map(|place| root.join(place));
    let text = places.iter().find_map(|place| read_small(place).ok()).unwrap_or_default();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|line| line.trim().trim_matches(['"', '\'']).to_owned()).unwrap_or_default()
    };
    let (distro_name, distro_version) = (value("ID"), value("VERSION_ID"));
    Target { distro_name, distro_version, ..target.clone() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn pl_detector_the_distribution_is_that_of_the_build_image_where_nobody_names_one() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("usr/lib")).unwrap();
        let text = "PRETTY_NAME=\"x\"\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nID=ubuntu\n";
        fs::write(root.path().join("usr/lib/os-release"), text).unwrap();
        let found = completed(&Target::default(), root.path());
        assert_eq!(
            (found.distro_name.as_str(), found.distro_version.as_str()),
            ("ubuntu", "24.04")
        );
        let named = Target { distro_name: "debian".into(), ..Target::default() };
        assert_eq!(completed(&named, root.path()), named);
    }
}

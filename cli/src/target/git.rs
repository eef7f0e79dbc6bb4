//! The app that the git remote `paas` points at. It reads git's file and never runs git.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::AppName;

/// The repository that holds `folder`, if one does.
pub(crate) fn root(folder: &Path) -> Option<PathBuf> {
    let root = folder.ancestors().find(|folder| folder.join(".git").exists())?;
    Some(root.to_path_buf())
}

/// The app of the remote `paas` of the repository that holds `folder`, if there is one.
pub(crate) fn app(folder: &Path) -> Option<AppName> {
    let root = root(folder)?;
    remote(&fs::read_to_string(root.join(".git/config")).ok()?)
}

fn remote(config: &str) -> Option<AppName> {
    let url = config
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[remote \"paas\"]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == "url")
        .map(|(_, url)| url.trim())?;
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next()?;
    last.strip_suffix(".git").unwrap_or(last).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<&str>) {
        let config = format!(
            "[remote \"origin\"]\n\turl = https://host/origin.git\n[remote \"paas\"]\n\turl = \
             {url}\n\tfetch = +refs\n[branch \"main\"]\n"
        );
        assert_eq!(remote(&config), expected.map(|name| name.parse().unwrap()), "{url}");
    }

    #[test]
    fn the_last_part_of_the_remote_is_the_app() {
        check("https://paas.example.com/git/hello.git", Some("hello"));
        check("ssh://git@paas.example.com:2222/hello", Some("hello"));
        check("git@paas.example.com:hello.git", Some("hello"));
        check("https://paas.example.com/", None);
    }

    #[test]
    fn another_remote_is_none_of_ours() {
        assert_eq!(remote("[remote \"origin\"]\n\turl = https://host/hello.git\n"), None);
    }
}

//! Folders below the app's that look like apps themselves: what a user meant who deployed a whole
//! repository. For the hint only; nothing is ever built because of it.

use std::path::Path;

use crate::environment::sorted_entries;
use crate::packs::detect_report;

/// How many folders are looked into, and how many are named.
const MAX_FOLDERS: usize = 50;
const MAX_NAMED: usize = 3;

/// Folders that hold other people's apps.
const FOREIGN: [&str; 4] = ["node_modules", "vendor", "target", "venv"];

/// The hint for a folder that no buildpack takes.
pub(super) fn hint(dir: &Path) -> String {
    let folders = apps_below(dir);
    let Some(first) = folders.first() else {
        return "deploy the folder that holds the app, or say how to start it: \
                echo 'web: ./run' > Procfile"
            .to_owned();
    };
    format!(
        "deploy the folder that holds the app: paas deploy {first} (there is an app in {})",
        folders.join(", ")
    )
}

fn apps_below(dir: &Path) -> Vec<String> {
    let entries = sorted_entries(dir).unwrap_or_default();
    let folders = entries.iter().filter(|it| it.is_dir() && !it.is_symlink()).take(MAX_FOLDERS);
    let named = folders.filter_map(|it| Some((it, it.file_name()?.to_str()?)));
    let ours = named.filter(|(_, name)| !name.starts_with('.') && !FOREIGN.contains(name));
    let apps = ours.filter(|(path, _)| !detect_report(path).is_empty());
    apps.take(MAX_NAMED).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::App;

    #[test]
    fn the_folders_with_apps_are_named() {
        let (app, _dir) = App::of(&[
            ("README.md", ""),
            ("frontend/package.json", "{}"),
            ("backend/requirements.txt", ""),
            ("docs/a.md", ""),
            ("vendor/go.mod", ""),
        ]);
        assert_eq!(
            hint(app.dir()),
            "deploy the folder that holds the app: paas deploy backend (there is an app in backend, \
             frontend)"
        );
        let (empty, _dir) = App::of(&[("docs/a.md", "")]);
        assert!(hint(empty.dir()).contains("Procfile"));
    }
}

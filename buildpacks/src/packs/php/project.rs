//! `composer.json` and `composer.lock`, as far as a build needs them. Composer itself reads them whole.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::packs::{App, PackError};

/// What an app says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Project {
    /// Whether there is a composer.json.
    pub(super) exists: bool,
    /// Whether there is a lock.
    pub(super) locked: bool,
    /// The range of PHP versions, and the file that says so.
    pub(super) php: Option<(String, &'static str)>,
    /// Names of the packages, without those for development.
    packages: BTreeSet<String>,
    /// What is required of PHP itself, without `ext-`.
    pub(super) extensions: BTreeSet<String>,
    /// Why packages are not all in one folder.
    pub(super) scattered: Option<&'static str>,
    /// Whether packages are required at all.
    pub(super) has_packages: bool,
}

/// Packages that write files of others into the app's own folders.
const INSTALLERS: [&str; 4] = [
    "composer/installers",
    "drupal/core-composer-scaffold",
    "roots/wordpress-core-installer",
    "johnpbloch/wordpress-core-installer",
];

impl Project {
    /// The app's.
    pub(super) fn of(app: &App) -> Result<Self, PackError> {
        let Some(text) = app.text("composer.json")? else { return Ok(Self::default()) };
        let manifest = json(&text, "composer.json", "composer validate")?;
        let mut project = Self { exists: true, ..Self::default() };
        project.take(manifest.get("require"), "composer.json");
        // Locks grow beyond what is read of other files.
        let lock = app.bytes("composer.lock")?;
        if !lock.is_empty() {
            let text = String::from_utf8_lossy(&lock);
            let lock = json(&text, "composer.lock", "composer update --lock")?;
            project.locked = true;
            project.take(lock.get("platform"), "composer.lock");
            for package in lock.get("packages").and_then(Value::as_array).into_iter().flatten() {
                project.packages.extend(text_of(package, "name"));
                let required = package.get("require");
                project.extensions.extend(extensions(required));
            }
        }
        project.has_packages = !project.packages.is_empty();
        let config = |name: &str| manifest.get("config").and_then(|it| it.get(name));
        project.scattered = if config("vendor-dir").is_some() {
            Some("composer.json has a vendor-dir of its own")
        } else if manifest.get("extra").is_some_and(|it| it.get("installer-paths").is_some())
            || INSTALLERS.iter().any(|name| project.requires(name))
        {
            Some("packages of it install into other folders, too")
        } else {
            None
        };
        Ok(project)
    }

    /// Whether a package is required, here or by another one.
    pub(super) fn requires(&self, package: &str) -> bool {
        self.packages.contains(package)
    }

    /// Takes in a `require` or a `platform`.
    fn take(&mut self, required: Option<&Value>, file: &'static str) {
        let Some(table) = required.and_then(Value::as_object) else { return };
        for (name, range) in table {
            if name == "php" {
                let range = range.as_str().map(|it| (it.to_owned(), file));
                self.php = self.php.take().or(range);
            } else if name.contains('/') {
                self.packages.insert(name.clone());
            }
        }
        self.extensions.extend(extensions(required));
    }
}

/// The names after `ext-`.
fn extensions(required: Option<&Value>) -> Vec<String> {
    let names = required.and_then(Value::as_object).into_iter().flatten();
    names.filter_map(|(name, _)| Some(name.strip_prefix("ext-")?.to_ascii_lowercase())).collect()
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn json(text: &str, file: &str, check: &str) -> Result<Value, PackError> {
    serde_json::from_str(text).map_err(|error| {
        PackError::app(format!("{file} is not valid: {error}"), format!("check it: {check}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], php: Option<&str>, extensions: &str, scattered: bool) {
        let (app, _dir) = App::of(files);
        let project = Project::of(&app).unwrap();
        assert_eq!(project.php.as_ref().map(|it| it.0.as_str()), php);
        assert_eq!(project.extensions.iter().cloned().collect::<Vec<_>>().join(" "), extensions);
        assert_eq!(project.scattered.is_some(), scattered);
    }

    #[test]
    fn extensions_are_what_the_app_and_its_packages_ask_for() {
        let manifest = (
            "composer.json",
            r#"{"require":{"php":"^8.2","ext-intl":"*","a/b":"1"},"require-dev":{"ext-pcov":"*"}}"#,
        );
        check(&[manifest], Some("^8.2"), "intl", false);
        let lock = r#"{"packages":[{"name":"a/b","require":{"php":">=8.1","ext-GD":"*"}}],
            "packages-dev":[{"name":"c/d","require":{"ext-xdebug":"*"}}],"platform":{"php":"~8.3"}}"#;
        check(&[manifest, ("composer.lock", lock)], Some("^8.2"), "gd intl", false);
        check(&[("composer.json", "{}"), ("composer.lock", lock)], Some("~8.3"), "gd", false);
        check(&[("composer.json", r#"{"config":{"vendor-dir":"lib"}}"#)], None, "", true);
        check(&[("composer.json", r#"{"require":{"composer/installers":"2"}}"#)], None, "", true);
        check(&[], None, "", false);
    }

    #[test]
    fn a_faulty_file_is_named() {
        let (app, _dir) = App::of(&[("composer.json", "{")]);
        let error = Project::of(&app).unwrap_err().to_string();
        assert!(error.starts_with("composer.json is not valid: "), "{error}");
    }
}

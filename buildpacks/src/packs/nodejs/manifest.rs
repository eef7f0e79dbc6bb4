//! `package.json`, as far as a build needs it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::packs::{App, PackError};

/// A `package.json`. Fields of unexpected types count as absent: npm ignores many of them too.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Manifest {
    #[serde(deserialize_with = "texts")]
    pub(super) scripts: BTreeMap<String, String>,
    #[serde(deserialize_with = "text")]
    pub(super) main: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(super) engines: BTreeMap<String, String>,
    /// A module's entry, which Bun's own template names instead of `main`.
    #[serde(deserialize_with = "text")]
    pub(super) module: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) name: Option<String>,
    /// Versions that Volta pins.
    #[serde(deserialize_with = "texts")]
    pub(super) volta: BTreeMap<String, String>,
    #[serde(deserialize_with = "text")]
    pub(super) package_manager: Option<String>,
    #[serde(deserialize_with = "texts")]
    dependencies: BTreeMap<String, String>,
    #[serde(deserialize_with = "texts")]
    dev_dependencies: BTreeMap<String, String>,
    #[serde(deserialize_with = "texts")]
    optional_dependencies: BTreeMap<String, String>,
    workspaces: Option<Value>,
    /// The whole document, for the reduced copy.
    #[serde(skip)]
    whole: Map<String, Value>,
}

/// The keys that an installation depends on. `scripts` is not among them: a changed start command
/// must not cost an installation.
const INSTALLED_BY: [&str; 16] = [
    "name",
    "version",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "bundleDependencies",
    "bundledDependencies",
    "overrides",
    "resolutions",
    "pnpm",
    "engines",
    "os",
    "cpu",
    "packageManager",
];

/// Scripts that npm runs while it installs, and that may need the app's files.
const INSTALL_SCRIPTS: [&str; 5] =
    ["preinstall", "install", "postinstall", "prepare", "prepublish"];

impl Manifest {
    /// Reads the app's manifest; an app without one has an empty one.
    pub(super) fn read(app: &App) -> Result<Self, PackError> {
        let Some(text) = app.text("package.json")? else { return Ok(Self::default()) };
        Self::parse(text.trim_start_matches('\u{feff}')).map_err(|error| {
            PackError::app(
                format!("package.json is not valid: {error}"),
                "check it: node -e 'JSON.parse(require(\"fs\").readFileSync(\"package.json\"))'",
            )
        })
    }

    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let whole: Map<String, Value> = serde_json::from_str(text)?;
        let manifest: Self = serde_json::from_value(Value::Object(whole.clone()))?;
        Ok(Self { whole, ..manifest })
    }

    /// Whether anything is to be installed.
    pub(super) fn has_dependencies(&self) -> bool {
        self.has_dev() || self.launched().next().is_some() || self.workspaces.is_some()
    }

    /// Whether there are dependencies for the build only.
    pub(super) fn has_dev(&self) -> bool {
        !self.dev_dependencies.is_empty()
    }

    /// Packages that are installed for development and not to run the app.
    pub(super) fn only_for_development(&self) -> impl Iterator<Item = &str> {
        let launched = |name: &&String| self.launched().all(|(it, _)| it != *name);
        self.dev_dependencies.keys().filter(launched).map(String::as_str)
    }

    /// Whether a package of that name is asked for, in any way.
    pub(super) fn depends_on(&self, package: &str) -> bool {
        self.installed().any(|(name, _)| name == package)
    }

    /// The folders of the workspaces, as patterns; npm allows a list, and a table with one.
    pub(super) fn workspaces(&self) -> Vec<String> {
        let list = match &self.workspaces {
            Some(Value::Object(table)) => table.get("packages"),
            other => other.as_ref(),
        };
        let list = list.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    }

    /// Why the dependencies cannot be installed apart from the app's files, if so.
    pub(super) fn tied_to_the_app(&self) -> Option<&'static str> {
        if INSTALL_SCRIPTS.iter().any(|name| self.scripts.contains_key(*name)) {
            return Some("the app has install scripts");
        }
        // Turbopack takes a linked `node_modules` for an escape from the project's folder.
        if self.depends_on("next") {
            return Some("Next.js does not follow links");
        }
        if self.depends_on("@sveltejs/adapter-auto") {
            return Some("SvelteKit's adapter-auto installs the adapter when it builds");
        }
        let local = |range: &String| {
            ["file:", "link:", "workspace:", ".", "/"].iter().any(|it| range.starts_with(it))
        };
        let mut ranges = self.installed().map(|(_, range)| range);
        ranges.any(local).then_some("a dependency is a folder of the app")
    }

    /// The document without what no installation depends on.
    pub(super) fn reduced(&self) -> String {
        let kept = self.whole.iter().filter(|(key, _)| INSTALLED_BY.contains(&key.as_str()));
        let kept: Map<String, Value> =
            kept.map(|(key, value)| (key.clone(), value.clone())).collect();
        Value::Object(kept).to_string()
    }

    fn installed(&self) -> impl Iterator<Item = (&String, &String)> {
        self.launched().chain(&self.dev_dependencies)
    }

    fn launched(&self) -> impl Iterator<Item = (&String, &String)> {
        self.dependencies.iter().chain(&self.optional_dependencies)
    }
}

fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().map(str::to_owned))
}

fn texts<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let pairs = value.as_object().into_iter().flatten();
    Ok(pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_fields_do_not_break_a_manifest() {
        let manifest =
            Manifest::parse(r#"{"main":false,"scripts":[],"engines":"x","x":1}"#).unwrap();
        assert!(manifest.main.is_none() && !manifest.has_dependencies());
        assert!(Manifest::parse("{").is_err() && Manifest::parse("[]").is_err());
    }

    #[test]
    fn workspaces_are_a_list_or_a_table_with_one() {
        let workspaces = |text| Manifest::parse(text).unwrap().workspaces().join(" ");
        assert_eq!(workspaces(r#"{"workspaces":["apps/*","lib"]}"#), "apps/* lib");
        assert_eq!(workspaces(r#"{"workspaces":{"packages":["a"],"nohoist":[]}}"#), "a");
        assert_eq!(workspaces(r#"{"workspaces":true}"#), "");
    }

    #[test]
    fn scripts_do_not_cost_an_installation() {
        let reduced = |text| Manifest::parse(text).unwrap().reduced();
        let one = reduced(r#"{"dependencies":{"a":"1"},"scripts":{"start":"x"}}"#);
        assert_eq!(one, reduced(r#"{"scripts":{},"dependencies":{"a":"1"},"description":"d"}"#));
    }

    #[test]
    fn local_dependencies_tie_an_installation_to_the_app() {
        let tied = |text| Manifest::parse(text).unwrap().tied_to_the_app().is_some();
        assert!(tied(r#"{"dependencies":{"a":"file:../a"}}"#));
        assert!(tied(r#"{"scripts":{"postinstall":"x"}}"#));
        assert!(tied(r#"{"dependencies":{"next":"^15"}}"#));
        assert!(!tied(r#"{"dependencies":{"a":"^1"},"scripts":{"start":"x"}}"#));
    }
}

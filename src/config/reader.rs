//! Where a setting is found: in the flags, the environment, the file and the one that machines share, in this
//! order; and every fault, kept until all have been seen.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::{
    settings::{ChosenBy, Given},
    shared::is_shared,
};

/// One thing that is wrong with what was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// Where it stands: a flag, a variable, or a key of the file.
    pub place: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

/// The settings, by their names in the file, where `cluster_listen` may be `listen` below `[cluster]`.
/// `PAAS_` and the name in capitals is the variable.
pub(super) const SETTINGS: [&str; 42] = [
    "domain",
    "http",
    "https",
    "dns",
    "ssh",
    "addresses",
    "trusted",
    "proxy_protocol",
    "fetch_private",
    "firewall",
    "firewall_allow",
    "resolver",
    "acme",
    "acme_email",
    "acme_root",
    "acme_external",
    "api",
    "docker",
    "subnets",
    "node",
    "base_image",
    "releases_kept",
    "undelete_for",
    "backup_to",
    "backup_s3_endpoint",
    "backup_s3_region",
    "backup_s3_key_id",
    "backup_s3_secret_file",
    "build_memory",
    "build_disk",
    "disk_reserve",
    "cache_per_app",
    "cache",
    "toolchain_cache",
    "build_idle",
    "builds_at_once",
    "cluster_listen",
    "cluster_address",
    "cluster_certificate_lasts",
    "edge_threads",
    "access_log",
    "access_log_sample",
];

/// Reads settings, one after another.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    given: &'a Given,
    file: BTreeMap<String, String>,
    installation: BTreeMap<String, String>,
    pub(super) faults: Vec<ConfigFault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(given: &'a Given) -> Self {
        let (file, installation) = (BTreeMap::new(), BTreeMap::new());
        let mut reader = Self { given, file, installation, faults: Vec::new() };
        if let Some((path, table)) = reader.parse(given.file.as_ref()) {
            reader.read_file(path, table);
        }
        if let Some((path, table)) = reader.parse(given.installation.as_ref()) {
            reader.read_installation(path, table);
        }
        reader
    }

    fn parse<'b>(
        &mut self,
        file: Option<&'b (PathBuf, String)>,
    ) -> Option<(&'b Path, toml::Table)> {
        let (path, text) = file?;
        match text.parse::<toml::Table>() {
            Ok(table) => Some((path, table)),
            Err(error) => {
                self.fault(path.display(), error.to_string().trim().to_owned());
                None
            }
        }
    }

    /// What is not for all machines is left out, and so is what a newer daemon knows and this one does not: nobody
    /// wrote it here.
    fn read_installation(&mut self, path: &Path, table: toml::Table) {
        for (key, value) in table.into_iter().filter(|(key, _)| is_shared(key)) {
            match as_text(&value) {
                Some(text) => drop(self.installation.insert(key, text)),
                None => self.fault(format!("{}: {key}", path.display()), NO_TEXT.to_owned()),
            }
        }
    }

    fn read_file(&mut self, path: &Path, table: toml::Table) {
        for (key, value) in table {
            match value {
                // What stands in a table has the table's name before its own.
                toml::Value::Table(part) => {
                    for (rest, value) in part {
                        self.read_setting(path, format!("{key}_{rest}"), &value);
                    }
                }
                value => self.read_setting(path, key, &value),
            }
        }
    }

    fn read_setting(&mut self, path: &Path, key: String, value: &toml::Value) {
        let place = format!("{}: {key}", path.display());
        if !SETTINGS.contains(&key.as_str()) {
            let near = nearest(&key);
            self.fault(place, format!("there is no such setting; did you mean `{near}`?"));
            return;
        }
        match as_text(value) {
            Some(text) => drop(self.file.insert(key, text)),
            None => self.fault(place, NO_TEXT.to_owned()),
        }
    }

    pub(super) fn one<T: Default>(
        &mut self,
        name: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let (place, text) = self.find(name, default);
        read(&text).unwrap_or_else(|problem| {
            self.fault(place, problem);
            T::default()
        })
    }

    pub(super) fn many<T>(
        &mut self,
        name: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let (place, text) = self.find(name, default);
        let mut values = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match read(part) {
                Ok(value) => values.push(value),
                Err(problem) => self.fault(&place, problem),
            }
        }
        values
    }

    fn find(&self, name: &str, default: &str) -> (String, String) {
        let variable = format!("PAAS_{}", name.to_ascii_uppercase());
        if let Some(text) = self.given.flags.get(name) {
            (format!("--{}", name.replace('_', "-")), text.clone())
        } else if let Some(text) = self.given.environment.get(&variable) {
            (variable, text.clone())
        } else if let Some(text) = self.file.get(name) {
            (in_file(self.given.file.as_ref(), name), text.clone())
        } else if let Some(text) = self.installation.get(name) {
            (in_file(self.given.installation.as_ref(), name), text.clone())
        } else {
            (name.to_owned(), default.to_owned())
        }
    }

    /// What somebody says of a setting, if anybody does.
    pub(super) fn said(&self, name: &str) -> Option<String> {
        let (place, text) = self.find(name, "");
        (place != name).then_some(text)
    }

    pub(super) fn chosen_by(&self, name: &str) -> ChosenBy {
        if self.said(name).is_some() { ChosenBy::User } else { ChosenBy::Default }
    }

    pub(super) fn fault(&mut self, place: impl fmt::Display, problem: String) {
        self.faults.push(ConfigFault { place: place.to_string(), problem });
    }
}

fn in_file(file: Option<&(PathBuf, String)>, name: &str) -> String {
    let path = file.map(|(path, _)| path.display().to_string());
    format!("{}: {name}", path.unwrap_or_default())
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Array(values) => {
            let flat = |value: &toml::Value| if value.is_array() { None } else { as_text(value) };
            values.iter().map(flat).collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
        }
        toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => None,
    }
}

fn nearest(key: &str) -> &'static str {
    let by_distance = |name: &&str| strsim::damerau_levenshtein(name, key);
    SETTINGS.iter().copied().min_by_key(by_distance).unwrap_or("domain")
}

const NO_TEXT: &str = "it must be a text, a number or a list of them";

//! The host's own package registries: found once, used as mirrors, and given to builds.
//!
//! npm and pip know where they get packages; they are asked, since their configuration has many
//! layers and copying its rules would be wrong somewhere. Not here: the contents of a registry
//! (`sites`). Invariant: an address found is http or https, and nothing else is ever run.

use super::sources::{Address, Sources};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// What a build needs to reach the registries as the host does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registries {
    /// The npm registry's address, ending in a slash.
    pub npm: Option<String>,
    /// The Python index's `simple` address, without a slash at its end.
    pub pypi: Option<String>,
    /// Go's module proxy setting, if the host has one.
    pub goproxy: Option<String>,
    /// Proxy variables of the host, by name.
    pub proxies: BTreeMap<String, String>,
    /// The certificates that the host trusts; mount them and see [`ca_environment`].
    pub ca_bundle: Option<PathBuf>,
}

impl Registries {
    /// Asks the host. A missing npm or pip is no error: that registry is then not available.
    pub(crate) async fn find(sources: &Sources, shelf_npm: Option<PathBuf>) -> Self {
        let (npm, pypi) = tokio::join!(npm(&sources.npm, shelf_npm), pypi(&sources.pypi));
        let proxies = PROXIES.iter().filter_map(|name| Some(((*name).to_owned(), set(name)?)));
        Self {
            npm: npm.map(|url| format!("{}/", url.trim_end_matches('/'))),
            pypi: pypi.map(|url| url.trim_end_matches('/').to_owned()),
            goproxy: set("GOPROXY"),
            proxies: proxies.collect(),
            ca_bundle: sources.ca_bundle.clone(),
        }
    }

    /// The platform environment of a build: registries and proxies, by the names that npm, yarn,
    /// pnpm, pip, uv and Go read.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut env = self.proxies.clone();
        let mut put = |names: &[&str], value: &Option<String>| {
            for (name, value) in names.iter().zip(std::iter::repeat(value)) {
                if let Some(value) = value {
                    env.insert((*name).to_owned(), value.clone());
                }
            }
        };
        put(&["NPM_CONFIG_REGISTRY", "YARN_NPM_REGISTRY_SERVER", "YARN_REGISTRY"], &self.npm);
        put(&["PIP_INDEX_URL", "UV_DEFAULT_INDEX"], &self.pypi);
        put(&["GOPROXY"], &self.goproxy);
        env
    }
}

/// The variables by which tools find a certificate bundle at `path` inside a container.
pub fn ca_environment(path: &Path) -> BTreeMap<String, String> {
    let path = path.to_string_lossy();
    CA_VARIABLES.iter().map(|name| ((*name).to_owned(), path.clone().into_owned())).collect()
}

async fn npm(address: &Address, shelf_npm: Option<PathBuf>) -> Option<String> {
    match address {
        Address::At(url) => return Some(url.clone()),
        Address::Absent => return None,
        Address::Host => {}
    }
    let named = ["NPM_CONFIG_REGISTRY", "npm_config_registry"].iter().find_map(|name| set(name));
    if let Some(url) = named.filter(|url| is_address(url)) {
        return Some(url);
    }
    let ask = ["config", "get", "registry"];
    if let Some(url) = said(Command::new("npm").args(ask)).await {
        return Some(url);
    }
    // No npm on the host, but a Node that we fetched brings one with the same default.
    let npm = shelf_npm?;
    let path = npm.parent()?.to_owned();
    said(Command::new(npm).args(ask).env("PATH", path)).await
}

async fn pypi(address: &Address) -> Option<String> {
    match address {
        Address::At(url) => return Some(url.clone()),
        Address::Absent => return None,
        Address::Host => {}
    }
    if let Some(url) = set("PIP_INDEX_URL").filter(|url| is_address(url)) {
        return Some(url);
    }
    let configured = ["-m", "pip", "config", "get", "global.index-url"];
    // With nothing configured pip uses the default that is built into it.
    let default = ["-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"];
    for python in ["python3", "/usr/bin/python3"] {
        for ask in [configured.as_slice(), default.as_slice()] {
            if let Some(url) = said(Command::new(python).args(ask)).await {
                return Some(url);
            }
        }
    }
    None
}

/// The address that a command prints, if it ends well and in time.
async fn said(command: &mut Command) -> Option<String> {
    let command = command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(ASKED, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let url = text.trim();
    (output.status.success() && is_address(url)).then(|| url.to_owned())
}

fn is_address(text: &str) -> bool {
    let web = text.starts_with("https://") || text.starts_with("http://");
    web && text.len() < 1024 && text.chars().all(|c| c.is_ascii_graphic())
}

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

const PROXIES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];
const CA_VARIABLES: [&str; 7] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
];
/// npm starts slowly on a busy machine; more than this and it hangs.
const ASKED: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_get_every_name_that_tools_read() {
        let registries = Registries {
            npm: Some("http://mirror.test/npm/".into()),
            pypi: Some("http://mirror.test/simple".into()),
            ..Registries::default()
        };
        let env = registries.environment();
        assert_eq!(env["NPM_CONFIG_REGISTRY"], "http://mirror.test/npm/");
        assert_eq!(env["UV_DEFAULT_INDEX"], "http://mirror.test/simple");
        assert!(!env.contains_key("GOPROXY"));
        assert_eq!(ca_environment(Path::new("/ca.crt"))["PIP_CERT"], "/ca.crt");
    }

    #[test]
    fn only_addresses_are_addresses() {
        assert!(is_address("https://mirror.test/simple"));
        for bad in ["undefined", "file:///etc", "https://a b", ""] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}

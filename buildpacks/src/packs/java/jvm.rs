//! The Java of a build and of the app: a whole kit to build with, only the runtime in the image.

use std::path::PathBuf;

use super::version::{Choice, Source};
use crate::packs::context::{BUILD, LAUNCH};
use crate::packs::tool::Tool;
use crate::packs::{BuildContext, PackError, output};
use crate::toolchain::{Scheme, Toolchain};

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Compile it.
    Build,
    /// It is a finished jar.
    Run,
}

/// A Java.
#[derive(Debug)]
pub(super) struct Jvm {
    /// The kit; of no use if there is nothing to build.
    home: PathBuf,
    /// The runtime of the image.
    runtime: PathBuf,
}

impl Jvm {
    /// Gets what was chosen.
    pub(super) fn provide(
        context: &BuildContext,
        choice: &Choice,
        work: Work,
    ) -> Result<Self, PackError> {
        match &choice.source {
            Source::Debian(line) => {
                output::line(&format!("version {line} of Debian ({})", choice.because));
                let home = debian_home(*line);
                Ok(Self { runtime: home.clone(), home })
            }
            Source::Temurin(version) => temurin(context, version, choice, work),
        }
    }

    /// Where it is in the running app.
    pub(super) fn runtime(&self) -> String {
        self.runtime.display().to_string()
    }

    /// Gives a program the kit, and the way out of this network.
    pub(super) fn dress(&self, tool: Tool) -> Tool {
        let tool = tool.path(self.home.join("bin")).env("JAVA_HOME", &self.home);
        let proxies = proxies(|name| std::env::var(name).ok());
        if proxies.is_empty() { tool } else { tool.env("JAVA_TOOL_OPTIONS", proxies.join(" ")) }
    }
}

/// Temurin's kit for the build, and its runtime for the image. Some versions have no runtime of their
/// own; then the kit has to serve.
fn temurin(
    context: &BuildContext,
    version: &str,
    choice: &Choice,
    work: Work,
) -> Result<Jvm, PackError> {
    let ask = |name: &str, version: &str| context.toolchain(name, version, Scheme::Exact);
    let kit = match work {
        Work::Build => Some(ask("jdk", version)?),
        Work::Run => None,
    };
    let exact = kit.as_ref().map_or(version, |kit| kit.version.as_str());
    let runtime = match (ask("jre", exact), &kit) {
        (Ok(runtime), _) => runtime,
        (Err(_), Some(kit)) => Toolchain { version: kit.version.clone(), path: kit.path.clone() },
        (Err(_), None) => ask("jdk", version)?,
    };
    output::line(&format!("version {} of Temurin ({})", runtime.version, choice.because));
    let runtime = context.link("jre", LAUNCH, &runtime)?;
    let home = match &kit {
        Some(kit) => context.link("jdk", BUILD, kit)?,
        None => runtime.clone(),
    };
    Ok(Jvm { home, runtime })
}

/// Where Debian has a line.
fn debian_home(line: u32) -> PathBuf {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    format!("/usr/lib/jvm/java-{line}-openjdk-{arch}").into()
}

/// The proxy variables in Java's own words, which it reads no others than.
fn proxies(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut options = Vec::new();
    for (name, scheme) in [("HTTP_PROXY", "http"), ("HTTPS_PROXY", "https")] {
        let set = variable(name).or_else(|| variable(&name.to_lowercase()));
        let Some(address) = set else { continue };
        let rest = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
        let host = rest.trim_end_matches('/').rsplit('@').next().unwrap_or_default();
        if let Some((host, port)) = host.rsplit_once(':') {
            options.push(format!("-D{scheme}.proxyHost={host}"));
            options.push(format!("-D{scheme}.proxyPort={port}"));
        }
    }
    let direct = variable("NO_PROXY").or_else(|| variable("no_proxy")).unwrap_or_default();
    if !options.is_empty() && !direct.is_empty() {
        let hosts = direct.split(',').map(str::trim).filter(|host| !host.is_empty());
        let wild =
            |host: &str| host.strip_prefix('.').map_or(host.to_owned(), |it| format!("*.{it}"));
        let hosts: Vec<String> = hosts.map(wild).collect();
        options.push(format!("-Dhttp.nonProxyHosts={}", hosts.join("|")));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::proxies;

    #[test]
    fn proxies_are_said_in_javas_words() {
        let check = |set: &[(&str, &str)], expected: &str| {
            let found = |name: &str| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(proxies(found).join(" "), expected);
        };
        check(&[("NO_PROXY", "a")], "");
        check(
            &[("https_proxy", "http://me:pw@p.test:3128/"), ("NO_PROXY", "localhost, .test")],
            "-Dhttps.proxyHost=p.test -Dhttps.proxyPort=3128 -Dhttp.nonProxyHosts=localhost|*.test",
        );
    }
}

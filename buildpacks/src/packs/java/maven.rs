//! Builds with Maven: the app's wrapper, or Debian's.
//!
//! Maven believes what lies in its repository, so the app has one of its own.

use std::path::Path;

use super::jvm::Jvm;
use crate::packs::context::CACHE;
use crate::packs::tool::{Known, Tool};
use crate::packs::{App, BuildContext, PackError, output};

const REPOSITORY: &str = "maven_repository";

/// Where Debian's packages put artifacts, in the layout of a local repository.
const DEBIAN: &str = "/usr/share/maven-repo";
const PLUGINS: [&str; 4] = [
    "libmaven-compiler-plugin-java",
    "libmaven-jar-plugin-java",
    "libmaven-resources-plugin-java",
    "libsurefire-java",
];

const KNOWN: [Known; 6] = [
    (
        "COMPILATION ERROR",
        "the code does not compile",
        "see the errors above, or try it: mvn package",
    ),
    (
        "release version",
        "the code asks for a newer Java than this",
        "ask for one: echo java.runtime.version=25 > system.properties",
    ),
    (
        "Unknown host",
        "a repository of Maven's does not answer this server",
        "check the server's network, and <repositories> in pom.xml",
    ),
    (
        "Could not transfer artifact",
        "a repository of Maven's does not answer this server",
        "check the server's network, and <repositories> in pom.xml",
    ),
    (
        "Could not find artifact",
        "a repository has no such artifact",
        "check the names and versions in pom.xml: mvn dependency:resolve",
    ),
    (
        "offline mode",
        "Maven may not use the network, and something is not there",
        "allow it: take -o out of MAVEN_ARGS below [build.env] in paas.toml",
    ),
];

/// Whether the app is one of Maven's.
pub(super) fn fits(app: &App) -> bool {
    app.has("pom.xml")
}

/// Whether it brings its own.
pub(super) fn is_wrapped(app: &App) -> bool {
    app.has("mvnw")
}

/// Debian's packages of Maven and of what the app's build needs of it.
pub(super) fn packages(app: &App) -> Vec<&'static str> {
    let user = std::env::var("MAVEN_ARGS").unwrap_or_default();
    let mut packages = if is_wrapped(app) { Vec::new() } else { vec!["maven"] };
    packages.extend(plugins(&user));
    packages
}

/// The plugins that each build of a jar needs, if the user says that all comes from Debian.
fn plugins(user: &str) -> &'static [&'static str] {
    if user.contains(DEBIAN) { &PLUGINS } else { &[] }
}

/// Builds.
pub(super) fn build(context: &BuildContext, jvm: &Jvm) -> Result<(), PackError> {
    let app = &context.app;
    let wrapped = is_wrapped(app);
    output::heading(if wrapped {
        "Building with the Maven of mvnw"
    } else {
        "Building with Maven"
    });
    let repository = context.kept(REPOSITORY)?;
    context.declare(REPOSITORY, CACHE, &REPOSITORY)?;
    let user = std::env::var("MAVEN_ARGS").unwrap_or_default();
    let goals = std::env::var("MAVEN_CUSTOM_GOALS").unwrap_or_else(|_| "package".into());
    let pom = app.text("pom.xml")?.unwrap_or_default();
    let options = options(&user, &pom, &repository);
    let mut words: Vec<&str> = if wrapped { vec!["mvnw"] } else { Vec::new() };
    words.extend(options.iter().map(String::as_str));
    words.extend(goals.split_whitespace());
    let program = if wrapped { "sh" } else { "mvn" };
    jvm.dress(Tool::new(program, &words, app.dir()))
        .env("MAVEN_USER_HOME", &repository)
        .env("CI", "1")
        .run(&KNOWN)
}

/// What is said to Maven unless the user or the project says it.
fn options(user: &str, pom: &str, repository: &Path) -> Vec<String> {
    let mut options = vec!["-B".to_owned(), "-ntp".into(), "-DskipTests".into()];
    if !user.contains("maven.repo.local") {
        options.push(format!("-Dmaven.repo.local={}", repository.display()));
    }
    // Else a jar has the time of its build in it, and the same source never gives the same image.
    if !pom.contains("project.build.outputTimestamp") {
        options.push("-Dproject.build.outputTimestamp=1980-01-01T00:00:02Z".into());
    }
    options
}

#[cfg(test)]
mod tests {
    use super::{options, plugins};
    use std::path::Path;

    #[test]
    fn debians_artifacts_are_installed_if_they_are_asked_for() {
        assert_eq!(plugins("-o -Dmaven.repo.local=/usr/share/maven-repo").len(), 4);
        assert!(plugins("-o").is_empty());
    }

    #[test]
    fn what_the_user_says_is_not_said_again() {
        let check = |user, pom, expected: &str| {
            assert_eq!(options(user, pom, Path::new("/r")).join(" "), expected);
        };
        let time = "-Dproject.build.outputTimestamp=1980-01-01T00:00:02Z";
        check("", "", &format!("-B -ntp -DskipTests -Dmaven.repo.local=/r {time}"));
        check("-o -Dmaven.repo.local=/x", "", &format!("-B -ntp -DskipTests {time}"));
        let own = "<project.build.outputTimestamp>";
        check("", own, "-B -ntp -DskipTests -Dmaven.repo.local=/r");
    }
}

//! Builds with Gradle, by the app's wrapper: Gradle and its build files belong together, so there is
//! no other that would do.

use super::jvm::Jvm;
use crate::environment::sorted_entries;
use crate::packs::context::CACHE;
use crate::packs::tool::{Known, Tool};
use crate::packs::{App, BuildContext, PackError, output};

const HOME: &str = "gradle_home";
const WRAPPER: &str = "gradle/wrapper/gradle-wrapper.jar";

/// Files that say that an app is one of Gradle's.
pub(super) const FILES: [&str; 4] =
    ["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"];

const KNOWN: [Known; 6] = [
    (
        "Unsupported class file major version",
        "the Gradle of the wrapper is too old for this Java",
        "renew it: ./gradlew wrapper --gradle-version latest; or ask for an older Java: echo \
         java.runtime.version=17 > system.properties",
    ),
    (
        "Cannot find a Java installation",
        "the build file asks for another Java than system.properties or .java-version",
        "let both say the same, or remove that file",
    ),
    (
        "UnknownHostException",
        "a host that Gradle needs does not answer this server",
        "check the server's network, and `repositories` in the build file",
    ),
    (
        "Could not GET",
        "a repository does not answer this server",
        "check the server's network, and `repositories` in the build file",
    ),
    (
        "Could not find",
        "a repository has no such module",
        "check the names and versions: ./gradlew dependencies",
    ),
    (
        "Compilation failed",
        "the code does not compile",
        "see the errors above, or try it: ./gradlew assemble",
    ),
];

/// Whether the app is one of Gradle's.
pub(super) fn fits(app: &App) -> bool {
    app.first(&FILES).is_some()
}

/// Builds.
pub(super) fn build(context: &BuildContext, jvm: &Jvm) -> Result<(), PackError> {
    let app = &context.app;
    if !app.has("gradlew") {
        return Err(PackError::app(
            "there is no gradlew, which says what Gradle the app is built with",
            "add it: gradle wrapper && git add gradlew gradle/wrapper",
        ));
    }
    if !app.has(WRAPPER) {
        return Err(PackError::app(
            format!("gradlew needs {WRAPPER}, which is not there; a .gitignore may leave out jars"),
            format!("add it: git add -f {WRAPPER}"),
        ));
    }
    output::heading("Building with the Gradle of gradlew");
    let home = context.kept(HOME)?;
    context.declare(HOME, CACHE, &HOME)?;
    let task = match std::env::var("GRADLE_TASK") {
        Ok(task) => task,
        Err(_) => task(&texts(app)?).to_owned(),
    };
    let mut words = vec!["gradlew", "--no-daemon", "--console=plain"];
    words.extend(task.split_whitespace());
    jvm.dress(Tool::new("sh", &words, app.dir()))
        .env("GRADLE_USER_HOME", &home)
        .env("CI", "1")
        .run(&KNOWN)
}

/// The build files of the app and its subprojects, as one text.
fn texts(app: &App) -> Result<String, PackError> {
    let mut folders = vec![app.dir().to_owned()];
    folders.extend(sorted_entries(app.dir()).map_err(PackError::io(app.dir()))?);
    let mut all = String::new();
    for folder in folders {
        for file in ["build.gradle", "build.gradle.kts"] {
            all += &app.text(folder.join(file))?.unwrap_or_default();
            all.push('\n');
        }
    }
    Ok(all)
}

/// The task that makes something that starts, without running tests.
fn task(build_files: &str) -> &'static str {
    let has = |mark: &str| build_files.contains(mark);
    if ["register(\"stage\"", "register('stage'", "task stage"].iter().any(|it| has(it)) {
        return "stage";
    }
    let jars = ["org.springframework.boot", "io.quarkus", "shadow"].iter().any(|it| has(it));
    let named = ["'application'", "\"application\"", "io.ktor.plugin", "io.micronaut.application"];
    let alone = build_files.lines().any(|line| line.trim() == "application");
    if !jars && (alone || named.iter().any(|it| has(it))) { "installDist" } else { "assemble" }
}

#[cfg(test)]
mod tests {
    use super::task;

    #[test]
    fn the_task_makes_what_starts() {
        assert_eq!(task("plugins { id 'org.springframework.boot' version '3.5.0' }"), "assemble");
        assert_eq!(task("plugins {\n    application\n}"), "installDist");
        assert_eq!(task("apply plugin: 'application'"), "installDist");
        let both = "plugins { id 'application'; id 'com.gradleup.shadow' version '9' }";
        assert_eq!(task(both), "assemble");
        assert_eq!(task("tasks.register('stage') { }\napply plugin: 'application'"), "stage");
        assert_eq!(task("plugins { id 'java' }"), "assemble");
    }
}

//! Java: a runtime, Maven or Gradle, the jar that serves.

mod gradle;
mod jar;
mod jvm;
mod maven;
mod start;
mod version;

use super::packages::Packages;
use super::{App, BuildContext, Buildpack, PackError, Process, Verdict, output};
use jar::Framework;
use jvm::{Jvm, Work};
use start::Start;
use version::{Choice, Source};

/// The buildpack `paas/java`.
#[derive(Debug)]
pub(crate) struct Java;

/// Half of a container's memory is not enough for most programs, and all of it leaves nothing to
/// threads, classes and buffers; Java's own choice is a quarter. A program without memory ends, so that
/// it is started again.
const OPTIONS: &str = "-XX:MaxRAMPercentage=70.0 -XX:+ExitOnOutOfMemoryError -Dfile.encoding=UTF-8";

/// Files of other languages, beside which a jar is a tool and not the app.
const OTHERS: [&str; 10] = [
    "package.json",
    "requirements.txt",
    "pyproject.toml",
    "manage.py",
    "go.mod",
    "Cargo.toml",
    "Gemfile",
    "composer.json",
    "deno.json",
    "mix.exs",
];

impl Buildpack for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn detect(&self, app: &App) -> Result<Verdict, PackError> {
        if maven::fits(app) {
            let how = if maven::is_wrapped(app) { "mvnw" } else { "no mvnw" };
            return Ok(Verdict::Recognised(format!("there is pom.xml ({how})")));
        }
        if let Some(file) = app.first(&gradle::FILES) {
            return Ok(Verdict::Recognised(format!("there is {file}")));
        }
        if app.first(&OTHERS).is_some() {
            return Ok(Verdict::Unknown);
        }
        Ok(jar::finished(app)?.map_or(Verdict::Unknown, |jar| {
            Verdict::Recognised(format!("{} has a main class ({})", jar.file, jar.main))
        }))
    }

    fn packages(&self, app: &App) -> Result<Packages, PackError> {
        let (mut run, mut build) = (Vec::new(), Vec::new());
        if let Choice { source: Source::Debian(line), .. } = version::choose(app)? {
            run.push(format!("openjdk-{line}-jre-headless"));
            if work(app) == Work::Build {
                build.push(format!("openjdk-{line}-jdk-headless"));
            }
        }
        if maven::fits(app) {
            build.extend(maven::packages(app).into_iter().map(str::to_owned));
        }
        Ok(Packages::new(run.iter().map(String::as_str), build.iter().map(String::as_str)))
    }

    fn build(&self, context: &BuildContext) -> Result<Vec<Process>, PackError> {
        let app = &context.app;
        output::heading("Java");
        let choice = version::choose(app)?;
        let jvm = Jvm::provide(context, &choice, work(app))?;
        output::line("to change: echo java.runtime.version=25 > system.properties");
        if maven::fits(app) {
            maven::build(context, &jvm)?;
        } else if gradle::fits(app) {
            gradle::build(context, &jvm)?;
        }
        let start = start::choose(app)?;
        context.launch_default("JAVA_HOME", &jvm.runtime())?;
        context.launch_default("JAVA_TOOL_OPTIONS", OPTIONS)?;
        let framework = match &start {
            Start::Command { framework, .. } => *framework,
            Start::Procfile => start::framework_by_text(app)?,
        };
        if framework == Framework::Spring {
            // It ends what it has begun, and believes the proxy about the address of a request.
            context.launch_default("SERVER_SHUTDOWN", "graceful")?;
            context.launch_default("SERVER_FORWARD_HEADERS_STRATEGY", "native")?;
        }
        let Start::Command { process, because, .. } = start else { return Ok(Vec::new()) };
        output::heading("Start command");
        output::line(&format!("{} ({because})", process.shown()));
        output::line(&format!("memory and more: JAVA_TOOL_OPTIONS is {OPTIONS}"));
        output::line("to change: echo 'web: COMMAND' > Procfile, or set JAVA_TOOL_OPTIONS");
        Ok(vec![process])
    }
}

/// Whether there is something to compile.
fn work(app: &App) -> Work {
    if maven::fits(app) || gradle::fits(app) { Work::Build } else { Work::Run }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(files: &[(&str, &str)]) -> (String, String) {
        let (app, _dir) = App::of(files);
        let Packages { run, build } = Java.packages(&app).unwrap();
        let joined = |all: std::collections::BTreeSet<String>| Vec::from_iter(all).join(" ");
        (joined(run), joined(build))
    }

    #[test]
    fn the_image_gets_a_runtime_and_the_build_a_kit() {
        let check = |files: &[(&str, &str)], run: &str, build: &str| {
            assert_eq!(packages(files), (run.to_owned(), build.to_owned()), "{files:?}");
        };
        let pom = ("pom.xml", "<release>24</release>");
        check(&[pom], "openjdk-25-jre-headless", "maven openjdk-25-jdk-headless");
        check(&[pom, ("mvnw", "")], "openjdk-25-jre-headless", "openjdk-25-jdk-headless");
        check(&[pom, (".java-version", "17")], "", "maven");
        check(&[("settings.gradle", "")], "openjdk-21-jre-headless", "openjdk-21-jdk-headless");
        check(&[], "openjdk-21-jre-headless", "");
    }

    #[test]
    fn a_jar_beside_another_language_is_a_tool() {
        let (app, dir) = App::of(&[]);
        let manifest: &[u8] = b"Main-Class: M\n";
        jar::tests::jar(&dir.path().join("app.jar"), &[("META-INF/MANIFEST.MF", manifest)]);
        let expected = Verdict::Recognised("app.jar has a main class (M)".into());
        assert_eq!(Java.detect(&app).unwrap(), expected);
        std::fs::write(dir.path().join("package.json"), "{}").unwrap();
        assert_eq!(Java.detect(&app).unwrap(), Verdict::Unknown);
    }
}

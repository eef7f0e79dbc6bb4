//! What was built, and how it is started and told its port.

use super::jar::{self, Framework, Jar};
use crate::environment::sorted_entries;
use crate::packs::{App, PackError, Process, procfile};

/// What the image is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// Run this.
    Command { process: Process, because: String, framework: Framework },
    /// The Procfile says it all.
    Procfile,
}

/// Decides by what lies in the app's folder after the build.
pub(super) fn choose(app: &App) -> Result<Start, PackError> {
    if procfile::defines(app, "web") {
        return Ok(Start::Procfile);
    }
    if let Some((script, because)) = installed(app)? {
        let framework = framework_by_text(app)?;
        let line = format!("{}exec {script}", port(framework));
        return Ok(Start::Command { process: Process::shell("web", &line), because, framework });
    }
    let jars = built(app)?;
    let mut likely: Vec<&Jar> = jars.iter().collect();
    if jars.iter().any(|jar| jar.framework != Framework::Plain) {
        likely.retain(|jar| jar.framework != Framework::Plain);
    }
    match likely.as_slice() {
        [only] => command(app, only),
        [] if app.has("Procfile") => Ok(Start::Procfile),
        [] => Err(nothing(app)),
        [first, ..] => {
            let names: Vec<&str> = likely.iter().map(|jar| jar.file.as_str()).collect();
            Err(PackError::app(
                format!("several of the jars that were built can be started: {}", names.join(", ")),
                format!("say which one serves: echo 'web: java -jar {}' > Procfile", first.file),
            ))
        }
    }
}

fn command(app: &App, jar: &Jar) -> Result<Start, PackError> {
    let Jar { file, main, framework, .. } = jar;
    // A program of Micronaut's whose libraries lie beside it shows it in its build file only.
    let framework = match framework {
        Framework::Plain => framework_by_text(app)?,
        known => *known,
    };
    let arguments = if framework == Framework::Ktor { " -port=${PORT:-8080}" } else { "" };
    let line = format!("{}exec java -jar {file}{arguments}", port(framework));
    let because = match framework {
        Framework::Plain => format!("its main class is {main}"),
        other => format!("{other:?}; its main class is {main}"),
    };
    Ok(Start::Command { process: Process::shell("web", &line), because, framework })
}

/// The variables by which a framework is told its port.
fn port(framework: Framework) -> &'static str {
    match framework {
        Framework::Spring | Framework::Helidon => "SERVER_PORT=${PORT:-8080} ",
        Framework::Quarkus => "QUARKUS_HTTP_HOST=0.0.0.0 QUARKUS_HTTP_PORT=${PORT:-8080} ",
        Framework::Micronaut => "MICRONAUT_SERVER_PORT=${PORT:-8080} ",
        Framework::Ktor | Framework::Plain => "",
    }
}

/// The framework that the build files name.
pub(super) fn framework_by_text(app: &App) -> Result<Framework, PackError> {
    let mut text = String::new();
    for file in ["pom.xml", "build.gradle", "build.gradle.kts"] {
        text += &app.text(file)?.unwrap_or_default();
    }
    let named = |mark: &str| text.contains(mark);
    Ok(if named("org.springframework.boot") {
        Framework::Spring
    } else if named("io.micronaut") {
        Framework::Micronaut
    } else if named("io.helidon") {
        Framework::Helidon
    } else {
        Framework::Plain
    })
}

/// The start script that Gradle's `installDist` made.
fn installed(app: &App) -> Result<Option<(String, String)>, PackError> {
    for folder in modules(app)? {
        let below = |rest: &str| {
            if folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") }
        };
        let install = app.path(below("build/install"));
        for program in sorted_entries(&install).map_err(PackError::io(&install))? {
            let Some(name) = program.file_name().and_then(|it| it.to_str()) else { continue };
            let script = below(&format!("build/install/{name}/bin/{name}"));
            if app.has(&script) {
                return Ok(Some((script, "the application plugin of Gradle made it".to_owned())));
            }
        }
    }
    Ok(None)
}

/// The jars that can be started, of the first place that has any, in the app's folder before its
/// modules.
fn built(app: &App) -> Result<Vec<Jar>, PackError> {
    let mut all = Vec::new();
    for folder in modules(app)? {
        for place in jar::PLACES {
            let place =
                if folder.is_empty() { place.to_owned() } else { format!("{folder}/{place}") };
            let jars = jar::in_folder(app, &place)?;
            let found = !jars.is_empty();
            // Within a folder the likeliest is first, and the others are what it was made of.
            all.extend(jars.into_iter().take(1));
            if found {
                break;
            }
        }
    }
    if all.is_empty() {
        all.extend(jar::finished(app)?);
    }
    Ok(all)
}

/// The app's folder, as an empty name, and those of its modules.
fn modules(app: &App) -> Result<Vec<String>, PackError> {
    let mut folders = vec![String::new()];
    for path in sorted_entries(app.dir()).map_err(PackError::io(app.dir()))? {
        let Some(name) = path.file_name().and_then(|it| it.to_str()) else { continue };
        if ["pom.xml", "build.gradle", "build.gradle.kts"].iter().any(|it| path.join(it).is_file())
        {
            folders.push(name.to_owned());
        }
    }
    Ok(folders)
}

fn nothing(app: &App) -> PackError {
    let hint = if app.has("pom.xml") {
        "let the jar plugin write it: <mainClass> below <archive><manifest> in pom.xml; or echo 'web: \
         java -cp target/classes MAIN' > Procfile"
    } else {
        "add `application` to the plugins in the build file, with its main class; or echo 'web: java -cp \
         CLASSES MAIN' > Procfile"
    };
    PackError::app(
        "the app does not say how it starts: no jar that the build left has a main class",
        hint,
    )
}

#[cfg(test)]
mod tests {
    use super::super::jar::tests::{CLASS, jar};
    use super::*;

    fn check(files: &[(&str, &str)], jars: &[(&str, &str)], expected: &str) {
        let (app, dir) = App::of(files);
        for (path, manifest) in jars {
            let manifest = manifest.as_bytes();
            jar(&dir.path().join(path), &[("META-INF/MANIFEST.MF", manifest), ("M.class", CLASS)]);
        }
        let shown = match choose(&app) {
            Ok(Start::Command { process, .. }) => process.shown(),
            Ok(Start::Procfile) => "Procfile".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{files:?} {jars:?}");
    }

    const PLAIN: &str = "Main-Class: M\n";
    const SPRING: &str = "Main-Class: M\nSpring-Boot-Version: 3.5.0\n";

    #[test]
    fn each_framework_is_told_its_port_in_its_own_way() {
        let pom = ("pom.xml", "<project/>");
        check(&[pom], &[("target/a.jar", PLAIN)], "java -jar target/a.jar");
        check(
            &[pom],
            &[("target/a.jar", SPRING)],
            "SERVER_PORT=${PORT:-8080} java -jar target/a.jar",
        );
        check(
            &[pom],
            &[
                ("target/a.jar", "X: y\n"),
                ("target/quarkus-app/quarkus-run.jar", "Main-Class: io.quarkus.E\n"),
            ],
            "QUARKUS_HTTP_HOST=0.0.0.0 QUARKUS_HTTP_PORT=${PORT:-8080} java -jar \
             target/quarkus-app/quarkus-run.jar",
        );
        check(
            &[pom],
            &[("target/a.jar", "Main-Class: io.ktor.server.netty.EngineMain\n")],
            "java -jar target/a.jar -port=${PORT:-8080}",
        );
        let gradle = ("build.gradle", "plugins { id('io.micronaut.application') }");
        check(
            &[gradle, ("build/install/a/bin/a", "")],
            &[],
            "MICRONAUT_SERVER_PORT=${PORT:-8080} build/install/a/bin/a",
        );
    }

    #[test]
    fn the_right_jar_is_found() {
        let pom = ("pom.xml", "<project/>");
        check(
            &[pom],
            &[
                ("target/a-all.jar", PLAIN),
                ("target/a.jar", PLAIN),
                ("target/original-a.jar", PLAIN),
            ],
            "java -jar target/a-all.jar",
        );
        let module = ("web/pom.xml", "<project/>");
        check(
            &[pom, module, ("lib/pom.xml", "")],
            &[("lib/target/l.jar", "X: y\n"), ("web/target/w.jar", SPRING)],
            "SERVER_PORT=${PORT:-8080} java -jar web/target/w.jar",
        );
        check(
            &[pom, module, ("cli/pom.xml", "")],
            &[("cli/target/c.jar", SPRING), ("web/target/w.jar", SPRING)],
            "several of the jars that were built can be started: cli/target/c.jar, web/target/w.jar",
        );
        check(&[], &[("app.jar", PLAIN)], "java -jar app.jar");
        check(&[pom, ("Procfile", "web: java -jar x.jar")], &[], "Procfile");
        check(
            &[pom],
            &[("target/a.jar", "X: y\n")],
            "the app does not say how it starts: no jar that the build left has a main class",
        );
    }
}

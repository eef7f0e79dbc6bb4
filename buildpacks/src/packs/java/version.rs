//! Which Java: what the app asks for, and where it does; Debian's own where that will do.
//!
//! Debian's come with the base images' security updates and need nobody's download site. A level in
//! a build file is the least that will do, because every Java compiles for and runs older ones;
//! version managers' files and Gradle's toolchains name one line.

use super::jar;
use crate::packs::{App, PackError};

/// The lines that Debian 13 has, the usual one first: most libraries and plugins are tested with it.
pub(super) const DEBIAN: [u32; 2] = [21, 25];

/// Where a Java comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Debian's package of this line.
    Debian(u32),
    /// A build of Temurin's: a line, or one version.
    Temurin(String),
}

/// A choice and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) source: Source,
    pub(super) because: String,
}

/// Build files and what stands before a level in them.
const POM_LEVELS: [&str; 6] = [
    "maven.compiler.release",
    "java.version",
    "maven.compiler.source",
    "maven.compiler.target",
    "release",
    "jdk.version",
];
const GRADLE: [&str; 4] =
    ["build.gradle.kts", "build.gradle", "app/build.gradle.kts", "app/build.gradle"];
const GRADLE_TOOLCHAINS: [&str; 3] =
    ["JavaLanguageVersion.of(", "jvmToolchain(", "languageVersion = "];
const GRADLE_LEVELS: [&str; 4] =
    ["sourceCompatibility", "options.release", "targetCompatibility", "JavaVersion.VERSION_"];

/// Decides.
pub(super) fn choose(app: &App) -> Result<Choice, PackError> {
    if let Some((text, because)) = named(app)? {
        let Some(version) = number(&text) else {
            return Err(PackError::app(
                format!("{because}, and that is no version of Java"),
                "write one: echo java.runtime.version=21 > system.properties",
            ));
        };
        return Ok(Choice { source: exactly(&version), because });
    }
    if let Some((line, because)) = toolchain(app)? {
        return Ok(Choice { source: exactly(&line.to_string()), because });
    }
    if let Some((least, because)) = level(app)? {
        let because = format!("{because} or newer");
        return Ok(Choice { source: at_least(least), because });
    }
    let because = "the default; the app does not ask for one".to_owned();
    Ok(Choice { source: Source::Debian(DEBIAN[0]), because })
}

/// What the files of Heroku and of version managers say.
fn named(app: &App) -> Result<Option<(String, String)>, PackError> {
    let text = app.text("system.properties")?.unwrap_or_default();
    if let Some(value) = property(&text, "java.runtime.version") {
        return Ok(Some((value.clone(), format!("system.properties says {value}"))));
    }
    if let Some(line) = app.first_line(".java-version")? {
        return Ok(Some((line.clone(), format!(".java-version says {line}"))));
    }
    let text = app.text(".sdkmanrc")?.unwrap_or_default();
    if let Some(value) = property(&text, "java") {
        return Ok(Some((value.clone(), format!(".sdkmanrc says java={value}"))));
    }
    let text = app.text(".tool-versions")?.unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("java "));
    let word = line.and_then(|line| line.split_whitespace().next());
    Ok(word.map(|word| (word.to_owned(), format!(".tool-versions says java {word}"))))
}

/// The line that Gradle will insist on.
fn toolchain(app: &App) -> Result<Option<(u32, String)>, PackError> {
    for file in GRADLE {
        let text = app.text(file)?.unwrap_or_default();
        if let Some(line) = GRADLE_TOOLCHAINS.iter().find_map(|mark| major_after(&text, mark)) {
            return Ok(Some((line, format!("the toolchain in {file} is {line}"))));
        }
    }
    Ok(None)
}

/// The level that a build file compiles for, or that a finished jar was compiled for.
fn level(app: &App) -> Result<Option<(u32, String)>, PackError> {
    let pom = app.text("pom.xml")?.unwrap_or_default();
    for tag in POM_LEVELS {
        if let Some(level) = element(&pom, tag).and_then(|text| major(&text)) {
            return Ok(Some((level, format!("{tag} in pom.xml is {level}"))));
        }
    }
    for file in GRADLE {
        let text = app.text(file)?.unwrap_or_default();
        if let Some(level) = GRADLE_LEVELS.iter().find_map(|mark| major_after(&text, mark)) {
            return Ok(Some((level, format!("{file} compiles for {level}"))));
        }
    }
    let found = jar::finished(app)?;
    let level = found.and_then(|jar| Some((jar.level?, jar.file)));
    Ok(level.map(|(level, file)| (level, format!("{file} was compiled for {level}"))))
}

/// The source of a wish for one line or one version.
fn exactly(version: &str) -> Source {
    match version.parse() {
        Ok(line) if DEBIAN.contains(&line) => Source::Debian(line),
        Ok(_) | Err(_) => Source::Temurin(version.to_owned()),
    }
}

/// The source of the oldest that will do.
fn at_least(level: u32) -> Source {
    let debian = DEBIAN.into_iter().find(|line| *line >= level);
    debian.map_or_else(|| Source::Temurin(level.to_string()), Source::Debian)
}

/// A version in the words of version managers, as plain numbers: `temurin-21.0.5+11.0.LTS`,
/// `21.0.5-tem`, `1.8`, `openjdk64-17.0.2`, `8u392`. Other makers count their builds in ways of their
/// own, so of theirs only the line is believed.
fn number(text: &str) -> Option<String> {
    const SAME: [&str; 7] =
        ["tem", "temurin", "adoptopenjdk", "open", "openjdk", "openjdk64", "lts"];
    let (mut version, mut foreign) = (None, false);
    for part in text.trim().split('-') {
        if version.is_none() && part.starts_with(|c: char| c.is_ascii_digit()) {
            version = Some(part);
        } else {
            foreign |= !SAME.contains(&part);
        }
    }
    let plain = version?.split('+').next()?.replace('u', ".0.");
    let mut parts: Vec<u32> = plain.split('.').map_while(|part| part.parse().ok()).collect();
    if parts.first() == Some(&1) && parts.len() > 1 {
        parts.remove(0);
    }
    let kept = if foreign { 1 } else { 3 };
    let parts: Vec<String> = parts.iter().take(kept).map(u32::to_string).collect();
    (!parts.is_empty()).then(|| parts.join("."))
}

/// The line of `17`, `1.8`, `'21'`, `VERSION_1_8`.
fn major(text: &str) -> Option<u32> {
    let text = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let number = text.get(..end.unwrap_or(text.len()))?.replace('_', ".");
    let mut parts = number.split('.').filter_map(|part| part.parse().ok());
    match parts.next()? {
        1 => parts.next(),
        line => Some(line),
    }
}

/// The line that follows a mark on the same line of a build file.
fn major_after(text: &str, mark: &str) -> Option<u32> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let mut rests = lines.filter_map(|line| Some(line.split_once(mark)?.1));
    rests.find_map(|rest| {
        // A number, or words that name one: not a variable of the build file.
        let near = rest.split(char::is_alphabetic).next().unwrap_or_default();
        let constant = rest.split_once("VERSION_").map(|(_, rest)| rest);
        major(constant.unwrap_or(near))
    })
}

/// A line `key=value` of a properties file.
fn property(text: &str, key: &str) -> Option<String> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(['=', ':']));
    let value = pairs.find_map(|(name, value)| (name.trim() == key).then(|| value.trim()))?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// The text of the first element of that name, references to properties resolved once.
fn element(pom: &str, tag: &str) -> Option<String> {
    let text = pom.split_once(&format!("<{tag}>"))?.1.split_once("</")?.0.trim();
    match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(name) if name != tag => element(pom, name).filter(|text| !text.starts_with("${")),
        Some(_) => None,
        None => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let (app, _dir) = App::of(files);
        let shown = match choose(&app) {
            Ok(Choice { source: Source::Debian(line), because }) => {
                format!("debian {line}: {because}")
            }
            Ok(Choice { source: Source::Temurin(it), because }) => {
                format!("temurin {it}: {because}")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{files:?}");
    }

    #[test]
    fn what_names_a_line_is_followed() {
        let pom = ("pom.xml", "<java.version>17</java.version>");
        let system = ("system.properties", "# x\njava.runtime.version = 17\n");
        check(&[pom, system], "temurin 17: system.properties says 17");
        check(&[pom, (".java-version", "1.8\n")], "temurin 8: .java-version says 1.8");
        check(&[(".java-version", "25")], "debian 25: .java-version says 25");
        check(
            &[(".sdkmanrc", "java=21.0.5-tem")],
            "temurin 21.0.5: .sdkmanrc says java=21.0.5-tem",
        );
        check(
            &[(".tool-versions", "java corretto-21.0.5.11.1\nmaven 3")],
            "debian 21: .tool-versions says java corretto-21.0.5.11.1",
        );
        let gradle = "java { toolchain { languageVersion = JavaLanguageVersion.of(17) } }";
        check(&[("build.gradle", gradle)], "temurin 17: the toolchain in build.gradle is 17");
        check(
            &[("build.gradle.kts", "kotlin {\n  jvmToolchain(21)\n}")],
            "debian 21: the toolchain in build.gradle.kts is 21",
        );
        check(
            &[(".java-version", "newest")],
            ".java-version says newest, and that is no version of Java",
        );
    }

    #[test]
    fn a_level_is_the_least_that_will_do() {
        let pom = |text: &'static str| ("pom.xml", text);
        check(
            &[pom("<java.version>17</java.version>")],
            "debian 21: java.version in pom.xml is 17 or newer",
        );
        let reference = "<jdk>22</jdk><maven.compiler.release>${jdk}</maven.compiler.release>";
        check(&[pom(reference)], "debian 25: maven.compiler.release in pom.xml is 22 or newer");
        check(&[pom("<release>26</release>")], "temurin 26: release in pom.xml is 26 or newer");
        check(
            &[pom("<java.version>${java.version}</java.version>")],
            "debian 21: the default; the app does not ask for one",
        );
        check(
            &[("build.gradle", "sourceCompatibility = JavaVersion.VERSION_1_8")],
            "debian 21: build.gradle compiles for 8 or newer",
        );
        check(
            &[("build.gradle", "sourceCompatibility = '17'")],
            "debian 21: build.gradle compiles for 17 or newer",
        );
        check(&[], "debian 21: the default; the app does not ask for one");
    }

    #[test]
    fn version_managers_have_their_own_words() {
        let check = |text, expected: Option<&str>| {
            assert_eq!(number(text).as_deref(), expected, "{text}");
        };
        check("temurin-21.0.5+11.0.LTS", Some("21.0.5"));
        check("openjdk64-17.0.2", Some("17.0.2"));
        check("8u392", Some("8.0.392"));
        check("1.8.0", Some("8.0"));
        check("zulu-21.38.21", Some("21"));
        check("21.0.5-graalce", Some("21"));
        check("lts", None);
    }
}

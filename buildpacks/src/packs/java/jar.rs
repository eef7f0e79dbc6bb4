//! What is in a jar: whether it can be started, by which framework, and for which Java it was made.
//!
//! A jar is input: only its manifest and the head of one class are read, under a cap.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::packs::{App, PackError};

/// The most that is read of a manifest, in bytes.
const MANIFEST: u64 = 64 * 1024;

/// Where builds leave their jars, below the folder of a module.
pub(super) const PLACES: [&str; 4] =
    ["target/quarkus-app", "build/quarkus-app", "target", "build/libs"];

/// Ends of names of jars that hold sources, tests, or what another jar was made of.
const ASIDE: [&str; 6] = [
    "-sources.jar",
    "-javadoc.jar",
    "-tests.jar",
    "-plain.jar",
    "-test-sources.jar",
    ".original.jar",
];

/// A jar that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jar {
    /// Its path in the app's folder.
    pub(super) file: String,
    pub(super) main: String,
    pub(super) framework: Framework,
    /// The line of Java that its main class was compiled for.
    pub(super) level: Option<u32>,
}

/// What serves, as far as it matters to how it is told its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framework {
    Spring,
    Quarkus,
    Micronaut,
    Helidon,
    Ktor,
    /// The program reads `PORT` itself.
    Plain,
}

/// The jar of an app that is uploaded as a jar.
pub(super) fn finished(app: &App) -> Result<Option<Jar>, PackError> {
    for place in ["quarkus-app", "."].iter().chain(&PLACES) {
        if let Some(jar) = in_folder(app, place)?.into_iter().next() {
            return Ok(Some(jar));
        }
    }
    Ok(None)
}

/// The jars of a folder that can be started, the likeliest first.
pub(super) fn in_folder(app: &App, folder: &str) -> Result<Vec<Jar>, PackError> {
    let dir = app.path(folder);
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let listed = fs::read_dir(&dir).map_err(PackError::io(&dir))?;
    let mut names: Vec<String> =
        listed.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| {
        let aside = ASIDE.iter().any(|end| name.ends_with(end)) || name.starts_with("original-");
        is_jar(name) && !aside
    });
    names.sort();
    let path = |name: &String| {
        if folder == "." { name.clone() } else { format!("{folder}/{name}") }
    };
    let mut jars: Vec<Jar> =
        names.iter().filter_map(|name| read(&app.path(path(name)), path(name))).collect();
    // A jar of an older version may have been uploaded along; what was built is newer.
    let made = |jar: &Jar| fs::metadata(app.path(&jar.file)).and_then(|it| it.modified()).ok();
    jars.sort_by_key(|jar| {
        (jar.framework == Framework::Plain, !is_fat(&jar.file), Reverse(made(jar)))
    });
    Ok(jars)
}

/// Whether it is a jar by its name; a war of Spring's can be started, too.
fn is_jar(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "jar" || end == "war")
}

/// Whether a name says that the jar holds its libraries.
fn is_fat(file: &str) -> bool {
    const ENDS: [&str; 7] =
        ["-all", "-shaded", "-fat", "-exec", "-runner", "-with-dependencies", "-boot"];
    let stem = file.strip_suffix(".jar").unwrap_or(file);
    ENDS.iter().any(|end| stem.ends_with(end))
}

/// Reads a jar; nothing if it is none, or has no main class.
fn read(path: &Path, file: String) -> Option<Jar> {
    let mut zip = ZipArchive::new(BufReader::new(File::open(path).ok()?)).ok()?;
    let mut text = String::new();
    zip.by_name("META-INF/MANIFEST.MF").ok()?.take(MANIFEST).read_to_string(&mut text).ok()?;
    let text = unfolded(&text);
    let value = |key: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(": "));
        pairs.find_map(|(name, value)| (name == key).then(|| value.trim().to_owned()))
    };
    let main = value("Main-Class")?;
    let inner = if file.ends_with("war") { "WEB-INF" } else { "BOOT-INF" };
    let own = value("Start-Class").map(|class| format!("{inner}/classes/{class}"));
    let class = own.unwrap_or_else(|| main.clone()).replace('.', "/") + ".class";
    let framework = if value("Spring-Boot-Version").is_some() || value("Start-Class").is_some() {
        Framework::Spring
    } else if main.starts_with("io.quarkus.") {
        Framework::Quarkus
    } else if main.starts_with("io.helidon.") {
        Framework::Helidon
    } else if main.starts_with("io.ktor.server.") && main.ends_with("EngineMain") {
        Framework::Ktor
    } else if zip
        .file_names()
        .any(|name| name.is_ok_and(|name| name.starts_with("io/micronaut/http/server/")))
    {
        Framework::Micronaut
    } else {
        Framework::Plain
    };
    let level = level(&mut zip, &class);
    Some(Jar { file, main, framework, level })
}

/// The line of Java that a class was compiled for: its format has a number for each.
fn level(zip: &mut ZipArchive<BufReader<File>>, class: &str) -> Option<u32> {
    let mut head = [0_u8; 8];
    zip.by_name(class).ok()?.read_exact(&mut head).ok()?;
    let [0xca, 0xfe, 0xba, 0xbe, _, _, high, low] = head else { return None };
    u32::from(u16::from_be_bytes([high, low])).checked_sub(44)
}

/// A manifest breaks its lines after 72 bytes; what follows begins with a space.
fn unfolded(text: &str) -> String {
    text.replace("\r\n", "\n").replace("\n ", "")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    /// Writes a jar of these files.
    pub(in super::super) fn jar(path: &Path, files: &[(&str, &[u8])]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
        for (name, bytes) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
    }

    /// The head of a class for Java 17.
    pub(in super::super) const CLASS: &[u8] = &[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61];

    #[test]
    fn a_jar_says_what_starts_it_and_for_which_java() {
        let (app, dir) = App::of(&[("x.jar", "no zip")]);
        let manifest = "META-INF/MANIFEST.MF";
        let plain = b"Main-Class: a.very.long.name.of.a.class.that.is.bro\r\n ken.Main\r\n";
        let class = "a/very/long/name/of/a/class/that/is/broken/Main.class";
        jar(&dir.path().join("a.jar"), &[(manifest, plain), (class, CLASS)]);
        let boot =
            b"Main-Class: org.springframework.boot.loader.launch.JarLauncher\nStart-Class: a.B\n";
        jar(&dir.path().join("z.jar"), &[(manifest, boot), ("BOOT-INF/classes/a/B.class", CLASS)]);
        jar(&dir.path().join("lib.jar"), &[(manifest, b"Created-By: x\n")]);
        jar(&dir.path().join("z-sources.jar"), &[(manifest, plain)]);
        let seen = in_folder(&app, ".").unwrap();
        let shown: Vec<_> = seen
            .iter()
            .map(|it| format!("{} {:?} {:?}", it.file, it.framework, it.level))
            .collect();
        assert_eq!(shown, ["z.jar Spring Some(17)", "a.jar Plain Some(17)"]);
        assert_eq!(seen[1].main, "a.very.long.name.of.a.class.that.is.broken.Main");
        assert_eq!(finished(&app).unwrap().unwrap().file, "z.jar");
    }

    #[test]
    fn what_was_built_is_newer_than_what_was_uploaded() {
        let (app, dir) = App::of(&[]);
        for (name, seconds) in [("app-1.jar", 100), ("app-2.jar", 300), ("app-3.war", 200)] {
            let path = dir.path().join("target").join(name);
            jar(&path, &[("META-INF/MANIFEST.MF", b"Main-Class: M\n")]);
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        }
        let seen = in_folder(&app, "target").unwrap();
        let files: Vec<_> = seen.iter().map(|jar| jar.file.as_str()).collect();
        assert_eq!(files, ["target/app-2.jar", "target/app-3.war", "target/app-1.jar"]);
    }
}

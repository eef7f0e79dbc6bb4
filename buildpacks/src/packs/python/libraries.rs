//! Debian packages by Python package: what one without a ready-made wheel is compiled with, and what
//! one loads or runs that its wheel leaves out.
//!
//! Names are looked for in the files that say what is installed, as whole words. A name that only
//! stands there costs a layer that nobody uses; a name that is missed costs the deploy.

use super::Source;
use crate::packs::packages::Packages;
use crate::packs::{App, PackError};

/// A package, what it needs to run, and what it needs to be compiled.
type Needs = (&'static str, &'static [&'static str], &'static [&'static str]);

const NEEDS: [Needs; 19] = [
    ("mysqlclient", &["libmariadb3"], &["libmariadb-dev"]),
    ("python-ldap", &["libldap2"], &["libldap-dev", "libsasl2-dev"]),
    ("pycairo", &["libcairo2"], &["libcairo2-dev"]),
    ("xmlsec", &["libxmlsec1t64-openssl"], &["libxmlsec1-dev"]),
    ("pygraphviz", &["graphviz"], &["libgraphviz-dev"]),
    ("pyaudio", &["libportaudio2"], &["portaudio19-dev"]),
    ("dlib", &[], &["cmake"]),
    ("weasyprint", &["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"], &[]),
    ("cairosvg", &["libcairo2"], &[]),
    ("cairocffi", &["libcairo2"], &[]),
    ("python-magic", &["libmagic1t64"], &[]),
    ("pyvips", &["libvips42t64"], &[]),
    ("opencv-python", &["libgl1", "libglib2.0-0t64"], &[]),
    ("pyzbar", &["libzbar0t64"], &[]),
    ("pdf2image", &["poppler-utils"], &[]),
    ("pytesseract", &["tesseract-ocr"], &[]),
    ("graphviz", &["graphviz"], &[]),
    ("pydub", &["ffmpeg"], &[]),
    ("ffmpeg-python", &["ffmpeg"], &[]),
];

/// The Debian packages of an app.
pub(super) fn packages(app: &App) -> Result<Packages, PackError> {
    let mut text = String::new();
    for file in Source::of(app)?.inputs() {
        text += &app.bytes(file).map(|it| String::from_utf8_lossy(&it).into_owned())?;
        text.push('\n');
    }
    let needed = NEEDS.iter().filter(|(name, _, _)| mentions(&text, name));
    let (mut run, mut build) = (Vec::new(), Vec::new());
    for (_, libraries, headers) in needed {
        run.extend(*libraries);
        // Packages are imported during the build, too, as by Django's `collectstatic`.
        build.extend(libraries.iter().chain(*headers));
    }
    Ok(Packages::new(run, build))
}

/// Whether a text without its comments has the name as a whole word, in any of its spellings.
fn mentions(text: &str, name: &str) -> bool {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let normal = |word: &str| word.to_ascii_lowercase().replace(['_', '.'], "-");
    let code = text.lines().map(|line| line.split('#').next().unwrap_or(line));
    code.flat_map(|line| line.split(|c: char| !of_a_name(c))).any(|word| normal(word) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], run: &str, build: &str) {
        let (app, _dir) = App::of(files);
        let found = packages(&app).unwrap();
        let joined =
            |all: std::collections::BTreeSet<String>| all.into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!((joined(found.run).as_str(), joined(found.build).as_str()), (run, build));
    }

    #[test]
    fn libraries_come_by_the_names_of_packages() {
        let both = "libmariadb-dev libmariadb3";
        check(&[("requirements.txt", "flask\nmysqlclient==2.2.7\n")], "libmariadb3", both);
        check(&[("uv.lock", "[[package]]\nname = \"mysqlclient\"\n")], "libmariadb3", both);
        check(&[("Pipfile.lock", "{\"default\":{\"mysqlclient\":{}}}")], "libmariadb3", both);
        let project = "[project]\ndependencies = [\"flask\", \"Python_Magic>=0.4\"]\n";
        check(&[("pyproject.toml", project)], "libmagic1t64", "libmagic1t64");
        check(
            &[("requirements.txt", "# not mysqlclient\nopencv-python-headless\nmysqlclient-x\n")],
            "",
            "",
        );
    }
}

//! Which Ruby: what the app asks for, and whether the base image's own will do.

use std::path::PathBuf;

use super::bundle::{code, quoted};
use super::libraries::Image;
use crate::packs::context::{BUILD, LAUNCH_BUILD};
use crate::packs::requirement::{Clause, Range, Relation, next, numbers};
use crate::packs::tool::Tool;
use crate::packs::{App, BuildContext, PackError, output};
use crate::toolchain::Scheme;

/// Debian's, which comes with security fixes and keeps its number.
const STACK: [u32; 3] = [3, 3, 8];
/// Where it is.
const PROGRAM: &str = "/usr/bin/ruby";

/// A wish.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    range: Range,
    /// In the app's own words, for messages.
    shown: String,
    because: String,
    source: Source,
}

/// Where a wish stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Bundler insists on it.
    Gemfile,
    /// A version manager's file; what differs in fixes only will do.
    File,
    /// The app does not ask.
    Nobody,
}

/// An interpreter of the app container.
#[derive(Debug)]
pub(super) struct Interpreter {
    /// Such as `3.3.8`.
    pub(super) version: String,
    /// The folder of its programs, where that is not on the path by itself.
    pub(super) bin: Option<PathBuf>,
}

/// Whether the base image's own will do, so that its package is needed.
pub(super) fn is_of_the_stack(app: &App) -> Result<bool, PackError> {
    Ok(wanted(app)?.range.has(&STACK))
}

/// Finds or asks for the interpreter; says which it is and why.
pub(super) fn choose(context: &BuildContext, image: Image) -> Result<Interpreter, PackError> {
    let wanted = wanted(&context.app)?;
    if !wanted.range.has(&STACK) {
        return fetched(context, &wanted, image);
    }
    let script = ["-e", "print RUBY_VERSION"];
    let version = Tool::new(PROGRAM, &script, context.app.dir()).read(&[])?;
    output::line(&format!("version {version} of the base image ({})", wanted.because));
    match wanted.source {
        Source::Nobody => output::line("to change: echo 3.4 > .ruby-version"),
        Source::File if numbers(&wanted.shown) != numbers(&version) => {
            output::line("it is of the line that the app asks for, and has its later fixes");
        }
        Source::File | Source::Gemfile => {}
    }
    Ok(Interpreter { version, bin: None })
}

/// A portable one, by the daemon.
fn fetched(
    context: &BuildContext,
    wanted: &Wanted,
    image: Image,
) -> Result<Interpreter, PackError> {
    // A file that names one version means that one, unless Debian's is of its line.
    let range = match numbers(&wanted.shown) {
        Some(parts) if wanted.source == Source::File && parts.len() > 2 => exact(&wanted.shown),
        Some(_) | None => wanted.range.clone(),
    };
    let have = STACK.map(|part| part.to_string()).join(".");
    output::line(&format!("{}; the base image has {have}", wanted.because));
    let ruby = context.toolchain("ruby", &range.specifier(), Scheme::Pep440)?;
    output::line(&format!("version {}, a portable one", ruby.version));
    let types = match image {
        Image::App => LAUNCH_BUILD,
        Image::Pages => BUILD,
    };
    let layer = context.link("ruby", types, &ruby)?;
    Ok(Interpreter { version: ruby.version, bin: Some(layer.join("bin")) })
}

/// The app's wish: Gemfile first, because Bundler refuses to run with any other Ruby.
fn wanted(app: &App) -> Result<Wanted, PackError> {
    if let Some(line) = gemfile_line(&app.text("Gemfile")?.unwrap_or_default()) {
        if line.contains(".ruby-version") || line.contains(".tool-versions") {
            if let Some((version, file)) = file(app)? {
                let range = exact(&version);
                let because = format!("Gemfile says to read {file}, which says {version}");
                return Ok(Wanted { range, shown: version, because, source: Source::Gemfile });
            }
        } else if let Some(engine) = line.split_once("engine").and_then(|it| quoted(it.1).next())
            && engine != "ruby"
        {
            return Err(not_mri(engine, "Gemfile"));
        }
        let own = line.split("engine").next().unwrap_or_default();
        let parts: Vec<&str> = quoted(own).collect();
        if let Some(range) = parse(&parts) {
            let shown = parts.join(", ");
            let because = format!("Gemfile says ruby \"{}\"", parts.join("\", \""));
            return Ok(Wanted { range, shown, because, source: Source::Gemfile });
        }
    }
    if let Some((version, file)) = file(app)? {
        let parts = numbers(&version).ok_or_else(|| not_mri(&version, file))?;
        let line = parts.iter().take(2).copied().collect();
        let because = format!("{file} says {version}");
        return Ok(Wanted {
            range: Range::line(line),
            shown: version,
            because,
            source: Source::File,
        });
    }
    Ok(Wanted {
        range: Range::any(),
        shown: String::new(),
        because: "the default; the app does not ask for one".to_owned(),
        source: Source::Nobody,
    })
}

fn not_mri(engine: &str, file: &str) -> PackError {
    PackError::app(
        format!("{file} asks for {engine}; only Ruby itself is known here"),
        "write a version, as in `echo 3.3 > .ruby-version`; or bring it in a Dockerfile",
    )
}

/// The line that says `ruby …`.
fn gemfile_line(gemfile: &str) -> Option<&str> {
    let mut lines = gemfile.lines().map(code);
    lines.find(|line| line.starts_with("ruby ") || line.starts_with("ruby("))
}

/// The version in a version manager's file.
fn file(app: &App) -> Result<Option<(String, &'static str)>, PackError> {
    if let Some(line) = app.first_line(".ruby-version")? {
        let version = line.strip_prefix("ruby-").unwrap_or(&line).to_owned();
        return Ok(Some((version, ".ruby-version")));
    }
    let text = app.text(".tool-versions")?.unwrap_or_default();
    let version = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("ruby")).then(|| words.next()).flatten()
    });
    Ok(version.map(|it| (it.to_owned(), ".tool-versions")))
}

fn exact(version: &str) -> Range {
    numbers(version)
        .map_or(Range::any(), |bound| Range(vec![vec![Clause::new(Relation::Equal, bound)]]))
}

/// `"~> 3.2"`, `">= 3.1", "< 3.5"`, as gems write them; none if they are no versions.
fn parse(parts: &[&str]) -> Option<Range> {
    let texts = parts.iter().flat_map(|part| part.split(',')).map(str::trim);
    let clauses: Option<Vec<Vec<Clause>>> = texts.map(clause).collect();
    clauses.filter(|it| !it.is_empty()).map(|all| Range(vec![all.concat()]))
}

fn clause(text: &str) -> Option<Vec<Clause>> {
    let at = text.find(|c: char| c.is_ascii_digit())?;
    let (operator, version) = text.split_at(at);
    let bound = numbers(version)?;
    let relation = match operator.trim() {
        "" | "=" => Relation::Equal,
        ">=" => Relation::AtLeast,
        ">" => Relation::More,
        "<=" => Relation::AtMost,
        "<" => Relation::Less,
        "!=" => Relation::Not,
        "~>" => {
            let above = Clause::new(Relation::Less, next(&bound, bound.len().saturating_sub(1)));
            return Some(vec![Clause::new(Relation::AtLeast, bound), above]);
        }
        _ => return None,
    };
    Some(vec![Clause::new(relation, bound)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], fits: bool, because: &str) {
        let (app, _dir) = App::of(files);
        match wanted(&app) {
            Ok(wanted) => {
                assert_eq!((wanted.range.has(&STACK), wanted.because.as_str()), (fits, because));
            }
            Err(error) => assert_eq!(error.to_string(), because),
        }
    }

    #[test]
    fn the_wish_and_its_place() {
        let gemfile = |line: &'static str| ("Gemfile", line);
        check(&[gemfile("ruby '3.3.8'")], true, "Gemfile says ruby \"3.3.8\"");
        check(&[gemfile("ruby '3.3.6'")], false, "Gemfile says ruby \"3.3.6\"");
        check(&[gemfile("ruby '~> 3.3.0'")], true, "Gemfile says ruby \"~> 3.3.0\"");
        check(&[gemfile("ruby \"~> 3.1\" # yes")], true, "Gemfile says ruby \"~> 3.1\"");
        check(&[gemfile("ruby '~> 3.2.0'")], false, "Gemfile says ruby \"~> 3.2.0\"");
        check(
            &[gemfile("ruby \">= 3.1\", \"< 3.5\"")],
            true,
            "Gemfile says ruby \">= 3.1\", \"< 3.5\"",
        );
        check(&[gemfile("ruby '>= 3.4'")], false, "Gemfile says ruby \">= 3.4\"");
        let read = gemfile("ruby file: '.ruby-version'");
        check(
            &[read, (".ruby-version", "3.3.8\n")],
            true,
            "Gemfile says to read .ruby-version, which says 3.3.8",
        );
        check(
            &[read, (".ruby-version", "3.3.1\n")],
            false,
            "Gemfile says to read .ruby-version, which says 3.3.1",
        );
        check(&[(".ruby-version", "ruby-3.3.1\n")], true, ".ruby-version says 3.3.1");
        check(&[(".ruby-version", "3.4\n")], false, ".ruby-version says 3.4");
        check(&[(".tool-versions", "nodejs 24\nruby 3.3.5\n")], true, ".tool-versions says 3.3.5");
        check(
            &[(".ruby-version", "jruby-9.4\n")],
            false,
            ".ruby-version asks for jruby-9.4; only Ruby itself is known here",
        );
        check(
            &[gemfile("ruby '3.1', engine: 'jruby', engine_version: '9.4'")],
            false,
            "Gemfile asks for jruby; only Ruby itself is known here",
        );
        check(&[], true, "the default; the app does not ask for one");
    }

    #[test]
    fn the_daemon_is_asked_in_its_own_words() {
        let check = |parts: &[&str], expected| {
            assert_eq!(parse(parts).unwrap().specifier(), expected);
        };
        check(&["3.4.7"], "==3.4.7");
        check(&["~> 3.4.1"], ">=3.4.1,<3.5");
        check(&[">= 3.1", "< 3.3"], ">=3.1,<3.3");
        assert_eq!(Range::line(vec![3, 4]).specifier(), "==3.4.*");
    }
}

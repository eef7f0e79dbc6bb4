//! Which Ruby: what the app asks for, and whether the base image's own will do.

use super::bundle::{code, quoted};
use crate::packs::requirement::{Clause, Range, Relation, next, numbers};
use crate::packs::tool::Tool;
use crate::packs::{App, BuildContext, PackError, output};

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

/// Says which Ruby it is and why; its version.
pub(super) fn choose(context: &BuildContext) -> Result<String, PackError> {
    let wanted = wanted(&context.app)?;
    if !wanted.range.has(&STACK) {
        return Err(refused(&wanted));
    }
    let script = ["-e", "print RUBY_VERSION"];
    let version = Tool::new(PROGRAM, &script, context.app.dir()).read(&[])?;
    output::line(&format!("version {version} of the base image ({})", wanted.because));
    match wanted.source {
        Source::Nobody => output::line("to change: echo 3.3 > .ruby-version"),
        Source::File if numbers(&wanted.shown) != numbers(&version) => {
            output::line("it is of the line that the app asks for, and has its later fixes");
        }
        Source::File | Source::Gemfile => {}
    }
    Ok(version)
}

fn refused(wanted: &Wanted) -> PackError {
    let have = STACK.map(|part| part.to_string()).join(".");
    let hint = match wanted.source {
        Source::Gemfile => {
            "allow it: write `ruby \"~> 3.3\"` in Gemfile, then bundle lock && git add Gemfile.lock"
        }
        Source::File | Source::Nobody => "ask for it: echo 3.3 > .ruby-version",
    };
    PackError::app(
        format!(
            "there is no Ruby {} for apps here: {}; the base image has {have}",
            wanted.shown, wanted.because
        ),
        format!("{hint}; or bring another Ruby in a Dockerfile"),
    )
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
}

//! Which PHP: what the app asks for, and whether the base image's own will do.

use super::project::Project;
use crate::packs::requirement::{Clause, Range, Relation, next, numbers};
use crate::packs::tool::Tool;
use crate::packs::{App, BuildContext, PackError, output};

/// Debian's line, which comes with the newest fixes.
const LINE: [u32; 2] = [8, 4];

/// A wish, in the app's own words, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    range: Range,
    because: String,
    is_default: bool,
}

/// Says which PHP it is and why; its version.
pub(super) fn choose(context: &BuildContext, project: &Project) -> Result<String, PackError> {
    let wanted = wanted(&context.app, project)?;
    if !wanted.range.meets(&LINE) {
        return Err(PackError::app(
            format!(
                "there is no such PHP for apps here: {}; the base image has 8.4",
                wanted.because
            ),
            "allow it: composer require php:^8.4 && git add composer.json composer.lock; or bring \
             another PHP in a Dockerfile",
        ));
    }
    let script = ["-r", "echo PHP_VERSION;"];
    let version = Tool::new("php", &script, context.app.dir()).read(&[])?;
    output::line(&format!("version {version} of the base image ({})", wanted.because));
    if wanted.is_default {
        output::line("to say which versions will do: composer require php:^8.4");
    }
    Ok(version)
}

fn wanted(app: &App, project: &Project) -> Result<Wanted, PackError> {
    let wish = |range, because| Ok(Wanted { range, because, is_default: false });
    if let Some((text, file)) = &project.php {
        return wish(parse(text), format!("{file} says php {text}"));
    }
    let line = |text: &str| {
        let line = numbers(text).map(|all| all.into_iter().take(2).collect());
        line.map_or(Range::any(), Range::line)
    };
    if let Some(text) = app.first_line(".php-version")? {
        return wish(line(&text), format!(".php-version says {text}"));
    }
    let tools = app.text(".tool-versions")?.unwrap_or_default();
    let mut lines = tools.lines().map(str::split_whitespace);
    if let Some(text) = lines.find_map(|mut it| it.next().filter(|it| *it == "php").and(it.next()))
    {
        return wish(line(text), format!(".tool-versions says php {text}"));
    }
    let because = "the default; the app does not ask for one".to_owned();
    Ok(Wanted { range: Range::any(), because, is_default: true })
}

/// Composer's ranges, such as `^8.2 || ~9.0`. What is not understood counts as anything: Composer
/// itself decides in the end.
fn parse(text: &str) -> Range {
    let alternatives = text.split('|').map(str::trim).filter(|it| !it.is_empty());
    let all: Vec<Vec<Clause>> = alternatives.map(alternative).collect();
    if all.is_empty() { Range::any() } else { Range(all) }
}

fn alternative(text: &str) -> Vec<Clause> {
    if let Some((from, to)) = text.split_once(" - ") {
        let bounds = numbers(from.trim()).zip(numbers(to.trim()));
        return bounds.map_or(Vec::new(), |(from, to)| {
            let above = next(&to, to.len());
            vec![Clause::new(Relation::AtLeast, from), Clause::new(Relation::Less, above)]
        });
    }
    let mut clauses = Vec::new();
    let mut operator = String::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        let word = operator.clone() + word;
        if word.contains(|c: char| c.is_ascii_digit()) {
            clauses.extend(clause(&word));
            operator.clear();
        } else {
            operator = word;
        }
    }
    clauses
}

fn clause(word: &str) -> Vec<Clause> {
    let at = word.find(|c: char| c.is_ascii_digit()).unwrap_or_default();
    let (operator, version) = word.split_at(at);
    let Some(bound) = numbers(version) else { return Vec::new() };
    let from = |above: Vec<u32>| {
        vec![Clause::new(Relation::AtLeast, bound.clone()), Clause::new(Relation::Less, above)]
    };
    let relation = match operator.trim_end_matches('v') {
        "^" => return from(next(&bound, 1)),
        "~" => return from(next(&bound, bound.len().saturating_sub(1))),
        ">=" => Relation::AtLeast,
        ">" => Relation::More,
        "<=" => Relation::AtMost,
        "<" => Relation::Less,
        "!=" | "<>" => Relation::Not,
        "" | "=" | "==" => Relation::Of,
        _ => return Vec::new(),
    };
    vec![Clause::new(relation, bound)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_composer_reads_them() {
        for range in [
            "^8.1",
            "^8.4",
            ">=7.4",
            ">= 8.0 <9",
            ">=8.2,<8.5",
            "~8.2",
            "~8.4.0",
            "8.4.*",
            "8.*",
            "*",
            "^7.4 || ^8.0",
            "^7.4|^8.4",
            "8.1 - 8.4",
            ">8.3",
            "!=8.4.1",
            "8.4.3",
            "^8.4@dev",
        ] {
            assert!(parse(range).meets(&LINE), "{range}");
        }
        for range in [
            "^7.4",
            "~8.3.0",
            "8.3.*",
            "<8.4",
            ">=8.5",
            "^9",
            "8.1 - 8.3",
            "^7.4 || 8.2.*",
            "8.3.12",
        ] {
            assert!(!parse(range).meets(&LINE), "{range}");
        }
    }

    #[test]
    fn the_wish_and_its_place() {
        let check = |files: &[(&str, &str)], fits: bool, because: &str| {
            let (app, _dir) = App::of(files);
            let wanted = wanted(&app, &Project::of(&app).unwrap()).unwrap();
            assert_eq!((wanted.range.meets(&LINE), wanted.because.as_str()), (fits, because));
        };
        let composer = ("composer.json", r#"{"require":{"php":"^8.2"}}"#);
        check(&[composer, (".php-version", "7.4")], true, "composer.json says php ^8.2");
        check(&[(".php-version", "8.3\n")], false, ".php-version says 8.3");
        check(&[(".tool-versions", "php 8.4.2\n")], true, ".tool-versions says php 8.4.2");
        check(&[], true, "the default; the app does not ask for one");
    }
}

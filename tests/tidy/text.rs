//! What a file may be called and may contain, whoever it imports.
//!
//! Invariant: every rule reads one file at a time, so that a fault names one file and one line.

use crate::source::code_only;
use crate::table::{EMPTY_NAMES, LONGEST_FILE, NOTES_TO_SELF, REGISTRY_HOSTS, UNWELCOME_CODE};

/// Faults of a Rust file, as `line: what and why`.
pub(crate) fn check_rust(path: &str, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !source.starts_with("//!") {
        faults.push("1: a file opens with `//!`: what it is for, and what it is not".to_owned());
    }
    let length = source.lines().count();
    if length > LONGEST_FILE {
        faults.push(format!("{length}: longer than {LONGEST_FILE} lines: two nouns in one file?"));
    }
    for step in path.split(['/', '.']).filter(|step| EMPTY_NAMES.contains(step)) {
        faults.push(format!("1: `{step}` says nothing; name the noun or the verb inside"));
    }
    for note in NOTES_TO_SELF {
        let found = lines_with(source, note);
        faults.extend(found.map(|line| format!("{line}: {note}: do it, or open an issue")));
    }
    let code = code_only(source);
    for (place, fragment, why) in UNWELCOME_CODE {
        if path.starts_with(place) {
            let found = lines_with(&code, fragment);
            faults.extend(found.map(|line| format!("{line}: `{fragment}`: {why}")));
        }
    }
    faults
}

/// Faults that any text file can have.
pub(crate) fn check_any(text: &str) -> Vec<String> {
    let found = |host: &&str| lines_with(text, host).map(|l| (l, (*host).to_owned())).collect();
    let faults = REGISTRY_HOSTS.iter().flat_map(|host| -> Vec<(usize, String)> { found(host) });
    faults
        .map(|(line, host)| {
            format!("{line}: `{host}`: registries come from the host's own configuration")
        })
        .collect()
}

/// Lines, counted from one, on which `fragment` stands and is not the tail of a longer word.
fn lines_with<'a>(text: &'a str, fragment: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let has = move |line: &str| {
        line.match_indices(fragment).any(|(at, _)| {
            let before = line.get(..at).and_then(|head| head.chars().next_back());
            !(before.is_some_and(is_word) && fragment.starts_with(is_word))
        })
    };
    text.lines().enumerate().filter(move |(_, line)| has(line)).map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str, body: &str) {
        let source = format!("//! Doc.\n{body}");
        assert!(!check_rust(path, &source).is_empty(), "{path} must not contain {body}");
    }

    fn allowed(path: &str, body: &str) {
        let source = format!("//! Doc.\n{body}");
        assert_eq!(check_rust(path, &source), Vec::<String>::new(), "in {path}: {body}");
    }

    #[test]
    fn every_file_says_what_it_is_for() {
        assert_eq!(check_rust("src/a.rs", "fn f() {}").len(), 1);
        allowed("src/a.rs", "fn f() {}");
    }

    #[test]
    fn unfinished_work_is_refused() {
        refused("src/a.rs", &format!("// {}: later", concat!("TO", "DO")));
        refused("src/a.rs", "fn f() { todo!() }");
        refused("src/a.rs", "fn f() { dbg!(1); }");
        refused("src/a.rs", "#[ignore = \"slow\"] fn f() {}");
        allowed("src/a.rs", "// todo!() is what we never write");
        allowed("src/a.rs", "fn f() { my_dbg!(1); }");
    }

    #[test]
    fn the_model_neither_waits_nor_touches_the_world() {
        refused("src/model/app.rs", "async fn f() {}");
        refused("src/model/app.rs", "use std::fs;");
        allowed("src/store/mod.rs", "use std::fs;");
    }

    #[test]
    fn names_say_something() {
        refused("src/store/util.rs", "");
        refused("tests/common/mod.rs", "");
        allowed("src/store/commonplace.rs", "");
    }

    #[test]
    fn files_fit_a_head() {
        refused("src/a.rs", &"\n".repeat(LONGEST_FILE));
        allowed("src/a.rs", &"\n".repeat(LONGEST_FILE - 1));
    }

    #[test]
    fn no_file_names_a_registry() {
        assert_eq!(
            check_any(&format!("a\nhttps://{}.org/x", concat!("registry.", "npmjs"))).len(),
            1
        );
        assert!(check_any("apt-get install docker.io").is_empty());
    }
}

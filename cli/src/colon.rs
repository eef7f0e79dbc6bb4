//! `ps:scale` and `config:set`, for fingers that learned them elsewhere, become `scale` and
//! `config set` before anything is parsed.
//!
//! Only the command is rewritten, never an argument: `config set URL=redis://x` stays as it is.

use std::ffi::OsString;

/// Colon forms that do not name a group of ours.
const ELSEWHERE: [(&str, &str); 7] = [
    ("ps:scale", "scale"),
    ("ps:restart", "restart"),
    ("ps:list", "ps"),
    ("apps:open", "open"),
    ("apps:info", "describe"),
    ("releases:rollback", "rollback"),
    ("builds:create", "deploy"),
];

/// Rewrites the command among `args`, the first of which is the program.
pub(crate) fn rewrite(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut rewritten = Vec::new();
    let mut search = Search::Program;
    for arg in args {
        let text = arg.to_str();
        search = match (search, text) {
            (Search::Program | Search::Value, _) => Search::Command,
            (Search::Command, Some("--context")) => Search::Value,
            (Search::Command, Some(option)) if option.starts_with('-') => Search::Command,
            (Search::Command, Some(command)) => {
                rewritten.extend(spaced(command).into_iter().map(OsString::from));
                search = Search::Over;
                continue;
            }
            (Search::Command | Search::Over, _) => Search::Over,
        };
        rewritten.push(arg);
    }
    rewritten
}

/// What comes next.
#[derive(Clone, Copy)]
enum Search {
    /// The program's name.
    Program,
    /// An option, or the command.
    Command,
    /// The value of an option before the command.
    Value,
    /// The command's own arguments.
    Over,
}

fn spaced(command: &str) -> Vec<&str> {
    if let Some((_, ours)) = ELSEWHERE.iter().find(|(colon, _)| *colon == command) {
        return vec![ours];
    }
    match command.split_once(':') {
        Some((group, verb)) if !group.is_empty() && !verb.is_empty() => vec![group, verb],
        _ => vec![command],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let args = line.split(' ').map(OsString::from);
        let rewritten: Vec<_> =
            rewrite(args).into_iter().map(|arg| arg.into_string().unwrap()).collect();
        assert_eq!(rewritten.join(" "), expected);
    }

    #[test]
    fn only_the_command_is_rewritten() {
        check("paas ps:scale web=2", "paas scale web=2");
        check("paas config:set A=b:c", "paas config set A=b:c");
        check("paas config set apps:create=1", "paas config set apps:create=1");
        check("paas -q --context a:b apps:create x", "paas -q --context a:b apps create x");
        check("paas --context=a:b ps", "paas --context=a:b ps");
        check("paas :x", "paas :x");
        check("paas", "paas");
    }
}

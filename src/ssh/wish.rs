//! What somebody wants: one of git's two programs for an app, or something that there is not. Pure.

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// `git push` to the repository of this name.
    Push(String),
    /// `git fetch` or `git clone` of it.
    Fetch(String),
    /// A shell, which there is not.
    Shell,
    /// Any other program.
    Other,
}

impl Wish {
    /// Reads a command as git writes it: `git-receive-pack 'hello.git'`.
    pub fn read(command: &[u8]) -> Self {
        let Ok(text) = str::from_utf8(command) else { return Self::Other };
        let text = text.trim();
        let text =
            text.strip_prefix("git ").map_or_else(|| text.to_owned(), |rest| format!("git-{rest}"));
        let Some((program, path)) = text.split_once(' ') else { return Self::Other };
        let Some(name) = name(path) else { return Self::Other };
        match program {
            "git-receive-pack" => Self::Push(name),
            "git-upload-pack" => Self::Fetch(name),
            _ => Self::Other,
        }
    }
}

/// The repository's name in a path: quoted or not, below the root, or where it is over HTTP.
fn name(path: &str) -> Option<String> {
    let path = path.trim();
    let path = match path.strip_prefix('\'') {
        Some(rest) => rest.strip_suffix('\'')?,
        None => path,
    };
    let path = path.strip_prefix("/~/").or_else(|| path.strip_prefix("~/")).unwrap_or(path);
    let path = path.trim_start_matches('/');
    let path = path.strip_prefix("git/").unwrap_or(path).trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let valid = (1..=LONGEST).contains(&path.len()) && path.chars().all(plain);
    valid.then(|| path.to_owned())
}

/// A name of an app is shorter.
const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_git_asks_for() {
        for path in
            ["'hello.git'", "'/hello.git'", "hello.git", "'/git/hello.git'", "'~/hello.git/'"]
        {
            let command = format!("git-receive-pack {path}");
            assert_eq!(
                Wish::read(command.as_bytes()),
                Wish::Push("hello.git".to_owned()),
                "{path}"
            );
        }
        let fetch = Wish::Fetch("hello".to_owned());
        assert_eq!(Wish::read(b"git-upload-pack 'hello'"), fetch);
        assert_eq!(Wish::read(b"git upload-pack '/hello'"), fetch);
    }

    #[test]
    fn everything_else_is_not_there() {
        for command in [
            "",
            "ls",
            "git-receive-pack",
            "git-receive-pack ",
            "git-receive-pack ''",
            "git-receive-pack '../../etc'",
            "git-receive-pack 'a/b.git'",
            "git-receive-pack 'hello.git' --help",
            "git-receive-pack 'hello.git'; ls",
            "git-receive-pack $(ls)",
            "git-receive-pack 'hello",
            "git-upload-archive 'hello.git'",
            "git-shell -c x",
            "git-upload-pack --help",
            "/usr/bin/git-upload-pack 'hello'",
        ] {
            let read = Wish::read(command.as_bytes());
            let harmless = match &read {
                Wish::Other => true,
                // What looks like an option is no app's name, and is refused as such.
                Wish::Fetch(name) => name == "--help",
                Wish::Push(_) | Wish::Shell => false,
            };
            assert!(harmless, "{command}: {read:?}");
        }
        assert_eq!(Wish::read(&[0xff, 0xfe]), Wish::Other);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Wish::Push(name) | Wish::Fetch(name) = Wish::read(&bytes) {
                prop_assert!(!name.contains('/') && !name.is_empty());
            }
        }
    }
}

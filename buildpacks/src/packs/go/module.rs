//! `go.mod`, as far as a build needs it.

use crate::packs::PackError;

/// What `go.mod` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    /// The last part of the module's path: the name of the program at its top.
    pub(super) name: String,
    /// The version of Go.
    pub(super) version: String,
    pub(super) because: String,
    needs_cgo: bool,
}

/// Modules that do not work without a C compiler.
const CGO: [&str; 2] =
    ["github.com/mattn/go-sqlite3", "github.com/confluentinc/confluent-kafka-go"];

impl Module {
    /// Reads the file.
    pub(super) fn parse(text: &str) -> Result<Self, PackError> {
        let mut module = Self::default();
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or(line).trim();
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("module"), Some(path)) => module.name = name(path.trim_matches('"')),
                // The toolchain line comes after the go line, and is the more precise wish.
                (Some("go"), Some(version)) => module.wish("go", version),
                (Some("toolchain"), Some(version)) => module.wish("toolchain", version),
                _ => {}
            }
            module.needs_cgo |= CGO.iter().any(|it| line.contains(it));
        }
        if module.name.is_empty() {
            return Err(PackError::app(
                "go.mod has no module line",
                "begin it with the module's path: go mod init example.com/app",
            ));
        }
        if module.because.is_empty() {
            module.because =
                "the default; go.mod has no go line, to add one: go mod edit -go=1.24".into();
        }
        Ok(module)
    }

    /// `CGO_ENABLED` unless the user sets it: static programs start anywhere and build faster.
    pub(super) fn cgo(&self) -> &'static str {
        if self.needs_cgo { "1" } else { "0" }
    }

    fn wish(&mut self, word: &str, version: &str) {
        if version == "default" {
            return;
        }
        version.trim_start_matches("go").clone_into(&mut self.version);
        self.because = format!("go.mod says {word} {version}");
    }
}

/// The last part that is not a major version such as `v2`.
fn name(path: &str) -> String {
    let major = |part: &str| part.strip_prefix('v').is_some_and(|it| it.parse::<u32>().is_ok());
    path.rsplit('/').find(|part| !major(part)).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_is_in_go_mod() {
        let module = |text| Module::parse(text).unwrap();
        let plain = module("module example.com/shop/v2 // note\n\ngo 1.22\n");
        assert_eq!(
            (plain.name.as_str(), plain.version.as_str(), plain.cgo()),
            ("shop", "1.22", "0")
        );
        let precise = module("module a\ngo 1.21\ntoolchain go1.23.4\n");
        assert_eq!(precise.because, "go.mod says toolchain go1.23.4");
        assert_eq!(module("module a\nrequire (\n github.com/mattn/go-sqlite3 v1\n)").cgo(), "1");
        assert!(Module::parse("").is_err());
    }
}

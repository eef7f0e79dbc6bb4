//! Which Rust: what the app asks for, and where it does.

use crate::packs::{App, PackError};
use crate::toolchain::Scheme;

/// A wish.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) range: String,
    pub(super) scheme: Scheme,
    pub(super) because: String,
}

/// The app's wish: rustup's file first, since it names one version; then `rust-version`, which is
/// the least that will do.
pub(super) fn wanted(app: &App) -> Result<Wanted, PackError> {
    for file in ["rust-toolchain.toml", "rust-toolchain"] {
        let Some(text) = app.text(file)? else { continue };
        let table: toml::Table = toml::from_str(&text).unwrap_or_default();
        let named = table.get("toolchain").and_then(|it| it.get("channel")?.as_str());
        let channel = named.unwrap_or(text.trim());
        let because = format!("{file} says {channel}");
        if channel == "stable" {
            return Ok(newest(because));
        }
        if !channel.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(PackError::app(
                format!("{file} asks for `{channel}`, and only stable versions are built with"),
                format!("printf '[toolchain]\\nchannel = \"stable\"\\n' > {file}"),
            ));
        }
        return Ok(Wanted { range: channel.to_owned(), scheme: Scheme::Exact, because });
    }
    let text = app.text("Cargo.toml")?.unwrap_or_default();
    let manifest: toml::Table = toml::from_str(&text).map_err(|error| {
        let reason = format!("Cargo.toml is not valid: {}", error.message());
        PackError::app(reason, "check it: cargo metadata --no-deps")
    })?;
    let package = manifest.get("package");
    let shared = manifest.get("workspace").and_then(|it| it.get("package"));
    let mut least = [package, shared].into_iter().flatten();
    let least = least.find_map(|it| it.get("rust-version")?.as_str());
    Ok(match least {
        Some(version) => Wanted {
            range: version.to_owned(),
            scheme: Scheme::Minimum,
            because: format!("rust-version in Cargo.toml is {version} or newer"),
        },
        None => newest("the newest; to fix it: rust-toolchain.toml".to_owned()),
    })
}

fn newest(because: String) -> Wanted {
    Wanted { range: "1.56".into(), scheme: Scheme::Minimum, because }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let shown = match wanted(&App::new(dir.path())) {
            Ok(wanted) => format!("{} {:?}", wanted.range, wanted.scheme),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_wish_and_its_place() {
        let cargo = ("Cargo.toml", "[package]\nrust-version = \"1.80\"\n");
        check(&[cargo], "1.80 Minimum");
        check(
            &[cargo, ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.85.1\"\n")],
            "1.85.1 Exact",
        );
        check(&[cargo, ("rust-toolchain", "1.84\n")], "1.84 Exact");
        check(&[("Cargo.toml", "[workspace]\n")], "1.56 Minimum");
        check(
            &[("rust-toolchain", "nightly")],
            "rust-toolchain asks for `nightly`, and only stable versions are built with",
        );
    }
}

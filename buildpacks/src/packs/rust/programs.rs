//! The programs of a Cargo workspace, as `cargo metadata` lists them.

use serde::Deserialize;

use crate::packs::PackError;

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) package: String,
    pub(super) is_web: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    #[serde(default)]
    workspace_default_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    #[serde(default)]
    default_run: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    #[serde(default, rename = "required-features")]
    required_features: Vec<String>,
}

/// The programs of the packages that `cargo build` would build here; which one serves is decided by
/// `default-run`, by being the only one, or by a telling name.
pub(super) fn of_metadata(text: &str) -> Result<Vec<Program>, PackError> {
    let metadata: Metadata = serde_json::from_str(text)
        .map_err(|error| PackError::Tool(format!("cargo metadata makes no sense: {error}")))?;
    let members = &metadata.workspace_default_members;
    let here = |package: &&Package| members.is_empty() || members.contains(&package.id);
    let mut programs = Vec::new();
    let mut wished = None;
    for package in metadata.packages.iter().filter(here) {
        for target in &package.targets {
            let is_program = target.kind.iter().any(|kind| kind == "bin");
            if !is_program || !target.required_features.is_empty() {
                continue;
            }
            if package.default_run.as_ref() == Some(&target.name) {
                wished = Some(programs.len());
            }
            programs.push(Program {
                name: target.name.clone(),
                package: package.name.clone(),
                is_web: false,
            });
        }
    }
    if programs.is_empty() {
        return Err(PackError::app(
            "the workspace has no program: no package has src/main.rs, src/bin or [[bin]]",
            "deploy the folder that has the program, or add src/main.rs",
        ));
    }
    let called = |name: &str| programs.iter().position(|it| it.name == name);
    let only = || (programs.len() == 1).then_some(0);
    let web = wished.or_else(only).or_else(|| called("web")).or_else(|| called("server"));
    if let Some(program) = web.and_then(|index| programs.get_mut(index)) {
        program.is_web = true;
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(packages: &[(&str, &str, &[&str])], expected: &str) {
        let packages: Vec<_> = packages
            .iter()
            .map(|(name, run, bins)| {
                let target = |it: &&str| serde_json::json!({ "name": it, "kind": ["bin"] });
                let run = (!run.is_empty()).then_some(run);
                serde_json::json!({ "id": name, "name": name, "default_run": run,
                    "targets": bins.iter().map(target).collect::<Vec<_>>() })
            })
            .collect();
        let text = serde_json::json!({ "packages": packages }).to_string();
        let shown = match of_metadata(&text) {
            Ok(all) => {
                let show =
                    |it: &Program| format!("{}{}", it.name, if it.is_web { "*" } else { "" });
                all.iter().map(show).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_program_that_serves() {
        check(&[("shop", "", &["shop"])], "shop*");
        check(&[("shop", "b", &["a", "b"])], "a b*");
        check(&[("shop", "", &["a", "server"])], "a server*");
        check(&[("lib", "", &[]), ("cli", "", &["cli"]), ("web", "", &["web"])], "cli web*");
        check(&[("shop", "", &["a", "b"])], "a b");
        check(
            &[("lib", "", &[])],
            "the workspace has no program: no package has src/main.rs, src/bin or [[bin]]",
        );
    }
}

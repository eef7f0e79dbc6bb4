//! The programs of a Go module: folders whose files say `package main`.

use std::path::Path;

use super::module::Module;
use crate::environment::sorted_entries;
use crate::packs::{App, PackError};
use crate::spec::read_small;

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// The name of the binary.
    pub(super) name: String,
    /// The package as `go build` takes it, such as `./cmd/web`.
    pub(super) package: String,
    pub(super) is_web: bool,
}

/// How deep below the top programs are looked for: `cmd/group/name`.
const MAX_DEPTH: usize = 3;

/// The programs, the top one first.
pub(super) fn find(app: &App, module: &Module) -> Result<Vec<Program>, PackError> {
    let mut programs = Vec::new();
    walk(app.dir(), ".", &module.name, 0, &mut programs)?;
    if programs.is_empty() {
        return Err(PackError::app(
            "the module has no program: no file at the top or below cmd/ says `package main`",
            "deploy the folder that has the program, or add main.go with `package main`",
        ));
    }
    // The program at the top is the app; else the only one; else the one called so.
    let web = programs
        .iter()
        .position(|it| it.package == ".")
        .or_else(|| (programs.len() == 1).then_some(0))
        .or_else(|| {
            let called = |name: &str| programs.iter().position(|it| it.name == name);
            called("web").or_else(|| called("server")).or_else(|| called(&module.name))
        });
    if let Some(program) = web.and_then(|index| programs.get_mut(index)) {
        program.is_web = true;
    }
    Ok(programs)
}

fn walk(
    dir: &Path,
    package: &str,
    name: &str,
    depth: usize,
    programs: &mut Vec<Program>,
) -> Result<(), PackError> {
    let entries = sorted_entries(dir).map_err(PackError::io(dir))?;
    if entries.iter().any(|path| is_main(path)) {
        programs.push(Program { name: name.into(), package: package.into(), is_web: false });
    }
    if depth == MAX_DEPTH {
        return Ok(());
    }
    for path in entries.iter().filter(|path| path.is_dir() && !path.is_symlink()) {
        let Some(name) = path.file_name().and_then(|it| it.to_str()) else { continue };
        let skipped = ["vendor", "testdata", "node_modules", "examples"].contains(&name);
        // A go.mod below is another module.
        if skipped || name.starts_with(['.', '_']) || path.join("go.mod").exists() {
            continue;
        }
        walk(
            path,
            &format!("{}/{name}", if package == "." { "." } else { package }),
            name,
            depth + 1,
            programs,
        )?;
    }
    Ok(())
}

fn is_main(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    let go = path.extension().is_some_and(|it| it == "go");
    if !go || name.ends_with("_test.go") || !path.is_file() {
        return false;
    }
    let Ok(text) = read_small(path) else { return false };
    let ignored = text.lines().any(|line| line.trim() == "//go:build ignore");
    let mut lines = text.lines().map(str::trim);
    !ignored && lines.any(|line| line == "package main" || line.starts_with("package main "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], expected: &str) {
        let files: Vec<_> = files.iter().map(|name| (*name, "package main\n")).collect();
        let (app, _dir) = App::of(&files);
        let module = Module::parse("module example.com/shop\n").unwrap();
        let shown = match find(&app, &module) {
            Ok(all) => {
                let show = |p: &Program| {
                    format!("{}={}{}", p.name, p.package, if p.is_web { "*" } else { "" })
                };
                all.iter().map(show).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn programs_are_found_where_go_people_put_them() {
        check(&["main.go"], "shop=.*");
        check(&["main.go", "cmd/job/main.go"], "shop=.* job=./cmd/job");
        check(&["cmd/api/main.go"], "api=./cmd/api*");
        check(&["cmd/api/main.go", "cmd/web/main.go"], "api=./cmd/api web=./cmd/web*");
        check(&["cmd/a/main.go", "cmd/b/main.go"], "a=./cmd/a b=./cmd/b");
        check(
            &["vendor/x/main.go", "main_test.go"],
            "the module has no program: no file at the top or below cmd/ says `package main`",
        );
    }
}

//! Who uses whom: every path in a Rust file that leaves its own room, against the table.
//!
//! It looks at paths wherever they stand, not only in `use`, so that `crate::engine::Docker::new()`
//! in the middle of a function is found too. Code made by macros is not seen; we have none.

use crate::source::{Token, code_only, tokens};
use crate::table::{ALSO, DOORS, EVERYTHING, OUR_CRATES, PACKAGES, ROOMS, Room};

/// Paths in a Rust file that the table forbids, as `line: what and why`.
pub(crate) fn check(path: &str, source: &str) -> Vec<String> {
    let code = code_only(source);
    let tokens = tokens(&code);
    let mut faults = doors(path, &tokens);
    let Some(name) = room_of(path) else { return faults };
    match ROOMS.iter().find(|room| room.name == name) {
        Some(room) => faults.extend(rooms(path, room, &tokens)),
        None => faults.push(format!("1: `{name}` is not a room of the house; see table.rs")),
    }
    faults
}

/// Dependencies among our own packages that the table forbids.
pub(crate) fn check_manifest(path: &str, manifest: &str) -> Vec<String> {
    let Some((_, allowed)) = PACKAGES.iter().find(|(known, _)| *known == path) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let mut section = "";
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        let dependency = if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            section.rsplit_once("dependencies.").map(|(_, name)| name)
        } else if section.ends_with("dependencies") && !section.starts_with("workspace") {
            line.split(['.', '=', ' ']).next()
        } else {
            None
        };
        let name = dependency.unwrap_or_default();
        if OUR_CRATES.contains(&name) && !allowed.contains(&name) {
            faults.push(format!("{}: this package may not depend on `{name}`", index + 1));
        }
    }
    faults
}

/// The room a file of `src/` belongs to: `src/store/lock.rs` and `src/store.rs` are both `store`.
fn room_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    inside.split('/').next()
}

fn doors(path: &str, tokens: &[Token<'_>]) -> Vec<String> {
    let mut faults = Vec::new();
    for (library, open_to) in DOORS {
        if open_to.iter().any(|prefix| path.starts_with(prefix)) {
            continue;
        }
        for at in 0..tokens.len() {
            if names_crate(tokens, at, library) {
                let line = line(tokens, at);
                faults.push(format!("{line}: `{library}` has one door: {}", open_to.join(", ")));
            }
        }
    }
    faults
}

fn rooms(path: &str, room: &Room, tokens: &[Token<'_>]) -> Vec<String> {
    let mut faults = Vec::new();
    let also =
        |name: &str| ALSO.iter().any(|(at, more)| path.starts_with(at) && more.contains(&name));
    let mut refuse = |line: usize, name: &str| {
        let free =
            also(name) || name == room.name || name == "self" || room.may_use.contains(&EVERYTHING);
        if !free && !room.may_use.contains(&name) {
            faults.push(format!("{line}: `{}` may not use `{name}`", room.name));
        }
    };
    let mut modules = Modules::of(path);
    for at in 0..tokens.len() {
        modules.see(tokens, at);
        for name in out_of_room(tokens, at, room, modules.depth()) {
            refuse(line(tokens, at), name);
        }
        for name in OUR_CRATES.iter().filter(|name| **name != "paas") {
            if names_crate(tokens, at, name) {
                refuse(line(tokens, at), name);
            }
        }
    }
    faults
}

/// The rooms that the path at `at` leads to, if it starts at the crate's root.
fn out_of_room<'a>(tokens: &[Token<'a>], at: usize, room: &Room, depth: usize) -> Vec<&'a str> {
    if !leads_path(tokens, at) {
        return Vec::new();
    }
    // The binary sees the library beside it under the package's name.
    if is_step(tokens, at, "crate") || (room.name == "main" && is_step(tokens, at, "paas")) {
        return heads(tokens, at + 2);
    }
    let mut supers = 0;
    while is_step(tokens, at + 2 * supers, "super") {
        supers += 1;
    }
    if supers > 0 && supers == depth { heads(tokens, at + 2 * supers) } else { Vec::new() }
}

/// How deep below the crate's root the code being read is, inline modules included.
struct Modules {
    file: usize,
    braces: usize,
    inline: Vec<usize>,
}

impl Modules {
    fn of(path: &str) -> Self {
        let steps = path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count();
        let is_root = matches!(path, "src/main.rs" | "src/lib.rs");
        Self { file: if is_root { 0 } else { steps - 1 }, braces: 0, inline: Vec::new() }
    }

    fn see(&mut self, tokens: &[Token<'_>], at: usize) {
        match text(tokens, at) {
            "{" => {
                if at >= 2 && text(tokens, at - 2) == "mod" {
                    self.inline.push(self.braces);
                }
                self.braces += 1;
            }
            "}" => {
                self.braces = self.braces.saturating_sub(1);
                self.inline.pop_if(|opened_at| *opened_at == self.braces);
            }
            _ => {}
        }
    }

    fn depth(&self) -> usize {
        self.file + self.inline.len()
    }
}

/// The first names of the paths at `at`: one for `a::b`, several for `{a::b, c}`.
fn heads<'a>(tokens: &[Token<'a>], at: usize) -> Vec<&'a str> {
    if text(tokens, at) != "{" {
        return vec![text(tokens, at)];
    }
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            name if depth == 1 && matches!(text(tokens, index - 1), "{" | ",") => names.push(name),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Whether the token names an external crate: `x::…` at the head of a path, `use x`, `extern crate x`.
fn names_crate(tokens: &[Token<'_>], at: usize, name: &str) -> bool {
    let before = at.checked_sub(1).map_or("", |before| text(tokens, before));
    let imported = matches!(before, "use" | "crate") && text(tokens, at) == name;
    imported || (leads_path(tokens, at) && is_step(tokens, at, name))
}

/// Whether no path goes on into this token: nothing or a leading `::` stands before it.
fn leads_path(tokens: &[Token<'_>], at: usize) -> bool {
    let before = |steps| at.checked_sub(steps).map_or("", |index| text(tokens, index));
    before(1) != "::" || matches!(before(2), "" | "use" | "(" | "{" | "," | "=" | ";" | "<" | "&")
}

/// Whether the tokens at `at` are `name` and `::`.
fn is_step(tokens: &[Token<'_>], at: usize, name: &str) -> bool {
    text(tokens, at) == name && text(tokens, at + 1) == "::"
}

fn text<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

fn line(tokens: &[Token<'_>], at: usize) -> usize {
    tokens.get(at).map_or(0, |token| token.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str, source: &str) {
        assert!(!check(path, source).is_empty(), "{path} must not contain {source}");
    }

    fn allowed(path: &str, source: &str) {
        assert_eq!(check(path, source), Vec::<String>::new(), "in {path}: {source}");
    }

    #[test]
    fn rooms_use_only_what_the_table_grants() {
        allowed("src/ops/deploy.rs", "use crate::model::App; use crate::{store::Store, clock};");
        refused("src/ops/deploy.rs", "use crate::engine::Engine;");
        refused("src/ops/deploy.rs", "use crate::{model::App, engine::{self, Engine}};");
        refused("src/ops/deploy.rs", "fn f() { crate::engine::start(); }");
        refused("src/model/app.rs", "use crate::store::Store;");
        refused("src/server/apps.rs", "pub(crate) use crate::control::Status;");
        allowed("src/daemon/run.rs", "use crate::{control, engine, store};");
        allowed("src/ops/deploy.rs", "use crate::ops::error::Refusal;");
    }

    #[test]
    fn a_way_round_through_super_is_seen() {
        refused("src/ops/deploy.rs", "use super::super::engine::Engine;");
        refused("src/ops/mod.rs", "use super::engine::Engine;");
        refused("src/ops.rs", "mod tests { use super::super::engine::Engine; }");
        allowed("src/ops/mod.rs", "mod tests { use super::engine::Engine; }");
        allowed("src/ops/deploy.rs", "mod tests { fn f() {} } use super::engine::Engine;");
        refused("src/ops/deploy.rs", "mod tests { fn f() {} } use super::super::engine::Engine;");
    }

    #[test]
    fn a_library_has_one_door() {
        allowed("src/engine/docker.rs", "use bollard::Docker;");
        refused("src/control/driver.rs", "use bollard::Docker;");
        refused("src/control/driver.rs", "use bollard as docker;");
        refused("src/control/driver.rs", "fn f() { ::bollard::connect(); }");
        refused("proxy/src/lib.rs", "extern crate sled;");
        allowed("src/control/driver.rs", "/// Not `bollard::Docker`.\nlet x = \"sled::Db\";");
        allowed("src/control/driver.rs", "use crate::engine::bollard::X;");
    }

    #[test]
    fn our_crates_are_for_those_the_table_names() {
        allowed("src/build/agent.rs", "use buildpacks::agent::Job;");
        refused("src/ops/deploy.rs", "use proxy::Table;");
        allowed("src/main.rs", "use paas::daemon; fn main() { cli::run() }");
        refused("src/main.rs", "use paas::{store, daemon};");
    }

    #[test]
    fn a_room_not_on_the_table_is_refused() {
        refused("src/plumbing/mod.rs", "");
        refused("src/plumbing.rs", "");
        allowed("tests/anything.rs", "use crate::engine;");
    }

    #[test]
    fn manifests_are_held_to_the_table() {
        let fault = |path: &str, text: &str| !check_manifest(path, text).is_empty();
        assert!(fault("proxy/Cargo.toml", "[dependencies]\napi.workspace = true"));
        assert!(fault("proxy/Cargo.toml", "[dev-dependencies]\npaas = { path = \"..\" }"));
        assert!(fault("cli/Cargo.toml", "[dependencies.proxy]\nworkspace = true"));
        assert!(fault("cli/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nproxy = \"1\""));
        assert!(!fault("cli/Cargo.toml", "[dependencies]\napi.workspace = true\nclap = \"4\""));
        assert!(!fault("Cargo.toml", "[workspace.dependencies]\npaas = \"1\""));
    }
}

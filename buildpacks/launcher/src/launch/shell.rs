//! Processes that go through bash: profiles are sourced in the app's folder, then the working folder
//! is entered, then words are evaluated.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Command;

use super::choice::Choice;
use super::variables;
use crate::environment::sorted_entries;
use crate::roots::Roots;
use crate::spec::Metadata;

/// `bash -c` with the profiles, then the command in a fresh bash, as the reference does.
pub(super) fn command(choice: &Choice, roots: &Roots, metadata: &Metadata) -> io::Result<Command> {
    let mut script = String::new();
    for profile in profiles(choice.kind.as_deref(), roots, metadata)? {
        script.extend(["source ", &quoted(&profile), "\n"]);
    }
    if let Some(folder) = &choice.working_dir {
        let folder = roots.workspace.join(folder);
        script.extend(["cd ", &quoted(folder.as_os_str()), " || exit 82\n"]);
    }
    script += "exec bash -c \"$@\"";
    let mut command = Command::new("/bin/bash");
    command.current_dir(&roots.workspace);
    command.args(["-c", &script, "bash"]);
    if choice.args.is_empty() {
        command.arg(&choice.program);
    } else {
        command.arg(tokens(choice.args.len() + 1)).arg(&choice.program).args(&choice.args);
    }
    Ok(command)
}

fn profiles(kind: Option<&str>, roots: &Roots, metadata: &Metadata) -> io::Result<Vec<OsString>> {
    let mut found = Vec::new();
    for own in &metadata.buildpacks {
        for layer in variables::layers(roots, &own.id)? {
            let common = layer.join("profile.d");
            let special = kind.map(|kind| common.join(kind));
            for dir in std::iter::once(common).chain(special) {
                found.extend(sorted_entries(&dir)?.into_iter().filter(|path| path.is_file()));
            }
        }
    }
    let own = roots.workspace.join(".profile");
    found.extend(own.is_file().then_some(own));
    Ok(found.into_iter().map(Into::into).collect())
}

/// Each word is evaluated, so that `$PORT` in an argument means the variable.
fn tokens(count: usize) -> String {
    let token = |index: usize| format!("\"$(eval echo \\\"${{{index}}}\\\")\"");
    (0..count).map(token).collect::<Vec<_>>().join(" ")
}

fn quoted(path: &OsStr) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

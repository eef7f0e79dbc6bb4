//! What buildpacks say, in the style that Heroku's users know.
//!
//! Standard output is the build log here; nothing else of this crate prints. A closed log is no
//! reason to fail, so write errors are dropped.

use std::io::Write;

use super::PackError;

/// `-----> Heading`.
pub(crate) fn heading(text: &str) {
    print(&format!("-----> {text}"));
}

/// A line below a heading.
pub(crate) fn line(text: &str) {
    print(&format!("       {text}"));
}

/// Something that works, but should be looked at.
pub(crate) fn warning(text: &str) {
    for part in text.lines() {
        print(&format!(" ?     {part}"));
    }
}

/// The end of a build. The lifecycle finds the reason by these marks.
pub(crate) fn failure(error: &PackError) {
    for reason in error.reasons() {
        print(&format!(" !     {reason}"));
    }
    if let Some(hint) = error.hint() {
        print(&format!(" !     hint: {hint}"));
    }
}

fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

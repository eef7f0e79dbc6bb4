//! The TOML files of buildpacks: whatever stands in them is refused or read, and a key that nobody
//! knows changes nothing.

#![no_main]

use buildpacks::fuzzing::{FILES, project, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Not where it would be the same key twice, or a mark that only counts at the beginning.
    let plain = !text.contains("zz") && !text.starts_with('\u{feff}');
    let more = format!("zz-unknown = 1\n{text}");
    for file in FILES {
        let known = read(file, text);
        if plain && known.is_some() {
            assert_eq!(read(file, &more), known, "{file}");
        }
    }
    let known = project(text);
    if plain && known.is_some() {
        assert_eq!(project(&more), known);
    }
});

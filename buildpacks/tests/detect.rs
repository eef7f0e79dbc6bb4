//! What is detected in every example, against the committed goldens.
//!
//! After a wanted change: `UPDATE_GOLDENS=1 cargo nextest run -p buildpacks --test detect`.

#![allow(unused_crate_dependencies, reason = "a test uses a part of the crate's libraries")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::path::Path;

#[test]
fn every_example_is_detected_as_it_was() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = fs::read_dir(root.join("../examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in names {
        let app = root.join("../examples").join(&name);
        assert!(app.join("README.md").is_file(), "{name} explains itself");
        let seen = buildpacks::detect_report(&app).join("\n") + "\n";
        let golden = root.join("tests/golden").join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&golden, &seen).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(seen, expected, "{name}");
    }
}

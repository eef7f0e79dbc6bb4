//! Accept-Encoding: a client is sent a coding that it named and did not refuse, however it spelled
//! that.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proxy::fuzzing::accept_encoding;

fuzz_target!(|lines: &[u8]| {
    let chosen = accept_encoding(lines);
    let lower = lines.to_ascii_lowercase();
    let says = |name: &str| lower.windows(name.len()).any(|part| part == name.as_bytes());
    if let Some(coding) = chosen {
        assert!(says(coding) || says("*"), "{coding} was not asked for");
    }
    // One field or several, in capitals or with blanks: it says the same.
    for (what, other) in [
        ("in several fields", replaced(lines, b",", b"\n")),
        ("in one field", replaced(lines, b"\n", b",")),
        ("in capitals", lines.to_ascii_uppercase()),
        ("with blanks", replaced(&replaced(lines, b",", b" \t,\t "), b";", b" ; ")),
        ("with what nobody knows", [lines, b",unknown;q=1"].concat()),
    ] {
        assert_eq!(accept_encoding(&other), chosen, "{what}");
    }
    // What is said last of a coding counts.
    let refused = [lines, b"\nzstd;q=0, br;q=0, gzip;q=0"].concat();
    assert_eq!(accept_encoding(&refused), None, "refused");
    let alone =
        [b"identity;q=0, *;q=0, br;q=0.001\n", lines, b",*;q=0,zstd;q=0,gzip;q=0,br"].concat();
    let better = accept_encoding(&alone);
    assert_eq!(better, Some("br"), "the only one that is wanted");
});

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    text.split(|byte| from.contains(byte)).collect::<Vec<_>>().join(to)
}

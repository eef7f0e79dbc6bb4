//! Config as `KEY='value'` lines, in which a shell, too, sees the exact bytes.

use std::collections::BTreeMap;

/// One `KEY='value'` for each; a line break in a value stays one.
pub(crate) fn write(values: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, value) in values {
        text.extend([key, "='", &value.replace('\'', r"'\''"), "'\n"]);
    }
    text
}

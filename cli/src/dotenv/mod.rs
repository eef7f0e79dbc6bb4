//! Config as text: what `paas config --shell` writes and `paas config import` reads.
//!
//! What is written is read again byte for byte, by us and by a shell. Nothing is expanded: a `$`
//! in a value is a `$`.

mod read;
mod write;

pub(crate) use read::{Fault, read};
pub(crate) use write::write;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            values in prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,8}", "(?s)[^\0]*", 0..5)
        ) {
            prop_assert_eq!(read(&write(&values)), Ok(values));
        }

        #[test]
        fn json_is_read_too(
            values in prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,8}", "(?s)[^\0]*", 0..5)
        ) {
            let config = api::Config { values: values.clone(), ..api::Config::default() };
            prop_assert_eq!(read(&serde_json::to_string(&config).unwrap()), Ok(values.clone()));
            prop_assert_eq!(read(&serde_json::to_string_pretty(&values).unwrap()), Ok(values));
        }

        #[test]
        fn nothing_panics(text in "(?s).*") {
            read(&text).ok();
        }
    }

    #[test]
    fn a_shell_reads_it_too() {
        let tricky = "a'b\"c$HOME `id` \\ \n ü #";
        let values = BTreeMap::from([("KEY".to_owned(), tricky.to_owned())]);
        let script = format!("{}printf %s \"$KEY\"", write(&values));
        let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), tricky);
    }
}

//! The JSON Schema of `paas.toml` (draft 2020-12), for editors. People keep it in `docs/`; the tests
//! here hold it against the reader, key by key and in both directions.

/// The schema.
pub const SCHEMA: &str = include_str!("../../../docs/paas.schema.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::model::Manifest;

    /// A section of the schema, by its name in TOML.
    fn sections<'a>(name: &str, schema: &'a Value, into: &mut Vec<(String, &'a Value)>) {
        into.push((name.to_owned(), schema));
        let inner = |key: &str| {
            if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") }
        };
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            if value["properties"].is_object() {
                sections(&inner(key), value, into);
            }
            for (pattern, value) in value["patternProperties"].as_object().into_iter().flatten() {
                if value["properties"].is_object() {
                    assert!(pattern.starts_with("^[a-z]"), "{pattern}");
                    sections(&format!("{}.web", inner(key)), value, into);
                }
            }
        }
    }

    /// The lines that a section must have besides `key`.
    fn company(schema: &Value, key: &str) -> String {
        let needed = [&schema["required"], &schema["dependentRequired"][key]];
        let needed = needed.into_iter().filter_map(Value::as_array).flatten();
        let line = |name: &Value| {
            let name = name.as_str().filter(|name| *name != key)?;
            Some(format!("{name} = {}\n", schema["properties"][name]["examples"][0]))
        };
        needed.filter_map(line).collect()
    }

    fn text(section: &str, lines: &str) -> String {
        if section.is_empty() { lines.to_owned() } else { format!("[{section}]\n{lines}") }
    }

    fn all() -> Vec<(String, &'static Value)> {
        let schema: &'static Value = Box::leak(serde_json::from_str(SCHEMA).unwrap());
        let mut all = Vec::new();
        sections("", schema, &mut all);
        assert!(all.len() > 6, "{all:?}");
        all
    }

    #[test]
    fn the_schema_and_the_reader_know_the_same_keys() {
        for (name, schema) in all() {
            let wrong = format!("{}zzzzzz = 1", company(schema, ""));
            let error = Manifest::parse(&text(&name, &wrong)).unwrap_err();
            let hint = error.hint.unwrap_or_default();
            let known = hint.strip_prefix("known here: ").unwrap_or_else(|| {
                panic!("[{name}] does not tell its keys: {} {hint}", error.fault)
            });
            let known: BTreeSet<&str> = known.split(", ").collect();
            let described: BTreeSet<&str> =
                schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(known, described, "[{name}]");
        }
    }

    #[test]
    fn examples_are_read_and_other_types_are_not() {
        for (name, schema) in all() {
            for (key, property) in schema["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{name}.{key} is not described");
                let company = company(schema, key);
                let examples = property["examples"].as_array().map_or(&[][..], Vec::as_slice);
                let is_leaf = property["type"] != "object";
                assert!(!is_leaf || !examples.is_empty(), "{name}.{key} has no example");
                for example in examples {
                    let text = text(&name, &format!("{company}{key} = {example}"));
                    let read = Manifest::parse(&text);
                    assert!(read.is_ok(), "{text}\n{read:?}");
                }
                let other = match property["type"].as_str() {
                    Some("string" | "array" | "object") => "7",
                    Some(_) => "\"x\"",
                    // Of two types, neither of which is this.
                    None => "true",
                };
                let text = text(&name, &format!("{company}{key} = {other}"));
                assert!(Manifest::parse(&text).is_err(), "{text}");
            }
        }
    }
}

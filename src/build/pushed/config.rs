//! The configuration of an image that was pushed, as ours: with the label that says which app's it is, and
//! without any that would say something else. All other words of it are its maker's. Pure.

use serde_json::{Map, Value, json};

use super::PushedError;
use crate::{engine::ImageFacts, model::AppName};

/// A configuration, ready to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Config {
    /// As JSON; equal for equal images of an app.
    pub(super) text: Vec<u8>,
    /// The digests of its layers, uncompressed, lowest first.
    pub(super) layers: Vec<String>,
    /// What is known of it before it is loaded: its platform, and whether it can run.
    pub(super) facts: ImageFacts,
}

/// Makes it ours.
pub(super) fn ours(text: &[u8], app: &AppName) -> Result<Config, PushedError> {
    let malformed = |what: String| PushedError::Configuration(what);
    let mut config: Value =
        serde_json::from_slice(text).map_err(|error| malformed(error.to_string()))?;
    let word = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let triggers = config.pointer("/config/OnBuild").and_then(Value::as_array).map_or(0, Vec::len);
    let (os, architecture) = (word("os"), word("architecture"));
    let facts = ImageFacts { architecture, os, triggers, ..ImageFacts::default() };
    let layers = config.pointer("/rootfs/diff_ids").and_then(Value::as_array);
    let layers = layers.ok_or_else(|| malformed("it has no rootfs".to_owned()))?;
    let layers = layers.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let whole = config.as_object_mut().ok_or_else(|| malformed("it is no object".to_owned()))?;
    let runs = object(whole.entry("config").or_insert(Value::Null));
    let labels = object(runs.entry("Labels").or_insert(Value::Null));
    labels.retain(|key, _| !key.starts_with("paas."));
    labels.insert("paas.app".to_owned(), json!(app.as_str()));
    Ok(Config { text: config.to_string().into_bytes(), layers, facts })
}

/// What is there as an object; `null` and nonsense are an empty one.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_whose_it_is_and_all_else_stays() {
        let check = |runs: &Value, expected: &Value| {
            let text = json!({
                "os": "linux",
                "architecture": "arm64",
                "config": runs,
                "rootfs": { "type": "layers", "diff_ids": ["sha256:a", "sha256:b"] },
                "history": [{ "created_by": "x" }],
            });
            let config = ours(text.to_string().as_bytes(), &"shop".parse().unwrap()).unwrap();
            assert_eq!(config.layers, ["sha256:a", "sha256:b"]);
            assert_eq!((&*config.facts.os, &*config.facts.architecture), ("linux", "arm64"));
            let after: Value = serde_json::from_slice(&config.text).unwrap();
            assert_eq!(after["config"], *expected);
            assert_eq!(after["history"], text["history"]);
        };
        let own = json!({ "paas.app": "shop" });
        check(&Value::Null, &json!({ "Labels": own }));
        check(&json!({ "Labels": null, "User": "1" }), &json!({ "Labels": own, "User": "1" }));
        let foreign = json!({ "a": "b", "paas.role": "step", "paas.app": "other" });
        check(
            &json!({ "Labels": foreign }),
            &json!({ "Labels": { "a": "b", "paas.app": "shop" } }),
        );
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for text in ["", "[]", "{}", "{\"rootfs\":{\"diff_ids\":7}}"] {
            assert!(ours(text.as_bytes(), &"shop".parse().unwrap()).is_err(), "{text}");
        }
    }
}

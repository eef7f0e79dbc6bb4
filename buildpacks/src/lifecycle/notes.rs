//! What buildpacks note of their layers: written as TOML, remembered as JSON in a label of the image,
//! given back as TOML.
//!
//! JSON has no dates and no infinite numbers; they become text, as dates do in the reference. TOML
//! has no null; another tool may have written one into the label, and it is left out. Invariant:
//! neither direction fails.

use serde_json::Value as Json;
use toml::Value as Toml;

/// The notes as they are remembered.
pub(super) fn to_json(value: &Toml) -> Json {
    match value {
        Toml::String(text) => Json::from(text.as_str()),
        Toml::Integer(number) => Json::from(*number),
        Toml::Float(number) if number.is_finite() => Json::from(*number),
        Toml::Float(number) => Json::from(number.to_string()),
        Toml::Boolean(flag) => Json::from(*flag),
        Toml::Datetime(date) => Json::from(date.to_string()),
        Toml::Array(items) => items.iter().map(to_json).collect(),
        Toml::Table(table) => {
            let pairs = table.iter().map(|(key, value)| (key.clone(), to_json(value)));
            Json::Object(pairs.collect())
        }
    }
}

/// The notes as they are given back; `None` for none at all.
pub(super) fn to_toml(value: &Json) -> Option<Toml> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => Toml::Boolean(*flag),
        Json::String(text) => Toml::String(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Toml::Integer(number),
            (None, Some(number)) => Toml::Float(number),
            (None, None) => Toml::String(number.to_string()),
        },
        Json::Array(items) => Toml::Array(items.iter().filter_map(to_toml).collect()),
        Json::Object(object) => {
            let pairs =
                object.iter().filter_map(|(key, value)| Some((key.clone(), to_toml(value)?)));
            Toml::Table(pairs.collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, json: &str) {
        let table: toml::Table = toml::from_str(toml).unwrap();
        let noted = to_json(&Toml::Table(table));
        assert_eq!(noted.to_string(), json);
        let back = to_toml(&noted).unwrap();
        assert_eq!(to_json(&back), noted, "{back}");
    }

    #[test]
    fn bp_layer_metadata_of_every_type_is_remembered() {
        check("a = 1\nb = 1.5\nc = 1.0\nd = true", r#"{"a":1,"b":1.5,"c":1.0,"d":true}"#);
        check("big = 9007199254740993\nneg = -1", r#"{"big":9007199254740993,"neg":-1}"#);
        check("no = nan\nall = inf", r#"{"all":"inf","no":"NaN"}"#);
        check(
            "at = 2024-02-29T12:00:00.5Z\nday = 2024-02-29\nhour = 07:30:00\nlocal = 2024-02-29T01:02:03",
            r#"{"at":"2024-02-29T12:00:00.5Z","day":"2024-02-29","hour":"07:30:00","local":"2024-02-29T01:02:03"}"#,
        );
        check(
            "list = [1, [2], {x = \"é\"}]\n[table.\"with space\"]\nempty = []",
            r#"{"list":[1,[2],{"x":"é"}],"table":{"with space":{"empty":[]}}}"#,
        );
    }

    #[test]
    fn a_null_of_another_tool_is_left_out() {
        let label = serde_json::json!({"a": null, "b": [null, 1], "c": {"d": null}});
        assert_eq!(to_toml(&label).unwrap().to_string(), "{ b = [1], c = {} }");
        assert_eq!(to_toml(&Json::Null), None);
    }
}

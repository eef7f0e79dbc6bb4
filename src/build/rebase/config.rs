//! An image's configuration, put onto another run image. Pure.
//!
//! By the contract of buildpacks: the layers up to `runImage.topLayer` are replaced, the labels that
//! speak of them follow, and everything else stays as it is.

use serde_json::{Value, json};

use super::RebaseError;
use crate::build::{
    base::{BaseImage, Maker},
    stack::TARGET_OS,
};

/// A configuration, and what of its layers stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rebased {
    /// The new configuration.
    pub(super) text: Vec<u8>,
    /// How many of the old image's lowest layers are not in the new one.
    pub(super) replaced: usize,
    /// The digests of those that stay, lowest first.
    pub(super) kept: Vec<String>,
}

/// Puts the image of this configuration onto `run`.
pub(super) fn rebase(config: &[u8], run: &BaseImage) -> Result<Rebased, RebaseError> {
    let mut config: Value = serde_json::from_slice(config).map_err(|_| RebaseError::Foreign)?;
    let label = |config: &Value, name: &str| {
        let label = config.pointer("/config/Labels").and_then(|labels| labels.get(name));
        label.and_then(Value::as_str).map(str::to_owned)
    };
    let lifecycle = label(&config, LIFECYCLE).ok_or(RebaseError::Foreign)?;
    let mut lifecycle: Value =
        serde_json::from_str(&lifecycle).map_err(|_| RebaseError::Foreign)?;
    if label(&config, "io.buildpacks.rebasable").as_deref() == Some("false") {
        return Err(RebaseError::Refused);
    }
    let text = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let stack = label(&config, "io.buildpacks.stack.id");
    let now = (TARGET_OS.to_owned(), run.architecture.clone());
    let stays = run.environment.get("CNB_STACK_ID");
    if (text("os"), text("architecture")) != now || (stack.is_some() && stack.as_ref() != stays) {
        return Err(RebaseError::Different {
            was: format!("{}/{} {}", text("os"), text("architecture"), stack.unwrap_or_default()),
            is: format!("{}/{} {}", now.0, now.1, stays.cloned().unwrap_or_default()),
        });
    }
    let layers = digests(&config);
    let top = lifecycle.pointer("/runImage/topLayer").and_then(Value::as_str);
    let top = layers.iter().position(|layer| Some(layer.as_str()) == top);
    let replaced = top.ok_or(RebaseError::Foreign)? + 1;
    let below: Vec<&str> = run.layers.iter().map(|layer| layer.diff_id.as_str()).collect();
    if layers.iter().take(replaced).map(String::as_str).eq(below.iter().copied()) {
        return Err(RebaseError::Already);
    }
    // Ours have one layer each; those of others may have more today than they had.
    if run.maker == Maker::Ours && replaced != below.len() {
        return Err(RebaseError::Packages);
    }
    let kept: Vec<String> = layers.into_iter().skip(replaced).collect();

    set(&mut lifecycle, "/runImage/topLayer", json!(below.last()));
    set(&mut lifecycle, "/runImage/reference", json!(run.id.as_str()));
    set(&mut lifecycle, "/runImage/image", json!(run.reference));
    set(&mut lifecycle, "/stack/runImage/image", json!(run.reference));
    if let Some(labels) = config.pointer_mut("/config/Labels").and_then(Value::as_object_mut) {
        labels.insert(LIFECYCLE.to_owned(), lifecycle.to_string().into());
    }
    let all: Vec<&str> = below.iter().copied().chain(kept.iter().map(String::as_str)).collect();
    set(&mut config, "/rootfs/diff_ids", json!(all));
    let history = history(&config, replaced, run);
    set(&mut config, "/history", history);
    Ok(Rebased { text: config.to_string().into_bytes(), replaced, kept })
}

/// The name of the run image that the image of this configuration was made for.
pub(super) fn made_for(config: &[u8]) -> Option<String> {
    let config: Value = serde_json::from_slice(config).ok()?;
    let label = config.pointer("/config/Labels")?.get(LIFECYCLE)?.as_str()?;
    let lifecycle: Value = serde_json::from_str(label).ok()?;
    lifecycle.pointer("/runImage/image")?.as_str().map(str::to_owned)
}

fn digests(config: &Value) -> Vec<String> {
    let layers = config.pointer("/rootfs/diff_ids").and_then(Value::as_array);
    let texts = layers.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// The history of the layers that stay, upon one line for each layer of the run image.
fn history(config: &Value, replaced: usize, run: &BaseImage) -> Value {
    let old = config.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let base = run.layers.iter().map(|_| json!({ "created_by": run.reference }));
    base.chain(old.into_iter().skip(replaced)).collect()
}

/// Writes what is there already.
fn set(value: &mut Value, pointer: &str, new: Value) {
    if let Some(place) = value.pointer_mut(pointer) {
        *place = new;
    }
}

const LIFECYCLE: &str = "io.buildpacks.lifecycle.metadata";

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::build::workspace::Known;

    fn run() -> BaseImage {
        BaseImage {
            id: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            reference: "paas/run:new".to_owned(),
            architecture: "amd64".to_owned(),
            user: "1000:1000".to_owned(),
            environment: BTreeMap::from([("CNB_STACK_ID".to_owned(), "here".to_owned())]),
            labels: BTreeMap::new(),
            maker: Maker::Ours,
            layers: vec![Known { diff_id: "sha256:new".to_owned(), size: 1 }],
            tars: vec!["/x".into()],
            packages: BTreeSet::new(),
        }
    }

    fn config(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let lifecycle = json!({
            "app": [{ "sha": "sha256:app" }],
            "runImage": { "topLayer": "sha256:old", "reference": "r", "image": "paas/run:old" },
            "stack": { "runImage": { "image": "paas/run:old" } },
        });
        let mut config = json!({
            "os": "linux",
            "architecture": "amd64",
            "config": {
                "User": "1000:1000",
                "Labels": { LIFECYCLE: lifecycle.to_string(), "io.buildpacks.stack.id": "here" },
            },
            "rootfs": { "diff_ids": ["sha256:old", "sha256:layer", "sha256:app"] },
            "history": [{ "created_by": "old" }, { "created_by": "x" }, { "created_by": "y" }],
        });
        change(&mut config);
        config.to_string().into_bytes()
    }

    #[test]
    fn pl_rebase_replaces_layers_up_to_the_top_layer_and_labels() {
        let rebased = rebase(&config(|_| ()), &run()).unwrap();
        assert_eq!(
            (rebased.replaced, rebased.kept.join(" ")),
            (1, "sha256:layer sha256:app".into())
        );
        let after: Value = serde_json::from_slice(&rebased.text).unwrap();
        assert_eq!(
            after["rootfs"]["diff_ids"],
            json!(["sha256:new", "sha256:layer", "sha256:app"])
        );
        assert_eq!(after["history"][0]["created_by"], "paas/run:new");
        assert_eq!(after["history"][1]["created_by"], "x");
        assert_eq!(after["config"]["User"], "1000:1000");
        let label = after["config"]["Labels"][LIFECYCLE].as_str().unwrap();
        let label: Value = serde_json::from_str(label).unwrap();
        assert_eq!(label["runImage"]["topLayer"], "sha256:new");
        assert_eq!(label["runImage"]["reference"], run().id.as_str());
        assert_eq!(label["stack"]["runImage"]["image"], "paas/run:new");
        assert_eq!(label["app"][0]["sha"], "sha256:app");
        assert!(matches!(rebase(&rebased.text, &run()), Err(RebaseError::Already)));
    }

    #[test]
    fn pl_rebase_is_refused_where_it_would_break_the_app() {
        let check = |change: &dyn Fn(&mut Value), expected: &str| {
            let error = rebase(&config(change), &run()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(
            &|it| it["config"]["Labels"]["io.buildpacks.rebasable"] = "false".into(),
            "rebasable",
        );
        check(&|it| it["architecture"] = "arm64".into(), "linux/arm64");
        check(&|it| it["config"]["Labels"]["io.buildpacks.stack.id"] = "there".into(), "there");
        check(
            &|it| it["rootfs"]["diff_ids"] = json!(["sha256:first", "sha256:old", "sha256:app"]),
            "packages of the app's own",
        );
        check(&|it| it["config"]["Labels"] = json!({}), "no buildpacks");
        check(&|it| it["rootfs"]["diff_ids"] = json!(["sha256:x"]), "no buildpacks");
    }
}

//! What a manifest asks of an app's secrets: some to be there, and some for the build. Pure.
//!
//! Invariant: a build sees no secret that `[build] secrets` does not name; those are in its processes'
//! environment and in no image.

use std::collections::{BTreeMap, BTreeSet};

use super::BuildError;
use crate::model::{EnvKey, Manifest, OpenSecrets};

/// Refuses to build for an app that lacks secrets, before anything is made.
pub(super) fn check(manifest: &Manifest, own: &OpenSecrets) -> Result<(), BuildError> {
    let made = &manifest.secrets.generate;
    let missing = manifest.secrets.required.iter().filter(|name| !made.contains(*name));
    let missing = missing.chain(&manifest.build.secrets).filter(|name| !own.contains_key(*name));
    let missing: BTreeSet<&EnvKey> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.into_iter().map(EnvKey::as_str).collect();
    Err(BuildError::SecretsMissing { names: names.join(" ") })
}

/// The environment that a build has of them.
pub(super) fn for_build(manifest: &Manifest, own: &OpenSecrets) -> BTreeMap<String, String> {
    let named = own.iter().filter(|(name, _)| manifest.build.secrets.contains(*name));
    named.map(|(name, value)| (name.to_string(), value.expose().to_owned())).collect()
}

/// Refuses to give any to a build that would keep them.
pub(super) fn none_for(manifest: &Manifest, way: &'static str) -> Result<(), BuildError> {
    if manifest.build.secrets.is_empty() {
        return Ok(());
    }
    Err(BuildError::SecretsNotFor { way })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SecretValue;

    fn told(toml: &str, own: &[&str]) -> String {
        let manifest = Manifest::parse(toml).unwrap();
        let value = |name: &&str| {
            (name.parse().unwrap(), SecretValue::new(format!("the {}", name.to_lowercase())))
        };
        let own: OpenSecrets = own.iter().map(value).collect();
        match check(&manifest, &own) {
            Ok(()) => format!("{:?}", for_build(&manifest, &own)),
            Err(error) => format!("{error}; {}", error.hint().unwrap_or_default()),
        }
    }

    #[test]
    fn a_build_sees_what_it_names() {
        assert_eq!(told("", &["A", "B"]), "{}");
        assert_eq!(told("[build]\nsecrets = [\"B\"]", &["A", "B"]), r#"{"B": "the b"}"#);
    }

    #[test]
    fn what_is_missing_is_named_with_the_command() {
        let toml = "[secrets]\nrequired = [\"A\", \"B\", \"C\"]\ngenerate = [\"C\"]\n\
                    [build]\nsecrets = [\"D\"]";
        let expected = "paas.toml asks for secrets that the app does not have: A D; \
                        set them: `paas secrets set A D`";
        assert_eq!(told(toml, &["B"]), expected);
        assert_eq!(told(toml, &["A", "B", "D"]), r#"{"D": "the d"}"#);
    }

    #[test]
    fn a_dockerfile_gets_none() {
        let manifest = Manifest::parse("[build]\nsecrets = [\"D\"]").unwrap();
        let error = none_for(&manifest, "a Dockerfile").unwrap_err();
        assert!(error.to_string().contains("a Dockerfile"), "{error}");
        assert!(none_for(&Manifest::default(), "a Dockerfile").is_ok());
    }
}

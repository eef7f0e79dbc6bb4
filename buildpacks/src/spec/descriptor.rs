//! `buildpack.toml`: what a buildpack says of itself, and the target it is matched against.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Api, BuildpackId, Group};

/// A `buildpack.toml`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Descriptor {
    pub(crate) api: Api,
    pub(crate) buildpack: Identity,
    /// Present in composite buildpacks, which have no executables.
    #[serde(default)]
    pub(crate) order: Vec<Group>,
    #[serde(default)]
    pub(crate) targets: Vec<PackTarget>,
    #[serde(default)]
    pub(crate) stacks: Vec<Stack>,
}

/// The table `[buildpack]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Identity {
    pub(crate) id: BuildpackId,
    /// Opaque: in the wild versions are not always semantic, and sometimes forgotten.
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) homepage: Option<String>,
    /// The user's environment stays out of this buildpack's variables.
    #[serde(default)]
    pub(crate) clear_env: bool,
    #[serde(default)]
    pub(crate) sbom_formats: Vec<String>,
    /// Execution environments (API 0.12); empty means any.
    #[serde(default, deserialize_with = "names")]
    pub(crate) exec_env: Vec<String>,
}

/// Names, or tables with a name: of execution environments the specification writes the one in its
/// text and the other in its example.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Name(String),
        Table { name: String },
    }
    let written = Vec::<Written>::deserialize(deserializer)?;
    let name = |it| match it {
        Written::Name(name) | Written::Table { name } => name,
    };
    Ok(written.into_iter().map(name).collect())
}

/// One of `[[targets]]`; an absent field matches anything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PackTarget {
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) arch: String,
    #[serde(default)]
    pub(crate) variant: String,
    /// What the reference calls `variant`.
    #[serde(default)]
    pub(crate) arch_variant: String,
    #[serde(default)]
    pub(crate) distros: Vec<Distro>,
}

/// One of `[[targets.distros]]`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Distro {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
}

/// One of the older `[[stacks]]`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stack {
    pub(crate) id: String,
}

/// What the image is built for. Part of the wire between daemon and agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `linux`.
    pub os: String,
    /// `amd64` or `arm64`.
    pub arch: String,
    /// Such as `v8`; empty where the architecture has none.
    #[serde(default)]
    pub arch_variant: String,
    /// Such as `debian`.
    #[serde(default)]
    pub distro_name: String,
    /// Such as `13`.
    #[serde(default)]
    pub distro_version: String,
}

impl Descriptor {
    /// Whether the buildpack says that it can build for `target`.
    pub(crate) fn fits(&self, target: &Target) -> bool {
        if self.targets.is_empty() {
            return self.stacks_fit(target);
        }
        self.targets.iter().any(|own| own.fits(target))
    }

    /// The rule for buildpacks older than targets: `*` is anything, bionic is Ubuntu 18.04 unless an
    /// older buildpack names others besides, and one that names neither has executables for Linux,
    /// whatever its stacks are called.
    fn stacks_fit(&self, target: &Target) -> bool {
        let names = |id: &str| self.stacks.iter().any(|stack| stack.id == id);
        if names("*") {
            return true;
        }
        let alone = self.api >= Api::V0_10 || self.stacks.len() == 1;
        if alone && names("io.buildpacks.stacks.bionic") {
            return PackTarget::bionic().fits(target);
        }
        target.os == "linux"
    }
}

impl PackTarget {
    fn bionic() -> Self {
        let distro = Distro { name: "ubuntu".into(), version: "18.04".into() };
        let (os, arch) = ("linux".into(), "amd64".into());
        Self { os, arch, distros: vec![distro], ..Self::default() }
    }

    fn fits(&self, target: &Target) -> bool {
        agree(&self.os, &target.os)
            && agree(&self.arch, &target.arch)
            && agree(&self.variant, &target.arch_variant)
            && agree(&self.arch_variant, &target.arch_variant)
            && (self.distros.is_empty() || self.distros.iter().any(|own| own.fits(target)))
    }
}

impl Distro {
    fn fits(&self, target: &Target) -> bool {
        agree(&self.name, &target.distro_name) && agree(&self.version, &target.distro_version)
    }
}

/// Two names agree if one of them is open or both are equal.
fn agree(ours: &str, theirs: &str) -> bool {
    ours.is_empty() || theirs.is_empty() || ours == theirs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, fits: bool) {
        check_api("0.10", toml, fits);
    }

    fn check_api(api: &str, toml: &str, fits: bool) {
        let head = "[buildpack]\nid = \"a/b\"\nversion = \"1\"\nstray = 1\n";
        let own: Descriptor = toml::from_str(&format!("api = \"{api}\"\n{head}{toml}")).unwrap();
        let target = Target {
            os: "linux".into(),
            arch: "amd64".into(),
            arch_variant: "v3".into(),
            distro_name: "debian".into(),
            distro_version: "13".into(),
        };
        assert_eq!(own.fits(&target), fits, "{toml}");
    }

    #[test]
    fn pl_detector_targets_match_when_equal_or_empty() {
        check("", true);
        check("[[targets]]\nos = \"linux\"\n", true);
        check("[[targets]]\nos = \"windows\"\n", false);
        check("[[targets]]\nos = \"linux\"\narch = \"arm64\"\n", false);
        check("[[targets]]\n[[targets.distros]]\nname = \"ubuntu\"\nversion = \"24.04\"\n", false);
        check("[[targets]]\n[[targets.distros]]\nname = \"debian\"\n", true);
        check("[[stacks]]\nid = \"*\"\n", true);
        check("[[stacks]]\nid = \"io.buildpacks.stacks.bionic\"\n", false);
        check("[[stacks]]\nid = \"io.buildpacks.stacks.bionic\"\n[[stacks]]\nid = \"*\"\n", true);
        check("[[stacks]]\nid = \"heroku-22\"\nmixins = [\"x\"]\n", true);
        check("[[targets]]\narch = \"arm64\"\n[[targets]]\narch = \"amd64\"\n", true);
        check("[[targets]]\nos = \"linux\"\nvariant = \"v8\"\n", false);
        check("[[targets]]\nos = \"linux\"\narch-variant = \"v8\"\n", false);
        check("[[targets]]\nos = \"linux\"\narch-variant = \"v3\"\n", true);
        check("[[targets]]\n[[targets.distros]]\nversion = \"13\"\n", true);
    }

    #[test]
    fn pl_detector_the_stack_bionic_is_a_target_of_its_own() {
        const BIONIC: &str = "[[stacks]]\nid = \"io.buildpacks.stacks.bionic\"\n";
        let several = format!("{BIONIC}[[stacks]]\nid = \"heroku-20\"\n");
        check_api("0.9", BIONIC, false);
        check_api("0.9", &several, true);
        check_api("0.10", &several, false);
    }

    #[test]
    fn bp_buildpack_toml_execution_environments_are_names_or_tables() {
        let listed = |toml: &str| {
            let head = "id = \"a\"\nversion = \"1\"\n";
            toml::from_str::<Identity>(&format!("{head}{toml}")).unwrap().exec_env
        };
        assert_eq!(listed("exec-env = [\"test\", \"*\"]"), ["test", "*"]);
        assert_eq!(listed("[[exec-env]]\nname = \"test\"\nstray = 1"), ["test"]);
    }
}

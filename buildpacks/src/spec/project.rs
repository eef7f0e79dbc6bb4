//! `project.toml`: what an app's folder says of its own build, in the versions 0.1 and 0.2 of the
//! project descriptor.
//!
//! Only shapes; what they mean for a build stands in the lifecycle. Both versions become one
//! [`Project`], so that nobody else has to know that there are two.

use serde::Deserialize;

use super::BuildpackId;

/// The document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Project {
    /// Which files of the folder take part.
    pub(crate) files: Option<Pattern>,
    /// The buildpacks, in order; with none the builder's order counts.
    pub(crate) group: Vec<ProjectPack>,
    /// Before every group.
    pub(crate) pre: Vec<ProjectPack>,
    /// After every group.
    pub(crate) post: Vec<ProjectPack>,
    /// Variables of the build.
    pub(crate) env: Vec<Variable>,
}

/// Lines as in `.gitignore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Only these files take part.
    Include(Vec<String>),
    /// These do not.
    Exclude(Vec<String>),
}

/// A buildpack that a project asks for, by one of three ways.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct ProjectPack {
    #[serde(default)]
    pub(crate) id: Option<BuildpackId>,
    #[serde(default)]
    pub(crate) version: Option<String>,
    /// A folder of the project, or `urn:cnb:builder:<id>[@<version>]`.
    #[serde(default)]
    pub(crate) uri: Option<String>,
    #[serde(default)]
    pub(crate) script: Option<Inline>,
}

/// A buildpack that is a script of the project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Inline {
    #[serde(default)]
    pub(crate) api: Option<String>,
    #[serde(rename = "inline")]
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) shell: Option<String>,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The document says two things at once.
#[derive(Debug, thiserror::Error)]
#[error("project.toml has both `include` and `exclude`")]
pub(crate) struct BothPatterns;

impl Project {
    /// Makes one of what was read.
    pub(crate) fn of(file: ProjectToml) -> Result<Self, BothPatterns> {
        let schema = file.about.schema_version;
        let table = file.io.buildpacks;
        match (schema, table) {
            (Some(schema), table) if schema != "0.1" => table.unwrap_or_default().project(),
            (None, Some(table)) => table.project(),
            _ => file.build.project(),
        }
    }
}

/// As written; unknown keys are ignored, and each version's keys live where the other has none.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ProjectToml {
    #[serde(default, rename = "_")]
    about: About,
    #[serde(default)]
    io: Io,
    #[serde(default)]
    build: First,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct About {
    #[serde(default, rename = "schema-version")]
    schema_version: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Io {
    #[serde(default)]
    buildpacks: Option<Second>,
}

/// `[build]` of 0.1.
#[derive(Debug, Clone, Default, Deserialize)]
struct First {
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    buildpacks: Vec<ProjectPack>,
    #[serde(default)]
    env: Vec<Variable>,
}

/// `[io.buildpacks]` of 0.2.
#[derive(Debug, Clone, Default, Deserialize)]
struct Second {
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    group: Vec<ProjectPack>,
    #[serde(default)]
    pre: Side,
    #[serde(default)]
    post: Side,
    #[serde(default)]
    build: BuildTable,
    /// As the first drafts of 0.2 had it.
    #[serde(default)]
    env: EnvTable,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Side {
    #[serde(default)]
    group: Vec<ProjectPack>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct BuildTable {
    #[serde(default)]
    env: Vec<Variable>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct EnvTable {
    #[serde(default)]
    build: Vec<Variable>,
}

impl First {
    fn project(self) -> Result<Project, BothPatterns> {
        let files = pattern(self.include, self.exclude)?;
        Ok(Project { files, group: self.buildpacks, env: self.env, ..Project::default() })
    }
}

impl Second {
    fn project(self) -> Result<Project, BothPatterns> {
        let files = pattern(self.include, self.exclude)?;
        let env = self.env.build.into_iter().chain(self.build.env).collect();
        let (pre, post) = (self.pre.group, self.post.group);
        Ok(Project { files, group: self.group, pre, post, env })
    }
}

fn pattern(include: Vec<String>, exclude: Vec<String>) -> Result<Option<Pattern>, BothPatterns> {
    match (include.is_empty(), exclude.is_empty()) {
        (true, true) => Ok(None),
        (false, true) => Ok(Some(Pattern::Include(include))),
        (true, false) => Ok(Some(Pattern::Exclude(exclude))),
        (false, false) => Err(BothPatterns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, expected: &str) {
        let shown = match Project::of(toml::from_str(toml).unwrap()) {
            Err(error) => error.to_string(),
            Ok(project) => {
                let names = |packs: &[ProjectPack]| {
                    let name = |it: &ProjectPack| {
                        it.id
                            .as_ref()
                            .map_or(it.uri.clone().unwrap_or_default(), ToString::to_string)
                    };
                    packs.iter().map(name).collect::<Vec<_>>().join(",")
                };
                let env: Vec<_> =
                    project.env.iter().map(|it| format!("{}={}", it.name, it.value)).collect();
                format!(
                    "{:?} {}|{}|{} {}",
                    project.files,
                    names(&project.pre),
                    names(&project.group),
                    names(&project.post),
                    env.join(",")
                )
            }
        };
        assert_eq!(shown.trim_end(), expected);
    }

    #[test]
    fn project_descriptor_0_1() {
        check("[project]\nid = \"x\"\nstray = 1\n", "None ||");
        check(
            "[build]\nexclude = [\"*.md\"]\nstray = true\n[[build.buildpacks]]\nid = \"a/b\"\nversion = \"1\"\n\
             [[build.buildpacks]]\nuri = \"./own\"\n[[build.env]]\nname = \"A\"\nvalue = \"1\"\n",
            "Some(Exclude([\"*.md\"])) |a/b,./own| A=1",
        );
    }

    #[test]
    fn project_descriptor_0_2() {
        let head =
            "[_]\nschema-version = \"0.2\"\nlicenses = []\n[io.buildpacks]\nbuilder = \"x\"\n";
        check(
            &format!(
                "{head}include = [\"src/\"]\n[[io.buildpacks.group]]\nid = \"a\"\n\
                 [[io.buildpacks.pre.group]]\nid = \"p\"\n[[io.buildpacks.post.group]]\nid = \"q\"\n\
                 [[io.buildpacks.build.env]]\nname = \"A\"\nvalue = \"1\"\n"
            ),
            "Some(Include([\"src/\"])) p|a|q A=1",
        );
        check(
            &format!("{head}include = [\"a\"]\nexclude = [\"b\"]\n"),
            "project.toml has both `include` and `exclude`",
        );
        check("[[io.buildpacks.env.build]]\nname = \"A\"\nvalue = \"1\"\n", "None || A=1");
        check("[_]\nschema-version = \"0.2\"\n[build]\nexclude = [\"x\"]\n", "None ||");
    }
}

//! Releases and the config that goes into them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Commit;

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Release {
    /// For example `v12`.
    pub version: String,
    /// Whether it serves.
    pub current: bool,
    /// One word for its last rollout: `releasing`, `starting`, `canary`, `shifting`, `watching`, `draining`, `done`,
    /// `reverting`, `failed`, `superseded`.
    pub status: String,
    /// Why it was made, in a few words.
    pub cause: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: String,
    /// The build that made its image.
    pub build: u32,
    /// The commit that its code is of, where git brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// Its image.
    pub image: String,
    /// Process → command.
    pub processes: BTreeMap<String, String>,
    /// Why it stays and can be gone back to: `serves`, `under-way`, `before` (what serves now), `pinned`,
    /// `lingers` (may be asked for files of its own), `newest`. Without it the server removes it with its image before long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Who has it stay, however many come after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Pin>,
}

/// The wish that a release stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Pin {
    /// Whose.
    pub by: String,
    /// Since when.
    pub at: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Asks that a release stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SetPin {
    /// What for, in up to 200 bytes; without it a note that there is stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The way from one release to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rollout {
    /// Counts the app's rollouts, from 1.
    pub number: u32,
    /// What it leads to, for example `v12`.
    pub release: String,
    /// What served when it began.
    pub from: Option<String>,
    /// One word: see the status of [`Release`].
    pub phase: String,
    /// The wave under way, from 1.
    pub wave: u32,
    /// How many waves there are.
    pub waves: u32,
    /// Why it failed.
    pub reason: Option<String>,
    /// How it was tried before it took over, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// When it began.
    pub started_at: String,
    /// When its present phase began.
    pub phase_at: String,
}

/// One instance of a release, tried with a share of the requests beside the one whose place it is to take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Canary {
    /// What of the requests it gets, for example `10%`.
    pub share: String,
    /// How long it goes on, while it does.
    pub left_ms: Option<u64>,
    /// What the new instance answered.
    pub canary: Answers,
    /// What the old one answered in the same time.
    pub control: Answers,
}

/// What an instance answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Answers {
    /// Requests.
    pub requests: u64,
    /// Those that failed or were answered with a 5xx.
    pub errors: u64,
    /// What 95 of a hundred answers did not take longer than.
    pub p95_ms: Option<f64>,
}

/// Asks for an older release again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rollback {
    /// Which, for example `v10`; the last good one before the current if absent.
    pub to: Option<String>,
}

/// An app's config.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Config {
    /// Name → value, byte for byte, as the next release will have it.
    pub values: BTreeMap<String, String>,
    /// The names, secrets included, in which that differs from the release that serves or is on its way:
    /// what is staged.
    #[serde(default)]
    pub staged: Vec<String>,
}

/// Asks for another config: it makes a release and rolls it out, if there is one already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigPatch {
    /// Name → new value; `null` removes the name.
    pub values: BTreeMap<String, Option<String>>,
    /// Keep it for the next release instead of making one.
    #[serde(default, skip_serializing_if = "is_now")]
    pub stage: bool,
}

/// Left out on the wire, so that an older server understands the rest.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_now(stage: &bool) -> bool {
    !stage
}

/// The files of an app's folder that say something of it: `paas.toml`, `Procfile` and their like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Declared {
    /// Name → text. Names that mean nothing are passed over.
    pub files: BTreeMap<String, String>,
}

/// What a deploy of such a folder would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Plan {
    /// What serves now, for example `v12`.
    pub release: Option<String>,
    /// What differs from it, by setting.
    pub changes: Vec<Difference>,
    /// Settings of the server that win over the files.
    pub wins: Vec<String>,
    /// Variables and secrets that the files count on and the app does not have.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Which files count besides `paas.toml`, and what of them.
    pub remarks: Vec<String>,
}

/// A setting that would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Difference {
    /// Its path, for example `process.web.scale`.
    pub setting: String,
    /// What it is; absent for what is not there yet.
    pub from: Option<String>,
    /// What it would be; absent for what goes.
    pub to: Option<String>,
}

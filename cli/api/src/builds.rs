//! Builds: source → image.

use serde::{Deserialize, Serialize};

use crate::Commit;

/// One build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Build {
    /// Counts the app's builds, from 1.
    pub number: u32,
    /// One word: `queued`, `running`, `succeeded`, `failed`, `cancelled`.
    pub status: String,
    /// While it waits: the builds before it, those that run among them.
    #[serde(default)]
    pub ahead: Option<u32>,
    /// While it waits: the last one of those, for example `blog #12`.
    #[serde(default)]
    pub behind: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// If it failed in a stage of the buildpacks' lifecycle: what that ends with, for example 51.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// The release that came of it.
    pub release: Option<String>,
    /// Digest of the source tree.
    pub source: String,
    /// Size of the source, in bytes.
    pub source_bytes: u64,
    /// The commit that it is of, where git brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// The image that it is of, where `docker push` brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<PushedImage>,
    /// The image, and its size beyond the base image in bytes.
    pub image: Option<String>,
    /// See `image`.
    pub image_bytes: Option<u64>,
    /// Who uploaded it.
    pub by: String,
    /// When it was asked for, began and ended.
    pub queued_at: String,
    /// See `queued_at`.
    pub started_at: Option<String>,
    /// See `queued_at`.
    pub finished_at: Option<String>,
}

/// An image that was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PushedImage {
    /// What stood behind the colon of its name, for example `latest`.
    pub tag: String,
    /// The digest of its manifest, as the client shows it.
    pub digest: String,
}

/// Asks for a deploy of a source that the server fetches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeployUrl {
    /// Where a tar is, plain or gzip: `https://…` or `http://…`. If all of it is in one folder, that
    /// folder is the source.
    pub url: String,
    /// What it must be: the SHA-256 of it, in hexadecimal digits.
    pub sha256: Option<String>,
}

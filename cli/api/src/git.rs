//! What came by `git push`.

use serde::{Deserialize, Serialize};

/// A commit that something was built of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Commit {
    /// Its id, 40 hexadecimal digits.
    pub id: String,
    /// The branch or tag that led to it.
    pub reference: Option<String>,
    /// The first line of its message.
    pub subject: String,
}

/// What was pushed to an app, and what becomes of pushes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Git {
    /// Where git finds the repository, below the server's address: `/git/hello.git`.
    pub path: String,
    /// The branch whose pushes are deployed.
    pub branch: String,
    /// Branches and tags.
    pub refs: Vec<GitRef>,
}

/// A branch or a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GitRef {
    /// Its name, for example `main`.
    pub name: String,
    /// `branch` or `tag`.
    pub kind: String,
    /// The object that it points at: 40 hexadecimal digits.
    pub object: String,
}

/// Says which branch is deployed when it is pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SetBranch {
    /// Its name.
    pub branch: String,
}

/// Asks for a deploy of what was pushed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeployRef {
    /// A branch, a tag, or a commit by at least four digits of its id.
    pub reference: String,
}

//! The operations by which an app's code arrives: uploads, pushes, and what becomes of them.

use utoipa::openapi::HttpMethod::{Delete, Get, Post, Put};

use super::operations::{
    Operation,
    Shape::{self, Lines, Many, One, Tar, Text},
    operation,
};

pub(super) const ARRIVALS: &[Operation] = &[
    operation(
        Post,
        "/v1/apps/{app}/plan",
        ("plan", "What a deploy of a folder with these files would change"),
        &[],
        (One("Declared"), One("Plan")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/builds",
        ("builds", "Builds, newest first"),
        &[],
        (Shape::None, Many("Build")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/builds",
        ("deploy", "Upload a source tree, build it and roll it out"),
        &["newest"],
        (Tar, One("Change")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/builds/fetch",
        ("deployUrl", "The same with a tar that the server fetches"),
        &["newest"],
        (One("DeployUrl"), One("Change")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/deploy",
        ("deployAndTell", "The same as one request, answered in plain text when it has ended"),
        &["newest"],
        (Tar, Text),
    ),
    operation(
        Post,
        "/v1/apps/{app}/sources",
        ("deployChanges", "The same with files of the last upload named by digest (type `R`)"),
        &["newest"],
        (Tar, One("Change")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/builds/{number}/log",
        ("buildLog", "What a build wrote"),
        &[],
        (Shape::None, Text),
    ),
    operation(
        Post,
        "/v1/apps/{app}/builds/{number}/cancel",
        ("cancelBuild", "Stop a build that has not ended"),
        &[],
        (Shape::None, One("Change")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/follow",
        ("follow", "A build or a rollout as it happens"),
        &["build", "rollout"],
        (Shape::None, Lines("Frame")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/git",
        ("git", "What was pushed, and which branch is deployed"),
        &[],
        (Shape::None, One("Git")),
    ),
    operation(
        Put,
        "/v1/apps/{app}/git",
        ("chooseBranch", "Have pushes to another branch deployed"),
        &[],
        (One("SetBranch"), One("Git")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/git/deploy",
        ("deployRef", "Build and roll out what was pushed before"),
        &["newest"],
        (One("DeployRef"), One("Change")),
    ),
    operation(
        Get,
        "/v1/keys",
        ("keys", "Who may push over SSH, and what the server proves itself with there"),
        &[],
        (Shape::None, One("Keys")),
    ),
    operation(Post, "/v1/keys", ("addKey", "Recognise a key"), &[], (One("AddKey"), One("Key"))),
    operation(
        Delete,
        "/v1/keys",
        ("removeKey", "Recognise a key no more"),
        &["key"],
        (Shape::None, One("Key")),
    ),
];

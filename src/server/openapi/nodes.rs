//! The operations of machines that joined, as a table.

use utoipa::openapi::HttpMethod::{Delete, Get, Patch, Post, Put};

use super::operations::{
    Operation,
    Shape::{self, Many, One},
    operation,
};

pub(super) const NODES: &[Operation] = &[
    operation(
        Get,
        "/v1/nodes",
        ("nodes", "The machines of this installation, the one that controls first"),
        &[],
        (Shape::None, Many("Node")),
    ),
    operation(
        Get,
        "/v1/nodes/tokens",
        ("joinTokens", "The tokens by which machines join, oldest first"),
        &[],
        (Shape::None, Many("JoinToken")),
    ),
    operation(
        Post,
        "/v1/nodes/tokens",
        ("createJoinToken", "Make a token by which one machine may join"),
        &[],
        (One("CreateJoinToken"), One("NewJoinToken")),
    ),
    operation(
        Delete,
        "/v1/nodes/tokens/{id}",
        ("revokeJoinToken", "Take a token back"),
        &[],
        (Shape::None, One("JoinToken")),
    ),
    operation(
        Post,
        "/v1/nodes/join",
        ("join", "Become a node; the token is a join token, or its text up to the third `_`"),
        &[],
        (One("Join"), One("Joined")),
    ),
    operation(
        Patch,
        "/v1/nodes/{name}/labels",
        ("labelNode", "Change labels of a node"),
        &[],
        (One("LabelsPatch"), One("Node")),
    ),
    operation(
        Put,
        "/v1/nodes/{name}/drain",
        ("drainNode", "Start nothing on a node any more, and move what it runs"),
        &[],
        (Shape::None, One("Drained")),
    ),
    operation(
        Delete,
        "/v1/nodes/{name}/drain",
        ("undrainNode", "Start instances on a node again"),
        &[],
        (Shape::None, One("Node")),
    ),
    operation(
        Post,
        "/v1/nodes/promote",
        ("promote", "Have nodes keep the records, too, so that any of them can control"),
        &[],
        (One("Promotion"), Many("Node")),
    ),
    operation(
        Post,
        "/v1/nodes/demote",
        ("demote", "Have machines that keep the records be plain nodes again"),
        &[],
        (One("Promotion"), Many("Node")),
    ),
    operation(
        Get,
        "/v1/nodes/rebalance",
        ("imbalance", "What a new placement would have elsewhere, and what is moving"),
        &[],
        (Shape::None, One("Rebalance")),
    ),
    operation(
        Post,
        "/v1/nodes/rebalance",
        ("rebalance", "Restart what a new placement would have elsewhere, one app after another"),
        &[],
        (Shape::None, One("Rebalance")),
    ),
    operation(
        Delete,
        "/v1/nodes/{name}",
        ("removeNode", "Take a node out of the installation"),
        &["confirm", "force"],
        (Shape::None, One("Node")),
    ),
];

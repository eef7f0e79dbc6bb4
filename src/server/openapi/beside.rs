//! The operations of what stands beside deploys, as a table: runs, jobs by the clock,
//! protection.

use utoipa::openapi::HttpMethod::{Get, Post, Put};

use super::operations::{
    Operation,
    Shape::{self, Many, One},
    operation,
};

pub(super) const BESIDE: &[Operation] = &[
    operation(
        Get,
        "/v1/apps/{app}/runs",
        ("runs", "What was run once, newest first"),
        &[],
        (Shape::None, Many("Run")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/runs",
        ("startRun", "Run a program once, alone"),
        &[],
        (One("StartRun"), One("Run")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/runs/{run}/stop",
        ("stopRun", "Ask a run to end"),
        &[],
        (Shape::None, One("Run")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/cron",
        ("cron", "What runs by the clock"),
        &[],
        (Shape::None, Many("CronJob")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/cron/history",
        ("cronHistory", "What became of ticks, newest first"),
        &["job", "limit"],
        (Shape::None, Many("CronRun")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/cron/{job}/run",
        ("runCron", "Run a job now, beside its ticks"),
        &[],
        (Shape::None, One("Run")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/cron/{job}/pause",
        ("pauseCron", "Have a job rest: its ticks go by"),
        &[],
        (Shape::None, One("CronJob")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/cron/{job}/resume",
        ("resumeCron", "Have a job go on"),
        &[],
        (Shape::None, One("CronJob")),
    ),
    operation(
        Put,
        "/v1/apps/{app}/protection",
        ("protectApp", "Have nobody destroy an app, or allow it again"),
        &[],
        (One("SetProtection"), One("App")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/undelete",
        ("undelete", "Bring a destroyed app back"),
        &[],
        (Shape::None, One("App")),
    ),
];

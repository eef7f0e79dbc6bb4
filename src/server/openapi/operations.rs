//! Every operation of the API, as a table.

use HttpMethod::{Delete, Get, Patch, Post, Put};
use Shape::{Lines, Many, One, Tar, Text};
use utoipa::openapi::HttpMethod;

/// What a body is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    None,
    One(&'static str),
    Many(&'static str),
    Lines(&'static str),
    Text,
    Tar,
}

pub(super) struct Operation {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [&'static str],
    pub(super) takes: Shape,
    pub(super) gives: Shape,
}

const fn operation(
    method: HttpMethod,
    path: &'static str,
    (id, summary): (&'static str, &'static str),
    query: &'static [&'static str],
    (takes, gives): (Shape, Shape),
) -> Operation {
    Operation { method, path, id, summary, query, takes, gives }
}

pub(super) const OPERATIONS: [Operation; 36] = [
    operation(
        Get,
        "/v1/server",
        ("server", "The server itself"),
        &[],
        (Shape::None, One("Server")),
    ),
    operation(
        Get,
        "/v1/metrics",
        ("metrics", "What the edge and the daemon do, in Prometheus' text format"),
        &[],
        (Shape::None, Text),
    ),
    operation(Get, "/v1/apps", ("listApps", "All apps"), &[], (Shape::None, Many("App"))),
    operation(Post, "/v1/apps", ("createApp", "Make an app"), &[], (One("CreateApp"), One("App"))),
    operation(Get, "/v1/apps/{app}", ("app", "One app"), &[], (Shape::None, One("App"))),
    operation(
        Delete,
        "/v1/apps/{app}",
        ("destroyApp", "Destroy an app"),
        &["confirm"],
        (Shape::None, One("Change")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/instances",
        ("instances", "What runs of an app"),
        &[],
        (Shape::None, Many("Instance")),
    ),
    operation(
        Patch,
        "/v1/apps/{app}/formation",
        ("scale", "Change how many instances there are"),
        &[],
        (One("Scale"), One("Change")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/restart",
        ("restart", "Fresh instances of what serves"),
        &[],
        (Shape::None, One("Change")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/events",
        ("events", "What happened, newest first"),
        &["limit"],
        (Shape::None, Many("Event")),
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
        &[],
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
        "/v1/apps/{app}/releases",
        ("releases", "Releases, newest first"),
        &[],
        (Shape::None, Many("Release")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/rollback",
        ("rollback", "Go back to an earlier release, code and config"),
        &[],
        (One("Rollback"), One("Change")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/config",
        ("config", "An app's config"),
        &[],
        (Shape::None, One("Config")),
    ),
    operation(
        Patch,
        "/v1/apps/{app}/config",
        ("configure", "Change the config, which makes a release"),
        &[],
        (One("ConfigPatch"), One("Change")),
    ),
    operation(
        Get,
        "/v1/apps/{app}/logs",
        ("logs", "What instances wrote"),
        &["lines", "follow", "process", "since", "until", "grep", "release"],
        (Shape::None, Lines("LogLine")),
    ),
    operation(
        Put,
        "/v1/apps/{app}/maintenance",
        ("maintenance", "Show visitors a page instead of the app, or the app again"),
        &[],
        (One("SetMaintenance"), One("App")),
    ),
    operation(
        Post,
        "/v1/apps/{app}/domains",
        ("addDomain", "Have an app answer under a name of yours"),
        &[],
        (One("AddDomain"), One("Domain")),
    ),
    operation(
        Get,
        "/v1/domains",
        ("domains", "All domains, or those of one app"),
        &["app"],
        (Shape::None, Many("Domain")),
    ),
    operation(
        Get,
        "/v1/domains/{name}",
        ("domain", "One domain, path by path"),
        &[],
        (Shape::None, Many("Domain")),
    ),
    operation(
        Delete,
        "/v1/domains/{name}",
        ("removeDomain", "Take a domain away from its app"),
        &["path"],
        (Shape::None, Many("Domain")),
    ),
    operation(
        Post,
        "/v1/domains/{name}/check",
        ("checkDomain", "Look where a domain leads now"),
        &[],
        (Shape::None, Many("Domain")),
    ),
    operation(
        Get,
        "/v1/zones",
        ("zones", "The zones that this server answers for"),
        &[],
        (Shape::None, Many("Zone")),
    ),
    operation(
        Put,
        "/v1/zones/{name}",
        ("addZone", "Answer for a zone"),
        &[],
        (Shape::None, One("Zone")),
    ),
    operation(
        Delete,
        "/v1/zones/{name}",
        ("removeZone", "Answer for a zone no more, and forget its records"),
        &[],
        (Shape::None, Many("Record")),
    ),
    operation(
        Get,
        "/v1/records",
        ("records", "The DNS records that users added"),
        &[],
        (Shape::None, Many("Record")),
    ),
    operation(
        Post,
        "/v1/records",
        ("addRecord", "Add a DNS record"),
        &[],
        (One("AddRecord"), One("Record")),
    ),
    operation(
        Delete,
        "/v1/records",
        ("removeRecord", "Remove DNS records"),
        &["name", "kind", "value"],
        (Shape::None, Many("Record")),
    ),
    operation(
        Get,
        "/v1/certificates",
        ("certificates", "What names are proved with, and how far each certificate is"),
        &[],
        (Shape::None, Many("Certificate")),
    ),
    operation(
        Put,
        "/v1/certificates/{name}",
        ("supplyCertificate", "Bring a certificate of your own"),
        &[],
        (One("SupplyCertificate"), One("Certificate")),
    ),
    operation(
        Delete,
        "/v1/certificates/{name}",
        ("removeCertificate", "Take your own certificate back"),
        &[],
        (Shape::None, One("Certificate")),
    ),
    operation(
        Post,
        "/v1/certificates/{name}/retry",
        ("retryCertificate", "Try again now"),
        &[],
        (Shape::None, One("Certificate")),
    ),
];

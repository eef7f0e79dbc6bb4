//! The wire contract of the HTTP API `/v1`: what goes over the line, as data, and nothing else.
//!
//! Bodies are JSON; streams are newline-delimited JSON, one [`Frame`] or [`LogLine`] a line. The
//! contract only grows: a field is added, never renamed or given another meaning, and a reader
//! ignores what it does not know. Times are RFC 3339 in UTC, sizes bytes, durations milliseconds.
//!
//! | method and path | body → answer |
//! |---|---|
//! | `GET /v1/server` | → [`Server`] |
//! | `GET /v1/openapi.json` | → the OpenAPI document; needs no token |
//! | `GET /v1/apps` | → list of [`App`] |
//! | `POST /v1/apps` | [`CreateApp`] → [`App`] |
//! | `GET /v1/apps/{app}` | → [`App`] |
//! | `DELETE /v1/apps/{app}?confirm={app}` | → [`Change`] |
//! | `POST /v1/apps/{app}/builds` | a tar, gzip or plain → [`Change`] |
//! | `POST /v1/apps/{app}/sources` | the same, where a file of the last upload may be an entry of the type `R` with its sha256 as content → [`Change`], or a conflict |
//! | `GET /v1/apps/{app}/builds` | → list of [`Build`] |
//! | `GET /v1/apps/{app}/builds/{number}/log` | → text |
//! | `POST /v1/apps/{app}/builds/{number}/cancel` | → [`Change`] |
//! | `GET /v1/apps/{app}/follow?build={n}` or `?rollout={n}` | → stream of [`Frame`] |
//! | `GET /v1/apps/{app}/instances` | → list of [`Instance`] |
//! | `GET /v1/apps/{app}/releases` | → list of [`Release`], newest first |
//! | `POST /v1/apps/{app}/rollback` | [`Rollback`] → [`Change`] |
//! | `POST /v1/apps/{app}/restart` | → [`Change`] |
//! | `PATCH /v1/apps/{app}/formation` | [`Scale`] → [`Change`] |
//! | `GET /v1/apps/{app}/config` | → [`Config`] |
//! | `PATCH /v1/apps/{app}/config` | [`ConfigPatch`] → [`Change`] |
//! | `PUT /v1/apps/{app}/maintenance` | [`SetMaintenance`] → [`App`] |
//! | `POST /v1/apps/{app}/domains` | [`AddDomain`] → [`Domain`] |
//! | `GET /v1/domains?app={app}` | → list of [`Domain`] |
//! | `GET /v1/domains/{name}` | → list of [`Domain`], one a path |
//! | `DELETE /v1/domains/{name}?path={path}` | → list of [`Domain`]: those that were removed |
//! | `POST /v1/domains/{name}/check` | looks where it leads → list of [`Domain`] |
//! | `GET /v1/certificates` | → list of [`Certificate`] |
//! | `PUT /v1/certificates/{name}` | [`SupplyCertificate`] → [`Certificate`] |
//! | `DELETE /v1/certificates/{name}` | → [`Certificate`] |
//! | `POST /v1/certificates/{name}/retry` | → [`Certificate`] |
//! | `GET /v1/metrics` | → figures as text, for Prometheus |
//! | `GET /v1/zones` | → list of [`Zone`] |
//! | `PUT /v1/zones/{name}` | → [`Zone`] |
//! | `DELETE /v1/zones/{name}` | → list of [`Record`]: those that went with it |
//! | `GET /v1/records` | → list of [`Record`] |
//! | `POST /v1/records` | [`AddRecord`] → [`Record`] |
//! | `DELETE /v1/records?name={name}&kind={kind}&value={value}` | → list of [`Record`] that were removed |
//! | `GET /v1/apps/{app}/events?limit={n}` | → list of [`Event`], newest first |
//! | `GET /v1/apps/{app}/logs` with [`LogQuery`] | → stream of [`LogLine`] |
//!
//! A fault is answered with its status and a [`Fault`].

mod apps;
mod builds;
mod certificates;
mod dns;
mod domains;
mod fault;
mod follow;
mod logs;
mod releases;
mod server;

pub use apps::{App, Change, CreateApp, Event, Instance, Scale};
pub use builds::Build;
pub use certificates::{Certificate, SupplyCertificate};
pub use dns::{AddRecord, Record, Zone};
pub use domains::{AddDomain, DnsSetting, Domain, Pointing, SetMaintenance};
pub use fault::{Fault, FaultCode};
pub use follow::{Frame, InstanceProgress, Remark};
pub use logs::{LogLine, LogQuery};
pub use releases::{Config, ConfigPatch, Release, Rollback};
pub use server::{Kept, Server};

/// The media type of streams: one JSON value a line.
pub const NDJSON: &str = "application/x-ndjson";

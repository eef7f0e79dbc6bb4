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
//! | `GET /v1/apps?destroyed={bool}` | → list of [`App`]: those that are, or those that can be brought back |
//! | `POST /v1/apps` | [`CreateApp`] → [`App`] |
//! | `GET /v1/apps/{app}` | → [`App`] |
//! | `DELETE /v1/apps/{app}?confirm={app}&now={bool}` | → [`Change`] |
//! | `POST /v1/apps/{app}/undelete` | → [`App`] |
//! | `POST /v1/apps/{app}/builds` | a tar, gzip or plain → [`Change`] |
//! | `POST /v1/apps/{app}/builds/fetch` | [`DeployUrl`] → [`Change`] |
//! | `POST /v1/apps/{app}/deploy` | a tar, gzip or plain → the story of the deploy as text, with its end as status |
//! | `POST /v1/apps/{app}/sources` | the same, where a file of the last upload may be an entry of the type `R` with its sha256 as content → [`Change`], or a conflict |
//! | `GET /v1/apps/{app}/builds` | → list of [`Build`] |
//! | `GET /v1/apps/{app}/builds/{number}/log` | → text |
//! | `POST /v1/apps/{app}/builds/{number}/cancel` | → [`Change`] |
//! | `GET /v1/apps/{app}/follow?build={n}` or `?rollout={n}` | → stream of [`Frame`] |
//! | `GET /v1/apps/{app}/git` | → [`Git`] |
//! | `PUT /v1/apps/{app}/git` | [`SetBranch`] → [`Git`] |
//! | `POST /v1/apps/{app}/git/deploy` | [`DeployRef`] → [`Change`] |
//! | `GET /v1/apps/{app}/instances` | → list of [`Instance`] |
//! | `GET /v1/apps/{app}/releases` | → list of [`Release`], newest first |
//! | `PUT /v1/apps/{app}/releases/{version}/pin` | [`SetPin`] → [`Release`] |
//! | `DELETE /v1/apps/{app}/releases/{version}/pin` | → [`Release`] |
//! | `GET /v1/apps/{app}/rollouts` | → list of [`Rollout`], newest first |
//! | `POST /v1/apps/{app}/rollouts/promote` | → [`Change`] |
//! | `POST /v1/apps/{app}/rollouts/abort` | → [`Change`] |
//! | `POST /v1/apps/{app}/rollback` | [`Rollback`] → [`Change`] |
//! | `POST /v1/apps/{app}/restart` | → [`Change`] |
//! | `PATCH /v1/apps/{app}/formation` | [`Scale`] → [`Change`] |
//! | `GET /v1/apps/{app}/config` | → [`Config`] |
//! | `PATCH /v1/apps/{app}/config` | [`ConfigPatch`] → [`Change`] |
//! | `POST /v1/apps/{app}/config/apply` | → [`Change`]: what is staged, as a release |
//! | `POST /v1/apps/{app}/config/discard` | → [`Change`] |
//! | `GET /v1/apps/{app}/secrets` | → list of [`Secret`], without values |
//! | `PATCH /v1/apps/{app}/secrets` | [`SecretsPatch`] → [`Change`] |
//! | `PUT /v1/apps/{app}/protection` | [`SetProtection`] → [`App`] |
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
//! | `POST /v1/sealing-key/rotate` | → [`Rotation`] |
//! | `GET /v1/metrics` | → figures as text, for Prometheus |
//! | `GET /v1/why?app={app}&path={path}` or `?host={host}&path={path}` | → [`Why`] |
//! | `GET /v1/zones` | → list of [`Zone`] |
//! | `PUT /v1/zones/{name}` | → [`Zone`] |
//! | `DELETE /v1/zones/{name}` | → list of [`Record`]: those that went with it |
//! | `GET /v1/records` | → list of [`Record`] |
//! | `POST /v1/records` | [`AddRecord`] → [`Record`] |
//! | `DELETE /v1/records?name={name}&kind={kind}&value={value}` | → list of [`Record`] that were removed |
//! | `GET /v1/keys` | → [`Keys`] |
//! | `POST /v1/keys` | [`AddKey`] → [`Key`] |
//! | `DELETE /v1/keys?key={name or fingerprint}` | → [`Key`]: the one that was removed |
//! | `GET /v1/nodes` | → list of [`Node`], the control first |
//! | `PATCH /v1/nodes/{name}/labels` | [`LabelsPatch`] → [`Node`] |
//! | `PUT /v1/nodes/{name}/drain` | → [`Drained`] |
//! | `DELETE /v1/nodes/{name}/drain` | → [`Node`] |
//! | `POST /v1/nodes/promote` | [`Promotion`] → list of [`Node`], as above |
//! | `POST /v1/nodes/demote` | [`Promotion`] → list of [`Node`], as above |
//! | `GET /v1/nodes/rebalance` | → [`Rebalance`]: what would move |
//! | `POST /v1/nodes/rebalance` | → [`Rebalance`]: what moves |
//! | `DELETE /v1/nodes/{name}?confirm={name}&force={true,false}` | → [`Node`]: the one that was removed |
//! | `GET /v1/nodes/tokens` | → list of [`JoinToken`] |
//! | `POST /v1/nodes/tokens` | [`CreateJoinToken`] → [`NewJoinToken`] |
//! | `DELETE /v1/nodes/tokens/{id}` | → [`JoinToken`]: the one that was taken back |
//! | `POST /v1/nodes/join` with a join token | [`Join`] → [`Joined`] |
//! | `GET /v1/apps/{app}/events?limit={n}` | → list of [`Event`], newest first |
//! | `GET /v1/apps/{app}/logs` with [`LogQuery`] | → stream of [`LogLine`] |
//! | `GET /v1/apps/{app}/run` as a WebSocket | [`StartRun`] → a [`session`] |
//! | `GET /v1/apps/{app}/runs` | → list of [`Run`], newest first |
//! | `POST /v1/apps/{app}/runs` | [`StartRun`] → [`Run`], that nobody talks to |
//! | `POST /v1/apps/{app}/runs/{run}/stop` | → [`Run`] |
//! | `GET /v1/apps/{app}/cron` | → list of [`CronJob`] |
//! | `GET /v1/apps/{app}/cron/history?job={name}&limit={n}` | → list of [`CronRun`], newest first |
//! | `POST /v1/apps/{app}/cron/{job}/run` | → [`Run`] |
//! | `POST /v1/apps/{app}/cron/{job}/pause` and `/resume` | → [`CronJob`] |
//! | `GET /v1/apps/{app}/volumes` | → list of [`Volume`] |
//! | `POST /v1/apps/{app}/volumes` | [`CreateVolume`] → [`Volume`] |
//! | `GET /v1/apps/{app}/volumes/{volume}` | → [`Volume`] |
//! | `DELETE /v1/apps/{app}/volumes/{volume}?confirm={volume}` | → [`Volume`] |
//! | `GET /v1/apps/{app}/volumes/{volume}/snapshots` | → list of [`Snapshot`], newest first |
//! | `POST /v1/apps/{app}/volumes/{volume}/snapshots` | → [`Volume`], whose `job` it is |
//! | `GET /v1/apps/{app}/volumes/{volume}/backups?from={app}` | → list of [`Backup`], newest first, of that app or of this one |
//! | `POST /v1/apps/{app}/volumes/{volume}/backups` | → [`Volume`], whose `job` it is |
//! | `GET /v1/backups` | → list of [`Backup`], of all volumes of all apps |
//! | `GET /v1/backups/key` | → [`BackupKeys`] |
//! | `POST /v1/backups/key` | [`ImportBackupKeys`] → [`ImportedBackupKeys`] |
//! | `POST /v1/apps/{app}/volumes/{volume}/restore` | [`RestoreVolume`] → [`Volume`], whose `job` it is |
//! | `POST /v1/apps/{app}/volumes/{volume}/move` | [`MoveVolume`] → [`Volume`], whose `job` it is |
//! | `GET /v1/apps/{app}/exec` as a WebSocket | [`session::Exec`] → a [`session`] |
//! | `GET /v1/apps/{app}/files?instance={name}&path={path}` | → a tar |
//! | `POST /v1/apps/{app}/files?instance={name}&path={folder}` | a tar, gzip or plain → [`Change`] |
//! | `GET /v1/apps/{app}/tunnel` as a WebSocket | [`session::Tunnel`] → a [`session`] |
//!
//! A fault is answered with its status and a [`Fault`].

mod apps;
mod builds;
mod certificates;
mod cron;
mod dns;
mod domains;
mod fault;
mod follow;
mod git;
mod keys;
mod logs;
mod nodes;
mod releases;
mod runs;
mod secrets;
mod server;
pub mod session;
mod volumes;
mod why;

pub use apps::{App, Change, CreateApp, Event, Instance, Scale, SetProtection};
pub use builds::{Build, DeployUrl, PushedImage};
pub use certificates::{Certificate, SupplyCertificate};
pub use cron::{CronJob, CronRun};
pub use dns::{AddRecord, Record, Zone};
pub use domains::{AddDomain, DnsSetting, Domain, Pointing, SetMaintenance};
pub use fault::{Fault, FaultCode};
pub use follow::{Awaited, Frame, InstanceProgress, Remark, Watched};
pub use git::{Commit, DeployRef, Git, GitRef, SetBranch};
pub use keys::{AddKey, Key, Keys, SshHost};
pub use logs::{LogLine, LogQuery};
pub use nodes::{
    CreateJoinToken, Drained, Join, JoinToken, Joined, LabelsPatch, Move, NewJoinToken, Node,
    Promotion, Rebalance, Shift,
};
pub use releases::{
    Answers, Canary, Config, ConfigPatch, Declared, Difference, Pin, Plan, Release, Rollback,
    Rollout, SetPin,
};
pub use runs::{Run, StartRun};
pub use secrets::{Rotation, Secret, SecretsPatch};
pub use server::{Kept, Server};
pub use volumes::{
    Backup, BackupKeys, CreateVolume, ImportBackupKeys, ImportedBackupKeys, LastBackup, MoveVolume,
    RestoreVolume, Snapshot, Volume,
};
pub use why::{Link, Why};

/// The media type of streams: one JSON value a line.
pub const NDJSON: &str = "application/x-ndjson";

//! The HTTP API `/v1`, one file a resource. Handlers translate: a request into a verb of `ops`, records
//! and observations into the wire contract of crate `api`. They decide nothing.
//!
//! Absent on purpose: the engine and control; what runs is read from the published observation. A program
//! that somebody talks to (`sessions`) is `node`'s.

mod apps;
mod backups;
mod builds;
mod caller;
mod certificates;
mod config;
mod cron;
mod dns;
mod domains;
mod elsewhere;
mod fault;
mod fetch;
mod files;
mod follow;
mod git;
mod keys;
mod listener;
mod logs;
mod metrics;
mod nodes;
mod openapi;
mod password;
mod patient;
mod plan;
mod registry;
mod releases;
mod rollouts;
mod runs;
mod secrets;
mod sessions;
mod state;
mod status;
mod stream;
mod told;
mod uploads;
mod view;
mod volumes;
mod why;

use axum::{
    Router,
    http::Uri,
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post, put},
};

pub use caller::{Attempts, Transport};
pub use elsewhere::elsewhere;
pub use git::{answer_over_ssh, whose_keys};
pub use listener::{Incoming, serve, serve_near, serve_one};
pub use nodes::{Change, Cluster, Council, Members, Unjoinable, Wish};
pub use sessions::Sessions;
pub use state::{Api, Backups, EngineStatus, Intake, Listening, Reach, Retention, Ssh};

/// All routes of the API.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/openapi.json", get(openapi::document))
        .route("/v1/manifest.schema.json", get(plan::schema))
        .route("/v1/server", get(status::server))
        .route("/v1/sealing-key/rotate", post(secrets::rotate))
        .route("/v1/metrics", get(metrics::figures))
        .route("/v1/apps", get(apps::list).post(apps::create))
        .route("/v1/apps/{app}", get(apps::show).delete(apps::destroy))
        .route("/v1/apps/{app}/instances", get(apps::instances))
        .route("/v1/apps/{app}/formation", patch(apps::scale))
        .route("/v1/apps/{app}/restart", post(apps::restart))
        .route("/v1/apps/{app}/maintenance", put(apps::maintenance))
        .route("/v1/apps/{app}/undelete", post(apps::undelete))
        .route("/v1/apps/{app}/protection", put(apps::protect))
        .route("/v1/apps/{app}/domains", post(domains::add))
        .route("/v1/domains", get(domains::list))
        .route("/v1/domains/{name}", get(domains::show).delete(domains::remove))
        .route("/v1/domains/{name}/check", post(domains::check))
        .route("/v1/certificates", get(certificates::list))
        .route("/v1/certificates/{name}", put(certificates::supply).delete(certificates::remove))
        .route("/v1/certificates/{name}/retry", post(certificates::retry))
        .route("/v1/why", get(why::show))
        .route("/v1/zones", get(dns::zones))
        .route("/v1/zones/{name}", put(dns::add_zone).delete(dns::remove_zone))
        .route("/v1/records", get(dns::records).post(dns::add_record).delete(dns::remove_record))
        .route("/v1/keys", get(keys::list).post(keys::add).delete(keys::remove))
        .route("/v1/apps/{app}/events", get(apps::events))
        .route("/v1/apps/{app}/builds", get(builds::list).post(uploads::upload))
        .route("/v1/apps/{app}/builds/fetch", post(fetch::deploy))
        .route("/v1/apps/{app}/deploy", post(told::deploy))
        .route("/v1/apps/{app}/sources", post(uploads::amend))
        .route("/v1/apps/{app}/builds/{number}/log", get(builds::log))
        .route("/v1/apps/{app}/builds/{number}/cancel", post(builds::cancel))
        .route("/v1/apps/{app}/follow", get(follow::follow))
        .route("/v1/apps/{app}/releases", get(releases::list))
        .route("/v1/apps/{app}/releases/{version}/pin", put(releases::pin).delete(releases::unpin))
        .route("/v1/apps/{app}/plan", post(plan::show))
        .route("/v1/apps/{app}/rollouts", get(rollouts::list))
        .route("/v1/apps/{app}/rollouts/promote", post(rollouts::promote))
        .route("/v1/apps/{app}/rollouts/abort", post(rollouts::abort))
        .route("/v1/apps/{app}/rollback", post(releases::rollback))
        .route("/v1/apps/{app}/rebase", post(releases::rebase))
        .route("/v1/apps/{app}/config", get(config::show).patch(config::change))
        .route("/v1/apps/{app}/config/apply", post(config::apply))
        .route("/v1/apps/{app}/config/discard", post(config::discard))
        .route("/v1/apps/{app}/secrets", get(secrets::list).patch(secrets::change))
        .route("/v1/apps/{app}/logs", get(logs::logs))
        .route("/v1/apps/{app}/run", get(sessions::run::run))
        .route("/v1/apps/{app}/runs", get(runs::list).post(runs::begin))
        .route("/v1/apps/{app}/runs/{run}/stop", post(runs::stop))
        .route("/v1/apps/{app}/cron", get(cron::list))
        .route("/v1/apps/{app}/cron/history", get(cron::history))
        .route("/v1/apps/{app}/cron/{job}/run", post(cron::run))
        .route("/v1/apps/{app}/cron/{job}/pause", post(cron::pause))
        .route("/v1/apps/{app}/cron/{job}/resume", post(cron::resume))
        .route("/v1/apps/{app}/tunnel", get(sessions::tunnel::tunnel))
        .route("/v1/apps/{app}/files", get(files::get).post(files::put))
        .route("/v1/apps/{app}/exec", get(sessions::exec::exec))
        .route("/v1/apps/{app}/git", get(git::kept::show).put(git::kept::choose))
        .route("/v1/apps/{app}/git/deploy", post(git::deploy::deploy))
        .merge(disks())
        .merge(machines())
        .merge(git::routes())
        .merge(registry::routes())
        .fallback(no_such_path)
        .with_state(api)
}

/// Whoever asks for something else is told so in the words of what they seem to speak.
async fn no_such_path(uri: Uri) -> Response {
    if uri.path().starts_with("/v2/") {
        return registry::no_such_path();
    }
    fault::no_such_path().into_response()
}

/// Those of volumes, their snapshots and backups.
fn disks() -> Router<Api> {
    Router::new()
        .route("/v1/apps/{app}/volumes", get(volumes::list).post(volumes::create))
        .route("/v1/apps/{app}/volumes/{volume}", get(volumes::show).delete(volumes::destroy))
        .route(
            "/v1/apps/{app}/volumes/{volume}/snapshots",
            get(volumes::snapshots).post(volumes::snapshot),
        )
        .route("/v1/apps/{app}/volumes/{volume}/restore", post(volumes::restore))
        .route("/v1/apps/{app}/volumes/{volume}/move", post(volumes::relocate))
        .route(
            "/v1/apps/{app}/volumes/{volume}/backups",
            get(backups::of_volume).post(backups::backup),
        )
        .route("/v1/backups", get(backups::all))
        .route("/v1/backups/key", get(backups::keys).post(backups::import))
}

/// Those of machines that joined, or are to.
fn machines() -> Router<Api> {
    Router::new()
        .route("/v1/nodes", get(nodes::list))
        .route("/v1/nodes/join", post(nodes::join))
        .route("/v1/nodes/promote", post(nodes::promote))
        .route("/v1/nodes/demote", post(nodes::demote))
        .route("/v1/nodes/rebalance", get(nodes::imbalance).post(nodes::rebalance))
        .route("/v1/nodes/tokens", get(nodes::list_tokens).post(nodes::create_token))
        .route("/v1/nodes/tokens/{id}", delete(nodes::revoke_token))
        .route("/v1/nodes/{name}", delete(nodes::remove))
        .route("/v1/nodes/{name}/labels", patch(nodes::label))
        .route("/v1/nodes/{name}/drain", put(nodes::drain).delete(nodes::undrain))
}

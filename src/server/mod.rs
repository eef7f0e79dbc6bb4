//! The HTTP API `/v1`, one file a resource. Handlers translate: a request into a verb of `ops`, records
//! and observations into the wire contract of crate `api`. They decide nothing.
//!
//! Absent on purpose: the engine and control; what runs is read from the published observation.

mod apps;
mod builds;
mod caller;
mod certificates;
mod config;
mod dns;
mod domains;
mod fault;
mod follow;
mod listener;
mod logs;
mod metrics;
mod openapi;
mod releases;
mod state;
mod status;
mod stream;
mod uploads;
mod view;

use axum::{
    Router,
    routing::{get, patch, post, put},
};

pub use caller::{Attempts, Transport};
pub use listener::{Incoming, serve};
pub use state::{Api, EngineStatus, Listening, Reach};

/// All routes of the API.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/openapi.json", get(openapi::document))
        .route("/v1/server", get(status::server))
        .route("/v1/metrics", get(metrics::figures))
        .route("/v1/apps", get(apps::list).post(apps::create))
        .route("/v1/apps/{app}", get(apps::show).delete(apps::destroy))
        .route("/v1/apps/{app}/instances", get(apps::instances))
        .route("/v1/apps/{app}/formation", patch(apps::scale))
        .route("/v1/apps/{app}/restart", post(apps::restart))
        .route("/v1/apps/{app}/maintenance", put(apps::maintenance))
        .route("/v1/apps/{app}/domains", post(domains::add))
        .route("/v1/domains", get(domains::list))
        .route("/v1/domains/{name}", get(domains::show).delete(domains::remove))
        .route("/v1/domains/{name}/check", post(domains::check))
        .route("/v1/certificates", get(certificates::list))
        .route("/v1/certificates/{name}", put(certificates::supply).delete(certificates::remove))
        .route("/v1/certificates/{name}/retry", post(certificates::retry))
        .route("/v1/zones", get(dns::zones))
        .route("/v1/zones/{name}", put(dns::add_zone).delete(dns::remove_zone))
        .route("/v1/records", get(dns::records).post(dns::add_record).delete(dns::remove_record))
        .route("/v1/apps/{app}/events", get(apps::events))
        .route("/v1/apps/{app}/builds", get(builds::list).post(uploads::upload))
        .route("/v1/apps/{app}/sources", post(uploads::amend))
        .route("/v1/apps/{app}/builds/{number}/log", get(builds::log))
        .route("/v1/apps/{app}/builds/{number}/cancel", post(builds::cancel))
        .route("/v1/apps/{app}/follow", get(follow::follow))
        .route("/v1/apps/{app}/releases", get(releases::list))
        .route("/v1/apps/{app}/rollback", post(releases::rollback))
        .route("/v1/apps/{app}/rebase", post(releases::rebase))
        .route("/v1/apps/{app}/config", get(config::show).patch(config::change))
        .route("/v1/apps/{app}/logs", get(logs::logs))
        .fallback(fault::no_such_path)
        .with_state(api)
}

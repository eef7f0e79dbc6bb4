//! The server itself.

use std::net::SocketAddr;

use axum::{Json, extract::State};

use crate::server::{caller::Caller, fault::Failure, nodes::Members, state::Api};

pub(super) async fn server(
    caller: Caller,
    State(api): State<Api>,
) -> Result<Json<api::Server>, Failure> {
    let engine = api.engine.borrow().clone();
    let space = rustix::fs::statvfs(&api.data).ok();
    Ok(Json(api::Server {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: api.node.clone(),
        user: caller.actor.to_string(),
        domain: api.reach.domain.clone(),
        edge_url: api.reach.url(&api.reach.domain, None),
        http: texts(&api.reach.listening.http),
        https: texts(&api.reach.listening.https),
        dns: texts(&api.reach.listening.dns),
        engine_fault: api.observation.borrow().engine_fault.clone(),
        engine_version: engine.version,
        stack: engine.stack,
        firewall: engine.firewall,
        kept: engine.kept.map(|(apps, shared, toolchains)| api::Kept { apps, shared, toolchains }),
        disk_free: space.map_or(0, |space| space.f_bavail.saturating_mul(space.f_frsize)),
        memory: resident_memory(),
        controls: controls(&api.council.members()),
    }))
}

/// Where the API of each machine is that keeps the records.
fn controls(members: &Members) -> Vec<String> {
    members.values().flatten().map(|at| format!("https://{at}")).collect()
}

fn texts(addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(SocketAddr::to_string).collect()
}

/// Resident bytes of this process, by `/proc/self/status` (proc(5)); 0 where that cannot be read.
fn resident_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

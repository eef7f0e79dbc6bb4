//! A stranger machine becomes a node. It has nothing but a join token, and that is all that it needs.

use std::net::SocketAddr;

use api::FaultCode;
use axum::{Json, extract::State};

use crate::{
    clock,
    model::NodeName,
    ops::{self, Refusal, node::Candidate},
    pki::NodeRequest,
    server::{caller::Newcomer, fault::Failure, nodes::Unjoinable, state::Api},
    telemetry::chain,
};

pub(in crate::server) async fn join(
    newcomer: Newcomer,
    State(api): State<Api>,
    Json(body): Json<api::Join>,
) -> Result<Json<api::Joined>, Failure> {
    let cluster = api.cluster.as_ref().ok_or(Unjoinable::Alone).map_err(Refusal::from)?;
    cluster.check().map_err(Refusal::from)?;
    let name: NodeName = body.name.parse()?;
    let invalid = |why: String| {
        Failure::new(FaultCode::Invalid, format!("{name} did not join: {why}")).hint(
            "`paas node join TOKEN` asks for it properly; compare the versions of both machines",
        )
    };
    let address: SocketAddr = body.address.parse().map_err(|_| {
        invalid(format!("`{}` is not an ADDRESS:PORT", body.address.escape_debug()))
    })?;
    let request = NodeRequest::read(&body.csr)
        .map_err(|error| invalid(format!("its request for a certificate: {error}")))?;
    let now = clock::now();
    // Before anything is recorded: what cannot be signed has not joined.
    let signed = cluster.authority.sign(&name, &request, now);
    let signed = signed.map_err(|error| Failure::new(FaultCode::Internal, chain(&error)))?;
    let (control, token) = (cluster.control.clone(), newcomer.token);
    let candidate = Candidate { name, key: request.key().clone(), address };
    let node =
        api.store.transact(move |tx| ops::node::join(tx, &control, &token, candidate, now)).await?;
    tracing::info!(node = %node.name, address = %node.address, by = %node.by, "a node joined");
    Ok(Json(api::Joined {
        name: node.name.to_string(),
        authority: cluster.authority.pem().to_owned(),
        chain: signed,
        control: cluster.control.to_string(),
        addresses: cluster.link.iter().map(ToString::to_string).collect(),
    }))
}

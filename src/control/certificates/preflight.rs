//! Whether a proof would be found, tried out before an order is spent on it.
//!
//! What the world's resolvers say and what is fetched from there through the real edge is what an
//! authority would see. Invariant: nothing is asked of an authority here.

use std::{net::IpAddr, time::Duration};

use proxy::Host;
use tokio::time::{Instant, sleep};

use super::{
    Executor,
    board::Exhibit,
    failure::Failure,
    fetch,
    way::{Way, record_name},
    world::Unresolved,
};
use crate::{
    model::{DomainName, zone::RecordName},
    pki,
};

/// Tries out one way to prove a name.
pub(super) async fn check(
    executor: &Executor,
    name: &DomainName,
    way: &Way,
) -> Result<(), Failure> {
    if let Way::Dns { place } = way {
        return published(executor, place).await;
    }
    let here = executor.here();
    let addresses = match executor.world.addresses(name.as_str()).await {
        Ok(addresses) if !addresses.is_empty() => addresses,
        Ok(_) | Err(Unresolved::Nothing) => {
            return Err(Failure::preflight(
                format!("{name} has no address in the DNS"),
                format!("add a record at your DNS provider: {name} A {here}"),
            ));
        }
        Err(Unresolved::Failed(reason)) => {
            return Err(Failure::preflight(
                format!("{name} could not be looked up: {reason}"),
                format!("`paas domains check {name}` asks again"),
            ));
        }
    };
    let strangers = strangers(executor, name, &addresses, way).await?;
    if strangers.is_empty() {
        return Ok(());
    }
    let list = strangers.join(", ");
    Err(Failure::preflight(
        format!("{name} leads to {list}, where this server does not answer"),
        format!(
            "let {name} lead to {here} at your DNS provider and nowhere else; if {list} is this \
             server's, add it to `addresses` in config.toml"
        ),
    ))
}

/// Those of a name's addresses at which we are not found. An authority takes any of them.
async fn strangers(
    executor: &Executor,
    name: &DomainName,
    addresses: &[IpAddr],
    way: &Way,
) -> Result<Vec<String>, Failure> {
    let mut unknown: Vec<IpAddr> = addresses.to_vec();
    unknown.sort_unstable();
    unknown.dedup();
    let own = executor.addresses();
    unknown.retain(|address| !own.contains(address));
    unknown.truncate(MOST_ADDRESSES);
    let mut strangers = Vec::new();
    let Ok(host) = Host::parse(name.as_str()) else { return Ok(strangers) };
    match way {
        Way::Http { port } => {
            let text = hex::encode(rand::random::<[u8; 16]>());
            let path = format!("/.well-known/acme-challenge/paas-preflight-{text}");
            let answer = Exhibit::Answer(host, path.as_str().into(), text.as_str().into());
            let shown = executor.show(answer).await;
            for address in unknown {
                if !fetch::over_http((address, *port), name, &path, &text).await {
                    strangers.push(address.to_string());
                }
            }
            drop(shown);
        }
        Way::Tls { port } => {
            let digest = rand::random::<[u8; 32]>();
            let proof = Exhibit::Challenge(host, pki::proof(name, &digest)?);
            let shown = executor.show(proof).await;
            for address in unknown {
                if !fetch::over_tls((address, *port), name, digest).await {
                    strangers.push(address.to_string());
                }
            }
            drop(shown);
        }
        Way::Dns { .. } => {}
    }
    Ok(strangers)
}

/// Whether a TXT record that we publish beside this place is seen by the world. Each look uses a
/// name of its own, since resolvers also remember that there was nothing.
async fn published(executor: &Executor, place: &RecordName) -> Result<(), Failure> {
    let deadline = Instant::now() + PUBLISHED;
    let zone = place.as_str().trim_start_matches("_acme-challenge.");
    let mut seen = "nothing is there".to_owned();
    loop {
        let text = hex::encode(rand::random::<[u8; 16]>());
        let name = record_name(&format!("paas-preflight-{text}.{zone}"))?;
        let shown = executor.show(Exhibit::Text(name.clone(), text.clone())).await;
        match executor.world.texts(name.as_str()).await {
            Ok(texts) if texts.contains(&text) => return Ok(()),
            Ok(_) | Err(Unresolved::Nothing) => {}
            Err(Unresolved::Failed(reason)) => seen = reason,
        }
        drop(shown);
        if Instant::now() >= deadline {
            return Err(Failure::preflight(
                format!("records of {zone} that this server publishes are not seen: {seen}"),
                format!(
                    "let the NS records of the domain lead to this server ({}), and port 53 be open \
                     for UDP and TCP",
                    executor.here()
                ),
            ));
        }
        sleep(AGAIN).await;
    }
}

/// A name with more addresses is not one server's.
const MOST_ADDRESSES: usize = 8;
/// For the DNS server to publish, and for resolvers to pass it on.
const PUBLISHED: Duration = Duration::from_secs(10);
/// Between two looks.
const AGAIN: Duration = Duration::from_millis(500);

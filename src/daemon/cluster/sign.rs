//! Certificates of nodes, signed by the authority that this daemon has: its own, and those that nodes
//! want anew.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    daemon::{error::RunError, reissue::renewed_after},
    model::NodeName,
    node::{Renewal, link::Identity},
    ops,
    pki::{NodeAuthority, NodeRequest},
    store::Store,
    telemetry::chain,
};

/// What this daemon shows on links.
pub(in crate::daemon) fn own(
    name: &NodeName,
    authority: &NodeAuthority,
) -> Result<Identity, RunError> {
    let made = authority.issue(name, clock::now()).map_err(RunError::NodeCertificate)?;
    Ok(Identity::from_pem(name.clone(), authority.pem(), &made.chain, &made.key)?)
}

/// Issues another in time until it is told to stop. One that leads says in which term, and so anew when that is
/// another.
pub(in crate::daemon) async fn keep_own(
    name: NodeName,
    authority: Arc<NodeAuthority>,
    mut term: watch::Receiver<Option<u64>>,
    show: watch::Sender<Arc<Identity>>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Ok(()) = term.changed() => {}
            () = sleep(renewed_after(authority.lasts())) => {}
        }
        let leads = *term.borrow_and_update();
        match own(&name, &authority) {
            Ok(identity) => {
                show.send_replace(Arc::new(identity.leading(leads)));
                tracing::info!("this machine shows a new certificate on links");
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the certificate for links stays as it is");
            }
        }
    }
}

/// Answers nodes that want another certificate until it is told to stop.
pub(super) async fn renew(
    store: Store,
    authority: Arc<NodeAuthority>,
    mut asked: mpsc::Receiver<Renewal>,
    stop: CancellationToken,
) {
    loop {
        let renewal = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(renewal) = asked.recv() => renewal,
        };
        let Renewal { peer, request, answer } = renewal;
        let signed = sign(&store, &authority, &peer.name, &request).await;
        match &signed {
            Ok(_) => tracing::info!(node = %peer.name, "a node has a new certificate"),
            Err(error) => {
                tracing::warn!(node = %peer.name, %error, "a node has no new certificate");
            }
        }
        // Whoever has gone asks again.
        let _ = answer.send(signed);
    }
}

async fn sign(
    store: &Store,
    authority: &NodeAuthority,
    name: &NodeName,
    request: &str,
) -> Result<String, String> {
    let request = NodeRequest::read(request).map_err(|error| chain(&error))?;
    let (node, key) = (name.clone(), request.key().clone());
    let renewed = store.transact(move |tx| ops::node::renew(tx, &node, key)).await;
    renewed.map_err(|refusal| chain(&refusal))?;
    authority.sign(name, &request, clock::now()).map_err(|error| chain(&error))
}

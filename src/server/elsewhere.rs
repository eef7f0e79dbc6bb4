//! The API of a machine that keeps the records and does not lead, for whoever could not be led on to the one that does:
//! it does nothing, and says who leads.

use std::net::SocketAddr;

use api::FaultCode;
use axum::Router;

use super::fault::Failure;
use crate::model::NodeName;

/// Answers every request so. `leader` says who leads, and where the API of that is.
pub fn elsewhere<F>(leader: F) -> Router
where
    F: Fn() -> Option<(NodeName, Vec<SocketAddr>)> + Clone + Send + Sync + 'static,
{
    Router::new().fallback(move || {
        let leader = leader();
        async move { said(leader) }
    })
}

fn said(leader: Option<(NodeName, Vec<SocketAddr>)>) -> Failure {
    let Some((name, api)) = leader else {
        return Failure::new(
            FaultCode::Unavailable,
            "this machine does not lead, and no other is heard of",
        )
        .hint("more than half of the machines that keep the records must be up; see `journalctl -u paas -n 50`");
    };
    let failure =
        Failure::new(FaultCode::Unavailable, format!("this machine does not lead: {name} does"));
    match api.first() {
        Some(at) => failure.hint(format!("run it on {name}, or log in: `paas login https://{at}`")),
        None => failure.hint(format!("run it on {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leads_is_said_with_the_way_there() {
        let words = |leader| {
            let (message, hint) = said(leader).into_words();
            format!("{message}; {}", hint.unwrap())
        };
        let (name, at) =
            ("edge-1".parse::<NodeName>().unwrap(), "203.0.113.9:8443".parse().unwrap());
        let led = words(Some((name.clone(), vec![at])));
        assert!(led.contains(
            "edge-1 does; run it on edge-1, or log in: `paas login https://203.0.113.9:8443`"
        ));
        assert!(words(Some((name, vec![]))).ends_with("run it on edge-1"));
        assert!(words(None).contains("no other is heard of; more than half"));
    }
}

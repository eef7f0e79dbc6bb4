//! What machines that want to join are told, put together from the settings and what is bound.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::{
    clock,
    config::{ClusterSettings, Config},
    daemon::{authority, doors::Doors, error::RunError, folders::Folders},
    model::NodeName,
    node::Edges,
    server::Cluster,
};

/// It; `None` without a link.
pub(super) fn offer(
    config: &Config,
    folders: &Folders,
    (doors, edges): (&Doors, &Edges),
) -> Result<Option<Cluster>, RunError> {
    let Some(settings) = &config.cluster else { return Ok(None) };
    let lasts = config.certificate_lasts;
    let authority = Arc::new(authority::of_nodes(&folders.keys(), lasts, clock::now())?);
    let public = edges.own_at();
    let api = doors.tls();
    Ok(Some(Cluster {
        control: NodeName::of_machine(&config.node),
        authority,
        link: link(settings, &public),
        fingerprint: api.as_ref().map(|(_, fingerprint)| *fingerprint).unwrap_or_default(),
        api: api.map(|(at, _)| each(&at, &public)).unwrap_or_default(),
    }))
}

fn link(settings: &ClusterSettings, public: &[IpAddr]) -> Vec<SocketAddr> {
    match settings.address {
        Some(address) => vec![address],
        None => each(&[settings.listen], public),
    }
}

/// Where others reach what listens there: an unspecified address stands for those that the world knows.
pub(in crate::daemon) fn each(listening: &[SocketAddr], public: &[IpAddr]) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for at in listening {
        if at.ip().is_unspecified() {
            // A listener on `[::]` takes IPv4 too.
            let fits = |ip: &&IpAddr| at.is_ipv6() || ip.is_ipv4();
            all.extend(public.iter().filter(fits).map(|ip| SocketAddr::new(*ip, at.port())));
        } else {
            all.push(*at);
        }
    }
    // Whoever is not on this machine would first ask its own.
    all.sort_by_key(|at| at.ip().is_loopback());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_told_where_the_world_reaches_what_listens_everywhere() {
        let public: Vec<IpAddr> =
            ["203.0.113.7", "2001:db8::7"].map(|ip| ip.parse().unwrap()).to_vec();
        let check = |listen: &str, address: Option<&str>, expected: &[&str]| {
            let (listen, address) =
                (listen.parse().unwrap(), address.map(|at| at.parse().unwrap()));
            let told = link(&ClusterSettings { listen, address }, &public);
            let told: Vec<_> = told.iter().map(ToString::to_string).collect();
            assert_eq!(told, expected, "{listen}");
        };
        check("0.0.0.0:7600", None, &["203.0.113.7:7600"]);
        check("[::]:7600", None, &["203.0.113.7:7600", "[2001:db8::7]:7600"]);
        check("10.0.0.5:7600", None, &["10.0.0.5:7600"]);
        check("0.0.0.0:7600", Some("198.51.100.1:1"), &["198.51.100.1:1"]);
        let both = ["127.0.0.1:1", "10.0.0.5:1"].map(|at| at.parse().unwrap());
        assert_eq!(each(&both, &public), [both[1], both[0]]);
        assert_eq!(each(&["0.0.0.0:1".parse().unwrap()], &[]), []);
    }
}

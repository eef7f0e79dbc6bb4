//! The settings of an installation of several machines: where the others reach this one.

use std::net::SocketAddr;

use super::{parse::socket_address, reader::Reader};

/// Where the link to the other machines is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where the others reach it, if that is not to be seen from here.
    pub address: Option<SocketAddr>,
}

/// Reads them; `None` if there is no link.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<ClusterSettings> {
    let maybe = |text: &str| match text {
        "" => Ok(None),
        _ => socket_address(text).map(Some),
    };
    let listen = reader.one("cluster_listen", "", maybe);
    let address = reader.one("cluster_address", "", |text| match maybe(text)? {
        Some(at) if at.ip().is_unspecified() || at.port() == 0 => {
            Err(format!("nobody can connect to `{at}`; say where the others reach this machine"))
        }
        address => Ok(address),
    });
    if let (None, Some(_)) = (listen, address) {
        let problem = "it needs `cluster_listen` beside it, such as `0.0.0.0:7600`";
        reader.fault("cluster_address", problem.to_owned());
    }
    Some(ClusterSettings { listen: listen?, address })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Given, resolve};

    fn check(file: &str) -> Result<Option<ClusterSettings>, String> {
        let given = Given {
            file: Some((PathBuf::from("config.toml"), file.to_owned())),
            host_name: "box".to_owned(),
            ..Given::default()
        };
        let faults = |faults: Vec<_>| faults.iter().map(ToString::to_string).collect();
        resolve(&given).map(|config| config.cluster).map_err(faults)
    }

    #[test]
    fn there_is_no_link_unless_it_is_said_where() {
        assert_eq!(check(""), Ok(None));
        let listen = "0.0.0.0:7600".parse().unwrap();
        let expected = ClusterSettings { listen, address: None };
        assert_eq!(check("[cluster]\nlisten = '0.0.0.0:7600'"), Ok(Some(expected)));
        assert_eq!(check("cluster_listen = '0.0.0.0:7600'"), Ok(Some(expected)));
        let address = Some("203.0.113.7:7600".parse().unwrap());
        let both = "[cluster]\nlisten = '0.0.0.0:7600'\naddress = '203.0.113.7:7600'";
        assert_eq!(check(both), Ok(Some(ClusterSettings { listen, address })));
    }

    #[test]
    fn what_is_wrong_says_where_and_why() {
        for (file, part) in [
            (
                "[cluster]\nlisten = 'here'",
                "config.toml: cluster_listen: `here` is not an ADDRESS:PORT",
            ),
            (
                "[cluster]\naddress = '203.0.113.7:7600'",
                "cluster_address: it needs `cluster_listen`",
            ),
            ("[cluster]\nlisten = '0.0.0.0:1'\naddress = '0.0.0.0:1'", "nobody can connect to"),
            ("[cluster]\nlissten = '0.0.0.0:1'", "did you mean `cluster_listen`?"),
            ("[cluster.listen]\nx = 1", "cluster_listen: it must be a text"),
        ] {
            let said = check(file).unwrap_err();
            assert!(said.contains(part), "{file}\n{said}");
        }
    }
}

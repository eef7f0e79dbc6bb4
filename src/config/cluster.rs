//! The settings of an installation of several machines: where the others reach this one.

use std::{net::SocketAddr, time::Duration};

use super::{
    parse::{days, socket_address},
    reader::Reader,
};

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

/// Reads how long certificates of links last. It is said whether there is a link here or not: a machine that is
/// promoted has one without having been told where.
pub(super) fn certificate_lasts(reader: &mut Reader<'_>) -> Duration {
    reader.one("cluster_certificate_lasts", "30d", |text| {
        let time = days(text).ok().flatten().filter(|time| *time >= SHORTEST);
        time.ok_or_else(|| {
            format!("`{text}` is not a time from a minute to a year, such as `30d`, `12h` or `90m`")
        })
    })
}

/// Machines have to come to renewing one a few times before it ends.
const SHORTEST: Duration = Duration::from_mins(1);

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
    fn certificates_of_links_last_a_month_or_as_long_as_is_said() {
        let lasts = |file: &str| {
            let file = Some((PathBuf::from("config.toml"), file.to_owned()));
            let given = Given { file, host_name: "box".to_owned(), ..Given::default() };
            resolve(&given)
                .map(|config| config.certificate_lasts)
                .map_err(|faults| faults.iter().map(ToString::to_string).collect::<String>())
        };
        assert_eq!(lasts(""), Ok(Duration::from_hours(24 * 30)));
        assert_eq!(lasts("[cluster]\ncertificate_lasts = '12h'"), Ok(Duration::from_hours(12)));
        assert_eq!(lasts("cluster_certificate_lasts = '1m'"), Ok(Duration::from_mins(1)));
        for wrong in ["59s", "366d", "off", "12"] {
            let said = lasts(&format!("[cluster]\ncertificate_lasts = '{wrong}'")).unwrap_err();
            let expected = format!(
                "config.toml: cluster_certificate_lasts: `{wrong}` is not a time from a minute to a year"
            );
            assert!(said.starts_with(&expected), "{said}");
        }
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

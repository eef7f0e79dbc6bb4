//! What bridges are called as interfaces of this machine: all of an installation begin alike.
//!
//! Docker would name them by the network's id. By a name that says whose it is, packet filter rules
//! can speak of a bridge before there is one, so that no container is ever there before the rules.

use bollard::models::Network;

use super::{InstallationId, subnet::Subnet};

/// The option of Docker's bridge driver for an interface's name.
pub(super) const OPTION: &str = "com.docker.network.bridge.name";

/// What the names of an installation's bridges begin with. Interfaces have 15 characters, so this is
/// all of an id as daemons make them, and of a longer one the beginning.
pub(super) fn prefix(installation: &InstallationId) -> String {
    format!("pa{:-<8.8}", installation.as_str())
}

/// The name of the bridge with this subnet, which no other bridge has.
pub(super) fn name(installation: &InstallationId, subnet: Subnet) -> String {
    format!("{}{:05x}", prefix(installation), subnet.number() & 0xF_FFFF)
}

/// The name of a network's bridge, whoever chose it.
pub(super) fn of(network: &Network) -> Option<String> {
    let chosen = network.options.as_ref().and_then(|options| options.get(OPTION));
    let by_id = || Some(format!("br-{}", network.id.as_ref()?.get(..12)?));
    chosen.cloned().or_else(by_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is_and_fits() {
        let name =
            |id: &str, subnet: &str| name(&id.parse().unwrap(), subnet.parse::<Subnet>().unwrap());
        assert_eq!(name("1a2b3c4d", "10.210.0.64/26"), "pa1a2b3c4db4801");
        assert_eq!(name("k3f9", "10.210.0.0/26"), "pak3f9----b4800");
        assert_eq!(name("0123456789abcdef", "10.0.0.0/26").len(), 15);
        assert!(!name("k3f90", "10.210.0.0/26").starts_with(&prefix(&"k3f9".parse().unwrap())));
    }

    #[test]
    fn a_network_of_an_older_daemon_is_known_by_its_id() {
        let id = Some("1a2b3c4d5e6f7a8b".to_owned());
        assert_eq!(of(&Network { id, ..Network::default() }).unwrap(), "br-1a2b3c4d5e6f");
    }
}

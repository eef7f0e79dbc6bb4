//! What the machines that keep the records share of their settings: each of them can lead, and then apps are to be
//! reached under the same domain, and certificates to be got from the same authority.
//!
//! A machine that is promoted is given it as a file, which it reads below its own `config.toml`.

use super::{
    reader::{Reader, SETTINGS},
    settings::Given,
};

/// What this machine was given of the installation's settings, as TOML.
pub fn shared(given: &Given) -> String {
    let reader = Reader::new(given);
    let said = SETTINGS.iter().filter(|name| is_shared(name)).filter_map(|name| {
        let text = reader.said(name)?;
        Some(((*name).to_owned(), toml::Value::String(text)))
    });
    said.collect::<toml::Table>().to_string()
}

/// Whether a setting is the installation's.
pub(super) fn is_shared(name: &str) -> bool {
    SETTINGS.contains(&name) && !OWN.contains(&name)
}

/// A machine's own settings, which no other is given: its name and addresses, where it listens, its Docker, and
/// what of its processor, memory and disk may be used.
const OWN: [&str; 21] = [
    "addresses",
    "http",
    "https",
    "dns",
    "ssh",
    "api",
    "resolver",
    "firewall",
    "docker",
    "subnets",
    "node",
    "cluster_listen",
    "cluster_address",
    "edge_threads",
    "build_memory",
    "build_disk",
    "disk_reserve",
    "cache_per_app",
    "cache",
    "toolchain_cache",
    "builds_at_once",
];

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::resolve;

    /// A machine with this `config.toml` and `installation.toml`, and variables.
    fn given(file: &str, installation: &str, environment: &[(&str, &str)]) -> Given {
        let text = |name: &str, text: &str| Some((PathBuf::from(name), text.to_owned()));
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Given {
            file: text("config.toml", file),
            installation: text("installation.toml", installation),
            environment: environment.iter().map(own).collect(),
            host_name: "box".to_owned(),
            ..Given::default()
        }
    }

    #[test]
    fn every_setting_of_a_machines_own_is_a_setting() {
        for name in OWN {
            assert!(SETTINGS.contains(&name), "{name}");
        }
    }

    #[test]
    fn what_is_shared_is_below_everything_else() {
        let file = "releases_kept = 5";
        let shared = "domain = 'example.com'\nreleases_kept = '7'\nundelete_for = '1d'";
        let config = resolve(&given(file, shared, &[("PAAS_UNDELETE_FOR", "2d")])).unwrap();
        assert_eq!((config.domain.as_str(), config.releases_kept), ("example.com", 5));
        assert_eq!(config.undelete_for.unwrap().as_secs(), 2 * 86_400);
        let at: Vec<String> = config.http.iter().map(ToString::to_string).collect();
        assert_eq!(
            at,
            ["0.0.0.0:80"],
            "a domain of one's own is meant for the world, wherever it is said"
        );
    }

    #[test]
    fn a_machines_own_settings_and_unknown_ones_are_not_taken_from_others() {
        let config = resolve(&given("", "node = 'x'\nhttp = 'here'\nnever_heard = '1'", &[]));
        assert_eq!(config.unwrap().node, "box");
        let faults = resolve(&given("", "releases_kept = '0'\ntrusted = true", &[])).unwrap_err();
        let places: Vec<&str> = faults.iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(places, ["installation.toml: trusted", "installation.toml: releases_kept"]);
    }

    #[test]
    fn what_a_machine_was_given_of_the_installations_settings_is_shared_and_no_more() {
        let file = "domain = 'example.com'\nnode = 'box-1'\nreleases_kept = 5\n\
                    fetch_private = ['10.0.0.7', '10.0.0.8']\ncache = '5g'\n[cluster]\nlisten = '0.0.0.0:7600'\n\
                    certificate_lasts = '12h'";
        let own = "acme_email = 'ops@example.com'\nreleases_kept = '7'";
        let given =
            given(file, own, &[("PAAS_BACKUP_TO", "/mnt/backups"), ("PAAS_API", "0.0.0.0:1")]);
        let expected = "acme_email = \"ops@example.com\"\nbackup_to = \"/mnt/backups\"\n\
                        cluster_certificate_lasts = \"12h\"\ndomain = \"example.com\"\nfetch_private = \"10.0.0.7,10.0.0.8\"\nreleases_kept = \"5\"\n";
        assert_eq!(shared(&given), expected);
    }

    #[test]
    fn what_is_shared_means_the_same_on_another_machine_and_is_shared_by_it_again() {
        let file = "domain = 'example.com'\nreleases_kept = 5\nfirewall_allow = [5432, '8125/udp']\n\
                    acme = 'off'\naccess_log = 'json'\nbuild_idle = 'off'";
        let first = given(file, "", &[]);
        let text = shared(&first);
        let second = given("", &text, &[]);
        assert_eq!(resolve(&second).unwrap(), resolve(&first).unwrap());
        assert_eq!(shared(&second), text);
        assert_eq!(shared(&given("", "", &[])), "");
    }
}

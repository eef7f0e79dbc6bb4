//! From texts to a [`Config`], setting by setting.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use crate::{
    config::{
        acme, backups, builds, cluster,
        reader::{ConfigFault, Reader},
        settings::{AccessLogFormat, ApiAddress, Config, Given, SshSettings},
    },
    model::{InvalidName, fetching::PrivatePlace, opening::Opening},
};

/// Makes a configuration of what was given, or says all that is wrong with it.
pub fn resolve(given: &Given) -> Result<Config, Vec<ConfigFault>> {
    let mut reader = Reader::new(given);
    let domain = reader.one("domain", LAPTOP, domain);
    // A name of one's own is meant for the world; without one this is somebody's laptop.
    let (http, https, api, by_acme, ssh) = match domain.as_str() {
        LAPTOP => ("127.0.0.1:8080", "", "127.0.0.1:8443", "off", "off"),
        _ => ("0.0.0.0:80", "0.0.0.0:443", "0.0.0.0:8443", acme::LETS_ENCRYPT, "0.0.0.0:2222"),
    };
    let config = Config {
        data: given.data.clone(),
        domain,
        http: reader.many("http", http, socket_address),
        https: reader.many("https", https, socket_address),
        dns: reader.many("dns", "", socket_address),
        ssh: SshSettings {
            at: reader.one("ssh", ssh, |text| match text {
                "off" => Ok(None),
                _ => socket_address(text).map(Some),
            }),
            by: reader.chosen_by("ssh"),
        },
        addresses: reader.many("addresses", "", |text| {
            text.parse().map_err(|_| format!("`{text}` is not an IP address"))
        }),
        trusted: reader.many("trusted", "", |text| {
            text.parse().map_err(|error: InvalidName| error.to_string())
        }),
        proxy_protocol: reader.one("proxy_protocol", "no", yes_or_no),
        fetch_private: reader.many("fetch_private", "", PrivatePlace::from_str),
        firewall: reader.one("firewall", "on", on_or_off),
        firewall_allow: reader.many("firewall_allow", "", Opening::from_str),
        resolver: reader.one("resolver", "", |text| match text {
            "" => Ok(None),
            _ => socket_address(text).map(Some),
        }),
        sealing_key: given
            .environment
            .get("CREDENTIALS_DIRECTORY")
            .map(|folder| PathBuf::from(folder).join("paas-sealing-key")),
        acme: acme::read(&mut reader, by_acme),
        api: reader.many("api", api, ApiAddress::from_str),
        docker: reader.one("docker", "/var/run/docker.sock", |text| Ok(PathBuf::from(text))),
        subnets: reader.one("subnets", "10.210.0.0/16", subnets),
        node: reader.one("node", &given.host_name, node),
        base_image: reader.one("base_image", "debian:trixie-slim", image),
        releases_kept: reader.one("releases_kept", "10", |text| match text.parse() {
            Ok(count @ 1..=1000) => Ok(count),
            Ok(_) | Err(_) => Err(format!("`{text}` is not a number of releases from 1 to 1000")),
        }),
        undelete_for: reader.one("undelete_for", "7d", days),
        backup: backups::read(&mut reader),
        cluster: cluster::read(&mut reader),
        certificate_lasts: cluster::certificate_lasts(&mut reader),
        builds: builds::read(&mut reader),
        edge_threads: reader.one("edge_threads", "0", |text| {
            text.parse().map_err(|_| format!("`{text}` is not a number of threads"))
        }),
        access_log: reader.one("access_log", "off", AccessLogFormat::from_str),
        access_log_sample: reader.one("access_log_sample", "1", share),
    };
    if reader.faults.is_empty() { Ok(config) } else { Err(reader.faults) }
}

/// The domain of a machine that has none: its names lead to the machine itself (RFC 6761 §6.3).
const LAPTOP: &str = "localhost";

/// `7d` or `12h`; `off` is not at all.
pub(super) fn days(text: &str) -> Result<Option<Duration>, String> {
    let wrong = || format!("`{text}` is no such time; write it like `7d`, `12h`, `10m` or `off`");
    if text == "off" {
        return Ok(None);
    }
    let (count, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "d" => 86_400,
        "h" => 3600,
        "m" => 60,
        "s" => 1,
        _ => return Err(wrong()),
    };
    let count: u32 = count.parse().map_err(|_| wrong())?;
    let time = Duration::from_secs(u64::from(count) * seconds);
    let allowed = !time.is_zero() && time <= Duration::from_hours(24 * 365);
    allowed.then_some(Some(time)).ok_or_else(wrong)
}

fn domain(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if text.len() <= 200 && text.split('.').all(label) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not a domain in lower case, such as `apps.example.com`"))
    }
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an ADDRESS:PORT, such as `0.0.0.0:80`"))
}

/// A share such as `0.01`, in millionths: digits, and up to six behind the point.
fn share(text: &str) -> Result<u32, String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let millionths = match (whole, part.len()) {
        ("1", _) if part.bytes().all(|byte| byte == b'0') => Some(1_000_000),
        ("0", 0..=6) if digits(part) => format!("{part:0<6}").parse().ok(),
        _ => None,
    };
    millionths.ok_or_else(|| format!("`{text}` is not a share between 0 and 1, such as `0.01`"))
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("`{text}` is neither `yes` nor `no`")),
    }
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("`{text}` is neither `on` nor `off`")),
    }
}

fn node(text: &str) -> Result<String, String> {
    let valid = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_');
    if valid { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a machine's name")) }
}

fn image(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/:@".contains(&b);
    let valid = (1..=255).contains(&text.len())
        && text.bytes().all(plain)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if valid {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not an image's name, such as `debian:trixie-slim`"))
    }
}

fn subnets(text: &str) -> Result<String, String> {
    let problem = || format!("`{text}` is not an IPv4 network of /8 to /24, such as 10.210.0.0/16");
    let (address, bits) = text.split_once('/').ok_or_else(problem)?;
    address.parse::<std::net::Ipv4Addr>().map_err(|_| problem())?;
    match bits.parse::<u8>() {
        Ok(8..=24) => Ok(text.to_owned()),
        _ => Err(problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ChosenBy;

    fn given(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Given {
        let texts = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        Given {
            file: Some((PathBuf::from("config.toml"), file.to_owned())),
            environment: texts(environment),
            flags: texts(flags),
            host_name: "box".to_owned(),
            data: PathBuf::from("/data"),
            ..Given::default()
        }
    }

    #[test]
    fn flags_win_over_the_environment_which_wins_over_the_file() {
        let file = "domain = 'file.test'\nnode = 'file'\nhttp = ['127.0.0.1:1', '127.0.0.1:2']";
        let config = resolve(&given(
            file,
            &[("PAAS_DOMAIN", "env.test"), ("PAAS_NODE", "env")],
            &[("domain", "flag.test")],
        ))
        .unwrap();
        assert_eq!((config.domain.as_str(), config.node.as_str()), ("flag.test", "env"));
        assert_eq!(config.http.len(), 2);
    }

    #[test]
    fn a_laptop_serves_itself_and_a_server_serves_the_world() {
        let laptop = resolve(&given("", &[], &[])).unwrap();
        let server = resolve(&given("domain = 'apps.example.com'", &[], &[])).unwrap();
        let public = |config: &Config| config.http.iter().any(|at| at.ip().is_unspecified());
        assert!(!public(&laptop) && public(&server));
        let ssh = |config: &Config| (config.ssh.at.map(|at| at.port()), config.ssh.by);
        assert_eq!(ssh(&laptop), (None, ChosenBy::Default));
        assert_eq!(ssh(&server), (Some(2222), ChosenBy::Default));
        let off = resolve(&given("domain = 'a.test'\nssh = 'off'", &[], &[])).unwrap();
        assert_eq!(ssh(&off), (None, ChosenBy::User));
        let flag = resolve(&given("", &[], &[("ssh", "127.0.0.1:22")])).unwrap();
        assert_eq!(ssh(&flag), (Some(22), ChosenBy::User));
    }

    #[test]
    fn every_fault_is_reported_at_once_with_its_place() {
        let file = "domian = 'x'\nhttp = 'here'\nnode = true";
        let faults = resolve(&given(
            file,
            &[("PAAS_BUILD_MEMORY", "lots"), ("PAAS_BASE_IMAGE", "--privileged")],
            &[("api", "http://0.0.0.0:80")],
        ))
        .unwrap_err();
        let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 6, "{shown:#?}");
        assert!(shown[0].contains("did you mean `domain`?"), "{shown:#?}");
        assert!(shown.iter().any(|line| line.starts_with("PAAS_BUILD_MEMORY: `lots`")));
        assert!(shown.iter().any(|line| line.starts_with("--api: ") && line.contains("clear")));
    }

    #[test]
    fn the_firewall_is_on_and_opens_what_it_is_told() {
        let config = resolve(&given("", &[], &[])).unwrap();
        assert!(config.firewall && config.firewall_allow.is_empty());
        let file = "firewall_allow = [5432, '8125/udp']";
        let config = resolve(&given(file, &[("PAAS_FIREWALL", "off")], &[])).unwrap();
        assert!(!config.firewall);
        assert_eq!(config.firewall_allow, ["5432", "8125/udp"].map(|it| it.parse().unwrap()));
        let file = "firewall = 'maybe'\nfirewall_allow = ['5432', 'postgres', '0']";
        let faults = resolve(&given(file, &[], &[])).unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:#?}");
        assert!(faults[1].to_string().starts_with("config.toml: firewall_allow: `postgres`"));
    }

    #[test]
    fn a_share_is_read_to_the_millionth() {
        for (text, expected) in
            [("1", 1_000_000), ("1.0", 1_000_000), ("0.01", 10_000), ("0", 0), ("0.000001", 1)]
        {
            assert_eq!(share(text), Ok(expected), "{text}");
        }
        for text in ["", "2", "1.1", "-0.5", ".5", "0.0000001", "50%", "0.x", "+1"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_broken_file_says_where() {
        let faults = resolve(&given("domain = ", &[], &[])).unwrap_err();
        assert!(faults[0].problem.contains("line 1"), "{}", faults[0]);
    }
}

//! What a user sets at the registrar of a name, so that the name leads here and can be proved.
//!
//! Pure: which addresses and zones are ours is told. It cannot know where a zone of the world
//! begins (`example.co.uk` is one, `www.example.com` is none), so that where a CNAME may be
//! forbidden it names the addresses too.

use std::net::IpAddr;

use super::{AppName, DnsData, DomainName, zone::is_within};

/// What of this server the world can be pointed to.
#[derive(Debug, Clone, Copy)]
pub struct Reachable<'a> {
    /// Apps answer at `<app>.<domain>`.
    pub domain: &'a str,
    /// The addresses of the edge.
    pub addresses: &'a [IpAddr],
    /// Zones whose DNS this server answers for, the platform's own among them; none if it answers
    /// for no zone at all.
    pub zones: &'a [String],
}

/// What to set for one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advice {
    /// All of these; none if the name is in a zone of ours.
    pub set: Vec<Setting>,
    /// In place of the CNAME, where the name is the top of its zone.
    pub instead: Vec<Setting>,
}

/// One record to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The record's name in full.
    pub name: String,
    /// What it says.
    pub data: DnsData,
}

impl Reachable<'_> {
    /// What to set for `name`, under which `app` shall answer.
    pub fn advice(&self, name: &DomainName, app: &AppName) -> Advice {
        if self.zone_of(name.base()).is_some() {
            return Advice::default();
        }
        let addresses = self.addresses_of(name.as_str());
        let named = self.platform_is_public() && !is_two_labels(name);
        let mut advice = if named {
            let target = format!("{app}.{}", self.domain);
            let set = vec![Setting::cname(name.as_str(), target)];
            let instead = if name.is_wildcard() { Vec::new() } else { addresses };
            Advice { set, instead }
        } else {
            Advice { set: addresses, instead: Vec::new() }
        };
        if name.is_wildcard() && self.zone_of(self.domain).is_some() {
            let base = name.base();
            let proof = format!("{base}.{PROOFS}.{}", self.domain);
            advice.set.push(Setting::cname(&format!("_acme-challenge.{base}"), proof));
        }
        advice
    }

    /// The zone of ours that a name is in.
    pub fn zone_of(&self, name: &str) -> Option<&str> {
        let contains = |zone: &&String| is_within(name, zone);
        self.zones.iter().filter(contains).max_by_key(|zone| zone.len()).map(String::as_str)
    }

    fn platform_is_public(&self) -> bool {
        self.domain.contains('.')
    }

    fn addresses_of(&self, name: &str) -> Vec<Setting> {
        let data = |address: &IpAddr| match *address {
            IpAddr::V4(address) => DnsData::A { address },
            IpAddr::V6(address) => DnsData::Aaaa { address },
        };
        let setting = |address| Setting { name: name.to_owned(), data: data(address) };
        self.addresses.iter().map(setting).collect()
    }
}

impl Setting {
    fn cname(name: &str, target: String) -> Self {
        Self { name: name.to_owned(), data: DnsData::Cname { target } }
    }
}

/// Such a name is surely the top of its zone.
fn is_two_labels(name: &DomainName) -> bool {
    !name.is_wildcard() && name.as_str().split('.').count() == 2
}

/// Below this label of the platform's domain stand the proofs of other zones' names.
pub const PROOFS: &str = "acme";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, domain: &str, zones: &[&str], expected: &[&str]) {
        let addresses = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let zones: Vec<String> = zones.iter().map(|zone| (*zone).to_owned()).collect();
        let reachable = Reachable { domain, addresses: &addresses, zones: &zones };
        let advice = reachable.advice(&name.parse().unwrap(), &"shop".parse().unwrap());
        let line = |mark: &str, setting: &Setting| {
            format!("{mark}{} {} {}", setting.name, setting.data.kind(), setting.data)
        };
        let set = advice.set.iter().map(|setting| line("", setting));
        let instead = advice.instead.iter().map(|setting| line("or ", setting));
        let lines: Vec<String> = set.chain(instead).collect();
        assert_eq!(lines, expected, "{name}");
    }

    #[test]
    fn the_records_are_named_exactly() {
        let platform = "apps.example.net";
        check(
            "example.com",
            platform,
            &[platform],
            &["example.com A 192.0.2.1", "example.com AAAA 2001:db8::1"],
        );
        check(
            "www.example.com",
            platform,
            &[platform],
            &[
                "www.example.com CNAME shop.apps.example.net",
                "or www.example.com A 192.0.2.1",
                "or www.example.com AAAA 2001:db8::1",
            ],
        );
        check(
            "*.example.com",
            platform,
            &[platform],
            &[
                "*.example.com CNAME shop.apps.example.net",
                "_acme-challenge.example.com CNAME example.com.acme.apps.example.net",
            ],
        );
        check("*.example.com", platform, &[], &["*.example.com CNAME shop.apps.example.net"]);
    }

    #[test]
    fn a_laptop_has_no_name_to_point_to() {
        let addresses = ["www.example.com A 192.0.2.1", "www.example.com AAAA 2001:db8::1"];
        check("www.example.com", "localhost", &[], &addresses);
    }

    #[test]
    fn nothing_is_to_be_set_in_a_zone_of_ours() {
        check("www.example.com", "apps.example.net", &["example.com"], &[]);
        check("*.example.com", "apps.example.net", &["example.com"], &[]);
        check(
            "badexample.com",
            "apps.example.net",
            &["example.com"],
            &["badexample.com A 192.0.2.1", "badexample.com AAAA 2001:db8::1"],
        );
    }
}

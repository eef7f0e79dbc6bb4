//! Who may ask at all, by address.

use std::net::IpAddr;

use crate::policy::Access;
use crate::refusal::Refusal;
use crate::rules::Asked;

/// Deny wins; an empty allow list allows everybody.
pub(crate) fn check(access: &Access, asked: &Asked<'_>) -> Result<(), Refusal> {
    if access.allow.is_empty() && access.deny.is_empty() {
        return Ok(());
    }
    if admits(access, asked.client()) { Ok(()) } else { Err(Refusal::Denied) }
}

fn admits(access: &Access, client: IpAddr) -> bool {
    let allowed = access.allow.is_empty() || access.allow.iter().any(|own| own.contains(client));
    allowed && !access.deny.iter().any(|network| network.contains(client))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allow: &[&str], deny: &[&str], client: &str, expected: bool) {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let access = Access { allow: networks(allow), deny: networks(deny) };
        assert_eq!(admits(&access, client.parse().unwrap()), expected, "{access:?} {client}");
    }

    #[test]
    fn deny_wins_and_nobody_named_is_everybody() {
        check(&[], &["192.0.2.0/24"], "192.0.2.1", false);
        check(&[], &["192.0.2.0/24"], "198.51.100.1", true);
        check(&["192.0.2.0/24"], &[], "192.0.2.1", true);
        check(&["192.0.2.0/24"], &[], "198.51.100.1", false);
        check(&["192.0.2.0/24"], &["192.0.2.9"], "192.0.2.9", false);
        check(&["192.0.2.0/24"], &[], "2001:db8::1", false);
        check(&["2001:db8::/32"], &[], "2001:db8::1", true);
    }
}

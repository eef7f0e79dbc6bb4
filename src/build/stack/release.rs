//! What a mirror has: its suites and their dates.
//!
//! The date becomes the time stamp of the images, so that the same packages give the same bytes.
//! Nothing else of these unsigned reads is used; the packages themselves are checked by apt.

use super::SUITE;
use super::apt::Mirror;
use crate::build::web::{Web, WebError};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The suites to install from, and their newest date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Releases {
    /// `(address, suite)`, the archive itself first.
    suites: Vec<(String, String)>,
    /// Seconds since 1970.
    pub(crate) epoch: i64,
}

impl Releases {
    /// Asks a mirror; updates and security are left out (and said) where it has none.
    pub(crate) fn find(web: &Web, mirror: &Mirror) -> Result<Self, WebError> {
        let mut epoch = date(web, &mirror.main, SUITE)?.unwrap_or(OLDEST);
        let mut suites = vec![(mirror.main.clone(), SUITE.to_owned())];
        let updates = (Some(&mirror.main), format!("{SUITE}-updates"));
        let security = (mirror.security.as_ref(), format!("{SUITE}-security"));
        for (address, suite) in [updates, security] {
            let Some(address) = address else {
                tracing::warn!(suite, "apt of this host names no such mirror; left out");
                continue;
            };
            match date(web, address, &suite) {
                Ok(found) => {
                    epoch = epoch.max(found.unwrap_or(OLDEST));
                    suites.push((address.clone(), suite));
                }
                Err(error) => tracing::warn!(suite, %error, "suite not available; left out"),
            }
        }
        Ok(Self { suites, epoch })
    }

    /// The source list, bound to one keyring: no other key of this host may vouch for Debian.
    pub(crate) fn sources(&self, keyring: &str) -> String {
        let line = |(address, suite): &(String, String)| {
            format!("deb [signed-by={keyring}] {address} {suite} main\n")
        };
        self.suites.iter().map(line).collect()
    }
}

fn date(web: &Web, address: &str, suite: &str) -> Result<Option<i64>, WebError> {
    let release = web.page(&format!("{address}/dists/{suite}/InRelease"))?;
    Ok(release.lines().find_map(|line| parse(line.strip_prefix("Date: ")?)))
}

fn parse(date: &str) -> Option<i64> {
    let time = DateTime::strptime("%a, %d %b %Y %H:%M:%S UTC", date.trim()).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Debian 13's first day, for a mirror that does not say.
pub(crate) const OLDEST: i64 = 1_754_697_600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_debians_dates() {
        assert_eq!(parse("Sat, 12 Sep 2026 07:55:41 UTC"), Some(1_789_199_741));
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn every_source_is_bound_to_the_keyring() {
        let suites = vec![("http://m.test/debian".to_owned(), "trixie".to_owned())];
        let releases = Releases { suites, epoch: 0 };
        let expected = "deb [signed-by=/k.gpg] http://m.test/debian trixie main\n";
        assert_eq!(releases.sources("/k.gpg"), expected);
    }
}

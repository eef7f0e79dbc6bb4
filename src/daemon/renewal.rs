//! The certificate that one of the API's listeners presents, issued anew every day.
//!
//! It is good for two years, so a day that fails costs nothing and is only said. No date is compared:
//! a new one each day is simpler, and its key is a day old at most. Connections that are open
//! keep what they have; the fingerprint, which is the authority's, never changes.

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::authority::{Authority, AuthorityError, Presented};
use crate::{clock, model::Timestamp, telemetry::chain};

/// One listener's certificate, and what it takes to issue another.
#[derive(Debug)]
pub(super) struct Renewal {
    authority: Authority,
    presented: Arc<Presented>,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Renewal {
    /// Issues the first one, under the authority in the folder of keys.
    pub(super) fn begin(
        keys: &Path,
        names: Vec<String>,
        addresses: Vec<IpAddr>,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        let authority = Authority::open(keys, now)?;
        let presented = Presented::new(authority.issue(&names, &addresses, now)?);
        Ok(Self { authority, presented, names, addresses })
    }

    /// What `paas login` pins.
    pub(super) fn fingerprint(&self) -> String {
        self.authority.fingerprint()
    }

    /// The same as bytes.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.authority.digest()
    }

    /// What the listener answers with: always the newest.
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, AuthorityError> {
        Ok(TlsAcceptor::from(Arc::new(self.presented.server_config()?)))
    }

    /// Issues another one every day until it is told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(PERIOD) => {}
            }
            match self.renew(clock::now()) {
                Ok(()) => tracing::debug!("the API's certificate was renewed"),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the API's certificate stays as it is");
                }
            }
        }
    }

    fn renew(&self, now: Timestamp) -> Result<(), AuthorityError> {
        self.presented.replace(self.authority.issue(&self.names, &self.addresses, now)?);
        Ok(())
    }
}

const PERIOD: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_new_and_the_authority_the_same() {
        let keys = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_790_000_000_000);
        let renewal = Renewal::begin(keys.path(), vec!["box".to_owned()], Vec::new(), now).unwrap();
        let before = renewal.presented.current();
        renewal.renew(Timestamp::from_millis(1_860_000_000_000)).unwrap();
        let after = renewal.presented.current();
        assert_ne!(before.cert[0], after.cert[0]);
        assert_eq!(before.cert[1], after.cert[1]);
    }
}

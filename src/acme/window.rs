//! When an authority wants a certificate to be renewed (ARI, RFC 9773).

use instant_acme::{CertificateIdentifier, Error};

use crate::{
    acme::{Account, AcmeError, order::leaf},
    model::Timestamp,
};

/// The time in which a certificate is best renewed. It may have passed already: then at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub start: Timestamp,
    /// To.
    pub end: Timestamp,
}

impl Account {
    /// The window for the first certificate of a chain in PEM; `None` if the authority has no
    /// opinion.
    pub async fn window(&self, chain: &str) -> Result<Option<Window>, AcmeError> {
        let Some(leaf) = leaf(chain) else { return Ok(None) };
        let Ok(id) = CertificateIdentifier::try_from(&leaf) else { return Ok(None) };
        match self.inner.renewal_info(&id).await {
            Ok((info, _)) => {
                let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
                let window = &info.suggested_window;
                Ok(Some(Window {
                    start: at(window.start.unix_timestamp()),
                    end: at(window.end.unix_timestamp()),
                }))
            }
            // Authorities without ARI, and those that forgot the certificate.
            Err(Error::Unsupported(_) | Error::Api(_) | Error::Str(_)) => Ok(None),
            Err(error) => Err(AcmeError::of(&self.directory, error)),
        }
    }
}

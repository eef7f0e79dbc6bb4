//! An order for a certificate of one name, from its placing to the chain. It can be left at any point
//! and found again by its URL.

use std::time::Duration;

use instant_acme::{
    AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewOrder,
    OrderStatus, Problem, RetryPolicy,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    acme::{Account, AcmeError, nonce::patient},
    model::DomainName,
};

/// An order at an authority.
pub struct Order {
    directory: String,
    inner: instant_acme::Order,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("url", &self.inner.url()).finish_non_exhaustive()
    }
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The name is to be proved.
    Unproved,
    /// The name is proved; the request is to be sent.
    Proved,
    /// The request was sent; the certificate is made or about to be.
    Requested,
}

/// How a name can be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProofKind {
    /// A text at a path, over plain HTTP on port 80 (RFC 8555 section 8.3).
    Http,
    /// A certificate on port 443 (RFC 8737).
    Tls,
    /// A TXT record at `_acme-challenge.<name>` (RFC 8555 section 8.4).
    Dns,
}

/// What to show the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The last segment of the path, for [`ProofKind::Http`].
    pub token: String,
    /// The text there.
    pub text: String,
    /// The digest in the certificate, for [`ProofKind::Tls`].
    pub digest: [u8; 32],
    /// The text of the record, for [`ProofKind::Dns`].
    pub record: String,
}

impl Account {
    /// Places an order for one name. `replaced` is the chain that the new one is to replace, in
    /// PEM: authorities that know ARI (RFC 9773 section 5) exempt such orders from their limits.
    pub async fn place(
        &self,
        name: &DomainName,
        replaced: Option<&str>,
    ) -> Result<Order, AcmeError> {
        if let Some(leaf) = replaced.and_then(leaf) {
            match self.new_order(name, Some(leaf)).await {
                // It does not know ARI, or not that certificate: an order like any other.
                Err(
                    AcmeError::Answer { .. }
                    | AcmeError::Order { .. }
                    | AcmeError::Proof { .. }
                    | AcmeError::Name { .. }
                    | AcmeError::Account { .. },
                ) => {}
                answer => return answer,
            }
        }
        self.new_order(name, None).await.map_err(|error| match error {
            // Nothing was proved yet: what is unauthorized is the account.
            AcmeError::Proof { reason } => AcmeError::Account { reason },
            error => error,
        })
    }

    async fn new_order(
        &self,
        name: &DomainName,
        replaced: Option<CertificateDer<'static>>,
    ) -> Result<Order, AcmeError> {
        let (mut account, name) = (self.inner.clone(), name.as_str().to_owned());
        let placed = patient(&mut account, move |account| {
            Box::pin(new_order(account, name.clone(), replaced.clone()))
        });
        placed
            .await
            .map(|inner| self.wrap(inner))
            .map_err(|error| AcmeError::of(&self.directory, error))
    }

    /// The order with this URL, as it is now.
    pub async fn order(&self, url: &str) -> Result<Order, AcmeError> {
        let (mut account, url) = (self.inner.clone(), url.to_owned());
        let found =
            patient(&mut account, move |account| Box::pin(account.order(url.clone()))).await;
        found.map(|inner| self.wrap(inner)).map_err(|error| {
            match AcmeError::of(&self.directory, error) {
                AcmeError::Proof { reason } => AcmeError::Order { reason },
                error => error,
            }
        })
    }

    fn wrap(&self, inner: instant_acme::Order) -> Order {
        Order { directory: self.directory.clone(), inner }
    }
}

impl Order {
    /// Its URL.
    pub fn url(&self) -> &str {
        self.inner.url()
    }

    /// How far it is; an error if it has come to nothing.
    pub async fn stage(&mut self) -> Result<Stage, AcmeError> {
        match self.inner.state().status {
            OrderStatus::Pending => Ok(Stage::Unproved),
            OrderStatus::Ready => Ok(Stage::Proved),
            OrderStatus::Processing | OrderStatus::Valid => Ok(Stage::Requested),
            OrderStatus::Invalid => Err(self.refusal().await),
        }
    }

    /// What to show for the name; `None` if the authority does not offer that kind.
    pub async fn proof(&mut self, kind: ProofKind) -> Result<Option<Proof>, AcmeError> {
        self.load().await?;
        let mut authorizations = self.inner.authorizations();
        let Some(Ok(mut authorization)) = authorizations.next().await else { return Ok(None) };
        let Some(challenge) = authorization.challenge(kind.into()) else { return Ok(None) };
        let proof = challenge.key_authorization();
        let digest = proof.digest().as_ref().try_into().unwrap_or_default();
        Ok(Some(Proof {
            token: challenge.token.clone(),
            text: proof.as_str().to_owned(),
            digest,
            record: proof.dns_value(),
        }))
    }

    /// Tells the authority to look, and waits for its verdict.
    pub async fn prove(&mut self, kind: ProofKind) -> Result<(), AcmeError> {
        self.load().await?;
        let told = patient(&mut self.inner, |order| Box::pin(tell(order, kind))).await;
        let verdict = match told {
            Ok(()) => patient(&mut self.inner, |order| Box::pin(order.poll_ready(&VERDICT))).await,
            Err(error) => Err(error),
        };
        match verdict {
            Ok(OrderStatus::Invalid) | Err(Error::Api(_)) => Err(self.refusal().await),
            Ok(_) => Ok(()),
            Err(error) => Err(AcmeError::of(&self.directory, error)),
        }
    }

    /// Fetches what the authority wants proved, if that is not at hand.
    async fn load(&mut self) -> Result<(), AcmeError> {
        let loaded = patient(&mut self.inner, |order| Box::pin(load(order))).await;
        loaded.map_err(|error| AcmeError::of(&self.directory, error))
    }

    /// Sends the request (PKCS#10, DER).
    pub async fn request(&mut self, request: &[u8]) -> Result<(), AcmeError> {
        let request = request.to_vec();
        let sent = patient(&mut self.inner, move |order| {
            let request = request.clone();
            Box::pin(async move { order.finalize_csr(&request).await })
        });
        let sent = sent.await;
        sent.map_err(|error| AcmeError::of(&self.directory, error))
    }

    /// Waits for the certificate and takes it: the chain in PEM.
    pub async fn certificate(&mut self) -> Result<String, AcmeError> {
        let chain =
            patient(&mut self.inner, |order| Box::pin(order.poll_certificate(&VERDICT))).await;
        chain.map_err(|error| AcmeError::of(&self.directory, error))
    }

    /// Why it came to nothing. The order itself says little; what was wrong stands at the proof.
    async fn refusal(&mut self) -> AcmeError {
        // Fetched anew with the order: what is at hand is from before the verdict.
        let refreshed = patient(&mut self.inner, |order| Box::pin(refresh(order))).await;
        let own = refreshed.ok().flatten().map(|problem| AcmeError::of_problem(&problem));
        if self.load().await.is_ok() {
            let mut authorizations = self.inner.authorizations();
            while let Some(Ok(authorization)) = authorizations.next().await {
                let mut errors = authorization.challenges.iter().filter_map(|c| c.error.as_ref());
                if let Some(problem) = errors.next_back() {
                    return AcmeError::of_problem(problem);
                }
            }
        }
        let reason = "it does not say why".to_owned();
        own.unwrap_or(AcmeError::Order { reason })
    }
}

async fn new_order(
    account: &mut instant_acme::Account,
    name: String,
    replaced: Option<CertificateDer<'static>>,
) -> Result<instant_acme::Order, Error> {
    let identifiers = [Identifier::Dns(name)];
    let mut order = NewOrder::new(&identifiers);
    if let Some(Ok(id)) = replaced.as_ref().map(CertificateIdentifier::try_from) {
        order = order.replaces(id);
    }
    account.new_order(&order).await
}

async fn load(order: &mut instant_acme::Order) -> Result<(), Error> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        authorization?;
    }
    Ok(())
}

async fn tell(order: &mut instant_acme::Order, kind: ProofKind) -> Result<(), Error> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        if let Some(mut challenge) = authorization.challenge(kind.into()) {
            challenge.set_ready().await?;
        }
    }
    Ok(())
}

async fn refresh(order: &mut instant_acme::Order) -> Result<Option<Problem>, Error> {
    Ok(order.refresh().await?.error.clone())
}

impl From<ProofKind> for ChallengeType {
    fn from(kind: ProofKind) -> Self {
        match kind {
            ProofKind::Http => Self::Http01,
            ProofKind::Tls => Self::TlsAlpn01,
            ProofKind::Dns => Self::Dns01,
        }
    }
}

/// The first certificate of a chain.
pub(super) fn leaf(chain: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(chain.as_bytes()).ok()
}

/// How long an authority may take to look at a proof or to sign; it says so itself when it wants
/// to be asked less often.
const VERDICT: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(90));

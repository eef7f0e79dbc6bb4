//! An account at an authority: made once, restored from its credentials ever after.

use std::{fmt, path::PathBuf};

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, general_purpose},
};
use instant_acme::{AccountBuilder, AccountCredentials, ExternalAccountKey, NewAccount};
use zeroize::Zeroizing;

use crate::acme::{AcmeError, client::Client, nonce::patient};

/// How authorities are asked.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where an authority may write to about the account.
    pub email: Option<String>,
    /// A PEM file with roots that this machine does not trust anyway.
    pub root: Option<PathBuf>,
    /// An account elsewhere that new accounts are bound to (RFC 8555 section 7.3.4).
    pub external: Option<External>,
}

/// An account that an authority's customer has elsewhere.
#[derive(Clone)]
pub struct External {
    /// The key's id.
    pub id: String,
    /// The HMAC key, base64url.
    pub key: Zeroizing<String>,
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("External").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An account's address and private key in a form that can be sealed.
pub type Credentials = Zeroizing<String>;

/// An account at one authority. Cheap to clone.
#[derive(Clone)]
pub struct Account {
    pub(super) directory: String,
    pub(super) inner: instant_acme::Account,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Account {
    /// Makes a new account at the authority with this directory, agreeing to its terms.
    pub async fn register(
        directory: &str,
        settings: &Settings,
    ) -> Result<(Self, Credentials), AcmeError> {
        let mut client = Client::new(settings.root.as_deref())?;
        let external = settings.external.clone();
        external.as_ref().map(external_key).transpose()?;
        let (at, email) = (directory.to_owned(), settings.email.clone());
        let made = patient(&mut client, move |client| {
            Box::pin(create(client.clone(), at.clone(), email.clone(), external.clone()))
        });
        let made = made.await;
        let (inner, credentials) = made.map_err(|error| match AcmeError::of(directory, error) {
            // While an account is made there is no proof to be wrong: its binding was.
            AcmeError::Proof { reason } | AcmeError::Order { reason } => {
                AcmeError::Account { reason }
            }
            error => error,
        })?;
        let text = serde_json::to_string(&credentials);
        let text = text.map_err(|error| AcmeError::Answer { reason: error.to_string() })?;
        Ok((Self { directory: directory.to_owned(), inner }, Zeroizing::new(text)))
    }

    /// The account with these credentials; asks the authority for its directory only.
    pub async fn restore(
        directory: &str,
        credentials: &str,
        settings: &Settings,
    ) -> Result<Self, AcmeError> {
        let read = serde_json::from_str::<AccountCredentials>(credentials);
        let read = read.map_err(|error| AcmeError::Account { reason: error.to_string() })?;
        let client = Client::new(settings.root.as_deref())?;
        let inner = builder(client).from_credentials(read).await;
        let inner = inner.map_err(|error| AcmeError::of(directory, error))?;
        Ok(Self { directory: directory.to_owned(), inner })
    }

    /// The authority's directory.
    pub fn directory(&self) -> &str {
        &self.directory
    }
}

async fn create(
    client: Client,
    directory: String,
    email: Option<String>,
    external: Option<External>,
) -> Result<(instant_acme::Account, AccountCredentials), instant_acme::Error> {
    let contact: Vec<String> = email.iter().map(|email| format!("mailto:{email}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let external = external.as_ref().and_then(|external| external_key(external).ok());
    builder(client).create(&new, directory, external.as_ref()).await
}

fn builder(client: Client) -> AccountBuilder {
    instant_acme::Account::builder_with_http(Box::new(client))
}

fn external_key(external: &External) -> Result<ExternalAccountKey, AcmeError> {
    let engine = GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        general_purpose::PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let key = engine.decode(external.key.as_bytes()).map(Zeroizing::new);
    let key = key.map_err(|_| AcmeError::Account {
        reason: "the key of the account elsewhere (`acme_external`) is not base64url".to_owned(),
    })?;
    Ok(ExternalAccountKey::new(external.id.clone(), &key))
}

//! Which names shall have a certificate, from the records alone. Pure.
//!
//! Nobody gets one for a name that is not registered: a stranger who points a thousand names at this
//! server spends nothing of its budgets.

use std::collections::BTreeMap;

use crate::{
    model::{App, AppName, Certificate, CertificateSource, Domain, DomainName, Timestamp, Zone},
    pki,
    store::{StoreError, View},
};

/// The platform's own domain, and whether this server answers for it in the DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The domain.
    pub domain: String,
    /// Whether its zone is ours.
    pub zone: ZoneOf,
}

/// Who answers for a domain in the DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneOf {
    /// This server.
    Us,
    /// Somebody else.
    Others,
}

/// The names that shall have a certificate, with the app that is told about each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Name → app, where there is one.
    pub(super) names: BTreeMap<DomainName, Option<AppName>>,
    /// The app behind every registered name, also where its owner brings the certificate.
    pub(super) owners: BTreeMap<DomainName, AppName>,
    /// The zones that this server answers for, the platform's among them.
    pub(super) zones: Vec<String>,
}

impl Wanted {
    /// What the records say.
    pub(super) fn of(
        view: &impl View,
        platform: &Platform,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let zones = view.scan::<Zone>(&())?.into_iter().map(|zone| zone.name.into()).collect();
        let mut wanted = Self { zones, ..Self::default() };
        wanted.add_platform(view, platform)?;
        for domain in view.scan::<Domain>(&())? {
            wanted.owners.insert(domain.name.clone(), domain.app.clone());
            wanted.names.insert(domain.name, Some(domain.app));
        }
        // What a user's own certificate covers is not asked for as well.
        let own = |certificate: &Certificate| {
            let names = certificate.issued.as_ref().filter(|issued| issued.not_after > now);
            let supplied = certificate.source == CertificateSource::Supplied;
            names.filter(|_| supplied).map(|issued| issued.names.clone())
        };
        for covered in view.scan::<Certificate>(&())?.iter().filter_map(own) {
            wanted.names.retain(|name, _| !pki::covers(&covered, name));
        }
        Ok(wanted)
    }

    /// Who is told about the certificate of a name: its app; of one that a user brings, else the
    /// first app that has a name it covers.
    pub(super) fn owner(&self, name: &DomainName, covers: &[String]) -> Option<AppName> {
        let covered = || self.owners.iter().find(|(other, _)| pki::covers(covers, other));
        match self.names.get(name) {
            Some(app) => app.clone(),
            None => self.owners.get(name).or_else(|| covered().map(|(_, app)| app)).cloned(),
        }
    }

    fn add_platform(&mut self, view: &impl View, platform: &Platform) -> Result<(), StoreError> {
        match platform.zone {
            ZoneOf::Us => {
                self.zones.push(platform.domain.clone());
                for name in [platform.domain.clone(), format!("*.{}", platform.domain)] {
                    self.add(&name, None);
                }
            }
            ZoneOf::Others => {
                for app in view.scan::<App>(&())? {
                    if app.destroyed_at.is_none() {
                        let name = format!("{}.{}", app.name, platform.domain);
                        if let Ok(name) = name.parse() {
                            self.owners.insert(name, app.name.clone());
                        }
                        self.add(&name, Some(app.name));
                    }
                }
            }
        }
        self.zones.sort();
        Ok(())
    }

    /// A laptop's domain, `localhost`, is nobody's name: no authority issues for it.
    fn add(&mut self, name: &str, app: Option<AppName>) {
        let local = LOCAL.iter().any(|suffix| {
            name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        if let (false, Ok(name)) = (local, name.parse()) {
            self.names.insert(name, app);
        }
    }
}

/// Domains that lead nowhere in the world (RFC 6761, RFC 6762, RFC 9476).
const LOCAL: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

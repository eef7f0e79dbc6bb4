//! A request's way through a site: found once, kept for what the answer needs of it.
//!
//! It outlives the table that it was found in, because an answer must look as the site wanted it
//! when the request was let in. Nothing here is known of upstreams.

use std::rc::Rc;

use crate::arrival::Secure;
use crate::policy::Compression;
use crate::refusal::Refusal;
use crate::rules::compression::Offer;
use crate::rules::{Asked, redirect};
use crate::venue::{Lead, Venue, Way};
use crate::view::View;

/// Where a request was led.
#[derive(Debug)]
pub(crate) struct Passage {
    venue: Option<Rc<Venue>>,
    way: Option<Rc<Way>>,
    secure: Secure,
    offer: Offer,
}

impl Passage {
    /// Before anything is known.
    pub(crate) fn unknown() -> Self {
        Self { venue: None, way: None, secure: Secure::No, offer: Offer::Off }
    }

    /// Finds the site of a request, and who answers if nobody else is to be asked instead.
    pub(crate) fn enter(&mut self, view: &View, asked: &Asked<'_>) -> Result<Rc<Way>, Refusal> {
        let venue = view.venue(asked.host).ok_or_else(|| unknown_host(asked))?;
        self.venue = Some(Rc::clone(venue));
        self.secure = asked.secure;
        redirect::check(venue, asked)?;
        self.lead(venue, asked)
    }

    /// Finds who answers, again, because another table may have been applied. The rules that let
    /// the request in are not asked again: it has waited long enough.
    pub(crate) fn find(&mut self, view: &View, asked: &Asked<'_>) -> Result<Rc<Way>, Refusal> {
        let venue = view.venue(asked.host).ok_or_else(|| unknown_host(asked))?;
        self.lead(venue, asked)
    }

    fn lead(&mut self, venue: &Venue, asked: &Asked<'_>) -> Result<Rc<Way>, Refusal> {
        match venue.lead(asked.path) {
            Lead::To(way) => {
                self.way = Some(Rc::clone(way));
                self.offer = offer(way, asked);
                Ok(Rc::clone(way))
            }
            Lead::Nowhere if venue.is_empty() => Err(unknown_host(asked)),
            Lead::Nowhere => Err(Refusal::UnknownPath(asked.host.clone())),
            Lead::Ambiguous => Err(Refusal::AmbiguousPath),
        }
    }

    /// `Strict-Transport-Security`, if the site wants it on every response. It is never said over
    /// plain HTTP, where anybody could have said it (RFC 6797 section 7.2).
    pub(crate) fn hsts(&self) -> Option<&str> {
        let venue = self.venue.as_ref().filter(|_| self.secure == Secure::Yes)?;
        venue.hsts.as_deref()
    }

    /// What compression there may be for the response.
    pub(crate) fn offer(&self) -> Offer {
        self.offer
    }

    /// The most bytes that the service takes of a body.
    pub(crate) fn most_body(&self) -> Option<u64> {
        self.way.as_ref()?.target.service.policy.most_body
    }

    /// The service's own HTML page for a status.
    pub(crate) fn page(&self, status: u16) -> Option<&str> {
        let pages = &self.way.as_ref()?.target.service.policy.pages;
        pages.0.get(&status).map(|page| &**page)
    }
}

fn offer(way: &Way, asked: &Asked<'_>) -> Offer {
    match way.target.service.policy.compression {
        Compression::Off => Offer::Off,
        Compression::Text => Offer::read(asked.fields("accept-encoding")),
    }
}

fn unknown_host(asked: &Asked<'_>) -> Refusal {
    Refusal::UnknownHost(asked.host.clone())
}

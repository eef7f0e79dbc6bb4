//! The rules of a service, in the order in which a request meets them.

use std::time::Instant;

use crate::body::Body;
use crate::refusal::Refusal;
use crate::rules::{Asked, access, password};
use crate::view::Target;

/// Whether the service wants this request at all. A token of its rate is spent by asking.
pub(crate) fn admit(target: &Target, asked: &Asked<'_>, now: Instant) -> Result<(), Refusal> {
    let policy = &target.service.policy;
    access::check(&policy.access, asked)?;
    if let Some(rate) = policy.rate {
        let taken = target.meter.buckets.take(rate, asked.client(), now);
        taken.map_err(|wait| Refusal::TooOften { wait })?;
    }
    if let Some(password) = &policy.password {
        password::check(password, asked)?;
    }
    if let Some(absence) = &policy.maintenance {
        return Err(Refusal::Maintenance(absence.clone()));
    }
    match (policy.most_body, asked.body) {
        // A body of unknown length is counted while it passes.
        (Some(most), Body::Sized(size)) if size > most => Err(Refusal::TooLarge(most)),
        _ => Ok(()),
    }
}

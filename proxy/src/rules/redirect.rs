//! Where a site sends visitors instead of answering: to TLS, then to another host.
//!
//! To TLS first and on the same host, so that a browser hears of this host's
//! `Strict-Transport-Security` before it leaves (RFC 6797 section 7.2). The host of a location is a
//! validated one of the table or of the request that led to this site, and the path stands behind
//! it as it was sent, so a location cannot lead to a stranger.

use crate::arrival::Secure;
use crate::host::Host;
use crate::refusal::Refusal;
use crate::rules::Asked;
use crate::site::Plain;
use crate::venue::Venue;

/// Where else to go, if not here.
pub(crate) fn check(venue: &Venue, asked: &Asked<'_>) -> Result<(), Refusal> {
    if let Plain::Redirected { port } = venue.plain
        && asked.secure == Secure::No
    {
        let port = Some(port).filter(|port| *port != HTTPS);
        return Err(moved("https", asked.host, port, asked));
    }
    match &venue.moved_to {
        Some(host) if host != asked.host => {
            let scheme = match asked.secure {
                Secure::Yes => "https",
                Secure::No => "http",
            };
            Err(moved(scheme, host, port(asked), asked))
        }
        Some(_) | None => Ok(()),
    }
}

const HTTPS: u16 = 443;

/// The port that the client believes to talk to, as the other host is behind the same one.
fn port(asked: &Asked<'_>) -> Option<u16> {
    let authority = std::str::from_utf8(asked.fields("host").next()?).ok()?;
    Host::with_port(authority).ok()?.1
}

fn moved(scheme: &str, host: &Host, port: Option<u16>, asked: &Asked<'_>) -> Refusal {
    let path = if asked.path == "*" { "/" } else { asked.path };
    let location = match port {
        Some(port) => format!("{scheme}://{host}:{port}{path}"),
        None => format!("{scheme}://{host}{path}"),
    };
    // Only 308 promises that the method and the body stay; only 301 is known to every client.
    let status = if asked.only_reads() { 301 } else { 308 };
    Refusal::Moved { status, location: location.into_boxed_str() }
}

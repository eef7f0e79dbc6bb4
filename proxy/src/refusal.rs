//! Why the edge itself answers a request, and with what status, words and fields.
//!
//! Not how the answer looks (`pages`). Each variant says whose fault it is: the client's (4xx),
//! the app's (502, 504) or nobody's (2xx, 3xx, 503).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::field::Extra;
use crate::head::Malformed;
use crate::host::Host;
use crate::table::{Absence, Service};

/// An answer of our own, in the order in which a request may meet it.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    HeadTimeout,
    TargetTooLong,
    HeadTooLong,
    Malformed(Malformed),
    Version,
    Method,
    Expectation,
    /// Not a refusal: the client wanted to know who we are (`OPTIONS` that goes no further).
    Here,
    /// `TRACE` that goes no further: what came in is never shown again.
    Trace,
    /// What a certificate authority asked for.
    Proof(Arc<str>),
    /// A path of the edge's own, asked for with a method that would change it.
    OnlyRead,
    /// The connection was opened for another host, with another certificate.
    Misdirected(Host),
    UnknownHost(Host),
    Moved {
        status: u16,
        location: Box<str>,
    },
    AmbiguousPath,
    UnknownPath(Host),
    Denied,
    TooOften {
        /// Until the next request would be let in.
        wait: Duration,
    },
    Password {
        /// The value of `WWW-Authenticate`.
        challenge: Box<str>,
    },
    Maintenance(Absence),
    /// The body is larger than this many bytes.
    TooLarge(u64),
    /// Too many requests are in flight, and there was no room or no time to wait.
    Crowded,
    /// Held until the deadline, or there was no room to hold it.
    Absent(Arc<Service>),
    Unreachable,
    UploadTimeout,
    UpstreamClosed,
    UpstreamMalformed(Malformed),
    UpstreamSlow,
}

/// The words of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) status: u16,
    pub(crate) title: String,
    pub(crate) explanation: String,
}

impl Refusal {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Here | Self::Proof(_) => 200,
            Self::Moved { status, .. } => *status,
            // It could be read, had we the decoder (RFC 9112 section 6.1).
            Self::Malformed(Malformed::UnknownCoding) => 501,
            Self::Malformed(_) | Self::AmbiguousPath => 400,
            Self::Password { .. } => 401,
            Self::Denied => 403,
            Self::UnknownHost(_) | Self::UnknownPath(_) => 404,
            Self::OnlyRead | Self::Trace => 405,
            Self::HeadTimeout | Self::UploadTimeout => 408,
            Self::TooLarge(_) => 413,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::Misdirected(_) => 421,
            Self::TooOften { .. } => 429,
            Self::HeadTooLong => 431,
            Self::Method => 501,
            Self::Unreachable | Self::UpstreamClosed | Self::UpstreamMalformed(_) => 502,
            Self::Absent(_) | Self::Maintenance(_) | Self::Crowded => 503,
            Self::UpstreamSlow => 504,
            Self::Version => 505,
        }
    }

    pub(crate) fn words(&self) -> Words {
        let (title, explanation) = (self.title().into(), self.explanation().into());
        Words { status: self.status(), title, explanation }
    }

    /// The fields that belong to this answer and to no other.
    pub(crate) fn field(&self) -> Option<Extra> {
        let extra = |name, value| Some(Extra { name, value });
        let seconds = |wait: Duration| {
            // A part of a second counts whole: whoever asks again too early waits longer.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            extra("Retry-After", seconds.max(1).to_string())
        };
        match self {
            Self::Absent(service) => seconds(service.absent.retry_after),
            Self::Maintenance(absence) => seconds(absence.retry_after),
            Self::TooOften { wait } => seconds(*wait),
            Self::Crowded => seconds(Duration::from_secs(1)),
            Self::Moved { location, .. } => extra("Location", location.to_string()),
            Self::Password { challenge } => extra("WWW-Authenticate", challenge.to_string()),
            Self::OnlyRead => extra("Allow", "GET, HEAD".into()),
            Self::Here | Self::Trace => {
                extra("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".into())
            }
            _ => None,
        }
    }

    fn title(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::HeadTimeout => "The request took too long",
            Self::TargetTooLong => "The address is too long",
            Self::HeadTooLong => "The request head is too large",
            Self::Malformed(_) => "The request is not valid HTTP",
            Self::Version => "This HTTP version is not served",
            Self::Method => "This method is not served",
            Self::Expectation => "This expectation is not served",
            Self::Here => "This is the edge",
            Self::Trace => "TRACE is not served",
            Self::Proof(_) => "A proof for a certificate authority",
            Self::OnlyRead => "This can only be read",
            Self::Misdirected(host) => {
                return Cow::Owned(format!("This connection is not one to {host}"));
            }
            Self::UnknownHost(host) => {
                return Cow::Owned(format!("There is no app at {host}"));
            }
            Self::Moved { .. } => "This page is at another address",
            Self::AmbiguousPath => "This path could be read in two ways",
            Self::UnknownPath(host) => {
                return Cow::Owned(format!("There is nothing here at {host}"));
            }
            Self::Denied => "You may not ask this site",
            Self::TooOften { .. } => "You ask too often",
            Self::Password { .. } => "A password is needed",
            Self::Maintenance(absence) => &absence.title,
            Self::TooLarge(_) => "The request is too large",
            Self::Crowded => "The app is busy",
            Self::Absent(service) => &service.absent.title,
            Self::Unreachable => "The app cannot be reached",
            Self::UploadTimeout => "The upload took too long",
            Self::UpstreamClosed => "The app broke off",
            Self::UpstreamMalformed(_) => "The app's answer is not valid HTTP",
            Self::UpstreamSlow => "The app took too long",
        })
    }

    fn explanation(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::HeadTimeout => "Its head did not arrive in time.",
            Self::TargetTooLong => "Shorten the path or the query.",
            Self::HeadTooLong => {
                "Its header fields are too many or too long. Clearing this site's cookies may help."
            }
            Self::Malformed(why) | Self::UpstreamMalformed(why) => {
                return Cow::Owned(sentence(*why));
            }
            Self::Version => "Use HTTP/1.1 or HTTP/1.0.",
            Self::Method => "CONNECT is not available here.",
            Self::Expectation => "Only `Expect: 100-continue` is known.",
            Self::Here => "The request was not meant to go any further.",
            Self::Trace => "What the edge receives is never shown again.",
            Self::Proof(_) => "",
            Self::OnlyRead => "Use GET or HEAD.",
            Self::Misdirected(_) => "It was opened for another site. Open one for this site.",
            Self::UnknownHost(_) => {
                "The name leads to this server, but no app here answers for it. Check the \
                 spelling, or add the domain to an app."
            }
            Self::Moved { location, .. } => location,
            Self::AmbiguousPath => {
                "It has `.` or `..`, an encoded slash, a backslash or a NUL in it, and parts of \
                 this site are answered by different apps."
            }
            Self::UnknownPath(_) => "No app of this site answers for this path.",
            Self::Denied => "Your address is not let in.",
            Self::TooOften { .. } => "Too many requests came from your address. Wait a moment.",
            Self::Password { .. } => "Give the name and the password of this site.",
            Self::Maintenance(absence) => &absence.explanation,
            Self::TooLarge(most) => {
                return Cow::Owned(format!("This app takes bodies of at most {most} bytes."));
            }
            Self::Crowded => "Too many others ask it now. Try again soon.",
            Self::Absent(service) => &service.absent.explanation,
            Self::Unreachable => {
                "It is running, but does not accept connections. Try again in a moment."
            }
            Self::UploadTimeout => "The body arrived too slowly or stopped arriving.",
            Self::UpstreamClosed => {
                "It closed the connection before it answered. Its log may say why."
            }
            Self::UpstreamSlow => "It accepted the request but did not answer in time.",
        })
    }
}

/// `the Host field …` → `The Host field ….`
fn sentence(why: Malformed) -> String {
    let text = why.to_string();
    let (first, rest) = text.split_at_checked(1).unwrap_or(("", &text));
    format!("{}{rest}.", first.to_ascii_uppercase())
}

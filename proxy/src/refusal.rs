//! Why the edge itself answers a request, and with what status and words.
//!
//! Not how the answer looks (`pages`). Each variant says whose fault it is: the client's (4xx),
//! the app's (502, 504) or nobody's (503).

use std::sync::Arc;
use std::time::Duration;

use crate::head::Malformed;
use crate::host::Host;
use crate::table::Service;

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
    UnknownHost(Host),
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
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Here => 200,
            Self::Malformed(_) => 400,
            Self::UnknownHost(_) => 404,
            Self::Trace => 405,
            Self::HeadTimeout | Self::UploadTimeout => 408,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::HeadTooLong => 431,
            Self::Method => 501,
            Self::Unreachable | Self::UpstreamClosed | Self::UpstreamMalformed(_) => 502,
            Self::Absent(_) => 503,
            Self::UpstreamSlow => 504,
            Self::Version => 505,
        }
    }

    pub(crate) fn words(&self) -> Words {
        let (title, explanation) = self.text();
        let retry_after = match self {
            Self::Absent(service) => Some(service.absent.retry_after),
            _ => None,
        };
        Words { status: self.status(), title, explanation, retry_after }
    }

    /// The methods that would have been served instead (RFC 9110 section 10.2.1).
    pub(crate) fn allow(&self) -> Option<&'static str> {
        matches!(self, Self::Here | Self::Trace)
            .then_some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
    }

    fn text(&self) -> (String, String) {
        let (title, explanation) = match self {
            Self::HeadTimeout => ("The request took too long", "Its head did not arrive in time."),
            Self::UploadTimeout => {
                ("The upload took too long", "The body arrived too slowly or stopped arriving.")
            }
            Self::TargetTooLong => ("The address is too long", "Shorten the path or the query."),
            Self::HeadTooLong => (
                "The request head is too large",
                "Its header fields are too many or too long. Clearing this site's cookies may help.",
            ),
            Self::Malformed(why) => {
                return ("The request is not valid HTTP".into(), sentence(*why));
            }
            Self::Version => ("This HTTP version is not served", "Use HTTP/1.1 or HTTP/1.0."),
            Self::Method => ("This method is not served", "CONNECT is not available here."),
            Self::Expectation => {
                ("This expectation is not served", "Only `Expect: 100-continue` is known.")
            }
            Self::Here => ("This is the edge", "The request was not meant to go any further."),
            Self::Trace => ("TRACE is not served", "What the edge receives is never shown again."),
            Self::UnknownHost(host) => {
                let title = format!("There is no app at {host}");
                let text = "The name leads to this server, but no app here answers for it. Check \
                            the spelling, or add the domain to an app.";
                return (title, text.into());
            }
            Self::Absent(service) => {
                return (service.absent.title.clone(), service.absent.explanation.clone());
            }
            Self::Unreachable => (
                "The app cannot be reached",
                "It is running, but does not accept connections. Try again in a moment.",
            ),
            Self::UpstreamClosed => (
                "The app broke off",
                "It closed the connection before it answered. Its log may say why.",
            ),
            Self::UpstreamMalformed(why) => {
                return ("The app's answer is not valid HTTP".into(), sentence(*why));
            }
            Self::UpstreamSlow => {
                ("The app took too long", "It accepted the request but did not answer in time.")
            }
        };
        (title.into(), explanation.into())
    }
}

/// `the Host field …` → `The Host field ….`
fn sentence(why: Malformed) -> String {
    let text = why.to_string();
    let (first, rest) = text.split_at_checked(1).unwrap_or(("", &text));
    format!("{}{rest}.", first.to_ascii_uppercase())
}

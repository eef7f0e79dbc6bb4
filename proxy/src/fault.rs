//! What can go wrong between two connections, whose fault it is and what follows.
//!
//! Not whether to try again: `forward` decides that.

use crate::head::Malformed;
use crate::record::Abort;
use crate::refusal::Refusal;

/// Why an exchange did not reach its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ClientGone,
    ClientMalformed(Malformed),
    /// The client's body is larger than this many bytes, which are the most that the app takes.
    ClientTooLarge(u64),
    /// The client sends its body too slowly.
    ClientSlow,
    /// The client does not take what we have for it.
    ClientStalled,
    /// The upstream closed before its response was whole.
    Closed(Answered),
    UpstreamMalformed(Malformed),
    UpstreamSlow,
}

/// Whether the upstream sent anything at all before it closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    Nothing,
    Something,
}

impl Fault {
    pub(crate) fn is_the_upstreams(self) -> bool {
        match self {
            Self::Closed(_) | Self::UpstreamMalformed(_) | Self::UpstreamSlow => true,
            Self::ClientGone
            | Self::ClientMalformed(_)
            | Self::ClientTooLarge(_)
            | Self::ClientSlow
            | Self::ClientStalled => false,
        }
    }

    /// What to tell the client, if it can still be told anything.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::ClientGone | Self::ClientStalled => None,
            Self::ClientMalformed(why) => Some(Refusal::Malformed(why)),
            Self::ClientTooLarge(most) => Some(Refusal::TooLarge(most)),
            Self::ClientSlow => Some(Refusal::UploadTimeout),
            Self::Closed(_) => Some(Refusal::UpstreamClosed),
            Self::UpstreamMalformed(why) => Some(Refusal::UpstreamMalformed(why)),
            Self::UpstreamSlow => Some(Refusal::UpstreamSlow),
        }
    }

    /// What to record when the answer had begun, so that cutting it off is all that is left.
    pub(crate) fn abort(self) -> Abort {
        match self {
            Self::ClientGone => Abort::ClientGone,
            Self::ClientMalformed(_) | Self::ClientTooLarge(_) => Abort::ClientMalformed,
            Self::ClientSlow | Self::ClientStalled => Abort::ClientStalled,
            Self::Closed(_) => Abort::UpstreamClosed,
            Self::UpstreamMalformed(_) => Abort::UpstreamMalformed,
            Self::UpstreamSlow => Abort::UpstreamStalled,
        }
    }
}

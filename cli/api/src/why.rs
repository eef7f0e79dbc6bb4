//! Why a request does or does not get an answer.

use serde::{Deserialize, Serialize};

/// The way of a request, as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Why {
    /// What to ask for, to see for oneself.
    pub url: String,
    /// Who is to answer.
    pub app: Option<String>,
    /// Where the world reaches the server.
    pub addresses: Vec<String>,
    /// From the name to the instances.
    pub links: Vec<Link>,
    /// What is in the way; `null` if nothing is, as far as the server sees.
    pub obstacle: Option<String>,
    /// How to mend it: a command, or a line to write.
    pub hint: Option<String>,
}

/// One link of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Link {
    /// Which, for example `dns`, `certificate`, `web.1`.
    pub name: String,
    /// `ok`, `remark` (it may be meant so) or `wrong`.
    pub state: String,
    /// What was seen.
    pub fact: String,
}

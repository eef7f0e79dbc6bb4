//! Why the daemon did not start, with what to do next.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::{
    backup::BackupError,
    daemon::{
        authority::AuthorityError, council::MembershipError, joined::JoinedError, plane,
        taken::Taken, upgrade::UpgradeError,
    },
    logs::LogError,
    model::InvalidName,
    node::link::IdentityError,
    pki::{InvalidRequest, MadeError},
    ssh::InvalidHostKey,
    store::{LockError, OpenError, SealingError, SealingKeyError, StoreError, quorum::SeatError},
    telemetry::chain,
};

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data folder cannot be used.
    #[error("the data folder {} cannot be used", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another daemon runs on it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The records cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The records cannot be read.
    #[error(transparent)]
    Records(#[from] StoreError),
    /// The logs cannot be opened.
    #[error(transparent)]
    Logs(#[from] LogError),
    /// The API's keys.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// An address is taken or not ours.
    #[error("the API cannot listen on {at}")]
    Listen {
        /// Where.
        at: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The SSH server's address.
    #[error("git push over SSH cannot be taken on {at}")]
    Ssh {
        /// Where.
        at: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The SSH server's key, as it is on record.
    #[error("the SSH server's key cannot be opened")]
    SshSealed(#[source] SealingError),
    /// The SSH server's key.
    #[error(transparent)]
    SshKey(#[from] InvalidHostKey),
    /// The link's address.
    #[error("the link to other machines cannot be taken on {at}")]
    Link {
        /// Where.
        at: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What this machine shows on links.
    #[error("this machine's certificate for links cannot be made")]
    NodeCertificate(#[source] MadeError),
    /// What it is signed by, where this machine does that itself.
    #[error("this machine's key for links cannot be used")]
    NodeRequest(#[source] InvalidRequest),
    /// The same, made and not fit.
    #[error(transparent)]
    NodeIdentity(#[from] IdentityError),
    /// What this machine has from its joining.
    #[error(transparent)]
    Joined(#[from] JoinedError),
    /// Whether it keeps the records together with others.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// What it is called among those.
    #[error("this machine's name among those that keep the records is none")]
    Member(#[source] InvalidName),
    /// Its seat among them.
    #[error("this machine cannot take part in keeping the records")]
    Seat(#[from] SeatError),
    /// It keeps none.
    #[error("there are no records on this machine, and it has not joined any other")]
    NoRecords,
    /// The edge's addresses.
    #[error("the edge cannot be started")]
    Edge {
        /// Which setting says where.
        setting: &'static str,
        /// Why.
        #[source]
        source: proxy::BindError,
    },
    /// The DNS server's addresses.
    #[error(transparent)]
    Dns(#[from] crate::dns::BindError),
    /// The world's DNS cannot be asked.
    #[error("the resolvers of this machine cannot be used")]
    Resolvers(#[from] crate::dns::LookupError),
    /// The key that secrets are sealed with.
    #[error(transparent)]
    Sealing(#[from] SealingKeyError),
    /// Where backups are kept.
    #[error("the place of backups cannot be used")]
    Backups(#[from] BackupError),
    /// The predecessor.
    #[error("the running daemon does not hand over")]
    Upgrade(#[from] UpgradeError),
    /// Something that builds and apps need.
    #[error(transparent)]
    Plane(#[from] plane::PlaneError),
    /// The signals cannot be taken over.
    #[error("signals cannot be received")]
    Signals(#[source] io::Error),
}

impl RunError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Taken::of(self).map_or_else(|| self.usual_hint(), |taken| Some(taken.hint()))
    }

    fn usual_hint(&self) -> Option<String> {
        match self {
            Self::Locked(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Dns(error) => error.hint(),
            Self::Resolvers(_) => {
                Some("see /etc/resolv.conf, or name one with the setting `resolver`".to_owned())
            }
            Self::Listen { .. } => Some(listens("api")),
            Self::Ssh { .. } => Some(listens("ssh")),
            Self::Link { .. } => Some(
                "`ss -ltnp` shows who listens; choose another address with `cluster_listen` in \
                 config.toml, or on a node with `paas node join … --listen`"
                    .to_owned(),
            ),
            Self::SshSealed(_) => Some(
                "put the sealing key that this data folder had back into keys/sealing.key; until then \
                  `paas server --ssh off` starts without it, and no secret opens either"
                    .to_owned(),
            ),
            Self::Edge { setting, .. } => Some(listens(setting)),
            Self::Folder { path, .. } => {
                Some(format!("paas server needs root: sudo paas server --data {}", path.display()))
            }
            Self::Backups(_) => {
                Some("see the settings `backup_…` in the server's config.toml".to_owned())
            }
            Self::NoRecords => Some("start it anew".to_owned()),
            Self::Records(_)
            | Self::Membership(_)
            | Self::Member(_)
            | Self::Seat(_)
            | Self::Logs(_)
            | Self::Authority(_)
            | Self::Plane(_)
            | Self::Sealing(_)
            | Self::SshKey(_)
            | Self::NodeCertificate(_)
            | Self::NodeIdentity(_)
            | Self::NodeRequest(_)
            | Self::Joined(_)
            | Self::Signals(_) => None,
            Self::Upgrade(_) => {
                Some("`--take-over` is for upgrades: systemctl reload paas".to_owned())
            }
        }
    }
}

fn listens(setting: &str) -> String {
    format!("`ss -ltnp` shows who listens; choose another address with --{setting}")
}

/// An error with its causes and its hint, as the terminal shows it.
pub fn explain(error: &RunError) -> String {
    let taken = Taken::of(error).map_or_else(String::new, |taken| format!("; {}", taken.by()));
    let hint = error.hint().map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    format!("error: {}{taken}{hint}", chain(error))
}

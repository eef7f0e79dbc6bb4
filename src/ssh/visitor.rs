//! One connection's protocol: who it is, and what they ask for. Everything that is not git's is refused.

use std::{collections::BTreeMap, fmt, sync::Arc};

use russh::{
    Channel, ChannelId, Pty,
    server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey},
};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    Asked, Line, Wish,
    key::{fingerprint, is_safe},
};
use crate::model::{Actor, KeyFingerprint};

type Asking = dyn Fn(&KeyFingerprint) -> Option<Actor> + Send + Sync;

/// Tells whose a key is.
#[derive(Clone)]
pub struct Knows(Arc<Asking>);

impl Knows {
    /// By asking this.
    pub fn by(asking: impl Fn(&KeyFingerprint) -> Option<Actor> + Send + Sync + 'static) -> Self {
        Self(Arc::new(asking))
    }

    fn whose(&self, key: &russh::keys::PublicKey) -> Option<Actor> {
        (self.0)(&fingerprint(key)?)
    }
}

impl fmt::Debug for Knows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Knows(…)")
    }
}

/// Whoever is at the other end of a connection.
pub(super) struct Visitor {
    knows: Knows,
    /// Who it is, once that is proven.
    by: Option<Actor>,
    channels: BTreeMap<ChannelId, Waiting>,
    asks: mpsc::Sender<Asked>,
}

/// A channel over which nothing was asked for yet.
struct Waiting {
    channel: Channel<Msg>,
    protocol: Option<&'static str>,
}

impl Visitor {
    pub(super) fn new(knows: Knows, asks: mpsc::Sender<Asked>) -> Self {
        Self { knows, by: None, channels: BTreeMap::new(), asks }
    }

    /// Whoever is here asks for something.
    fn ask(
        &mut self,
        id: ChannelId,
        wish: Wish,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let place = match self.asks.try_reserve() {
            Ok(place) => place,
            Err(TrySendError::Full(())) => return session.channel_failure(id),
            // Nobody answers any more: the server ends, and the connection with it.
            Err(TrySendError::Closed(())) => return Err(russh::Error::Disconnect),
        };
        let (Some(by), Some(waiting)) = (self.by.clone(), self.channels.remove(&id)) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let Waiting { channel, protocol } = waiting;
        place.send(Asked { by, wish, protocol, line: Line::new(channel) });
        Ok(())
    }
}

impl Handler for Visitor {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let known = is_safe(offer.algorithm) && self.knows.whose(offer.public_key).is_some();
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(
        &mut self,
        _: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        if !is_safe(key.algorithm) {
            return Ok(Auth::reject());
        }
        self.by = self.knows.whose(key.public_key);
        Ok(if self.by.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.channels.len() < WAITING {
            self.channels.insert(channel.id(), Waiting { channel, protocol: None });
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&id);
        Ok(())
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let version = VERSIONS.iter().find(|known| **known == value).copied();
        match (name, version, self.channels.get_mut(&id)) {
            ("GIT_PROTOCOL", Some(version), Some(waiting)) => {
                waiting.protocol = Some(version);
                session.channel_success(id)
            }
            _ => session.channel_failure(id),
        }
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.ask(id, Wish::read(command), session)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.ask(id, Wish::Shell, session)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }
}

/// Channels of one connection over which nothing was asked for yet.
const WAITING: usize = 4;
/// What `GIT_PROTOCOL` may be.
const VERSIONS: &[&str] = &["version=2", "version=1"];

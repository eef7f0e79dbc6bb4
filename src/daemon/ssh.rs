//! The SSH server, put together: its listener, its key, and who answers.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use tokio::net::TcpListener;

use crate::{
    clock,
    config::{ChosenBy, Config},
    daemon::{api::inherited_at, error::RunError, taken::Taken, tasks::Tasks},
    model::SshHost,
    server::{self, Api, Ssh},
    ssh::{self, Door, HostKey},
    store::{SealingKey, Store, StoreError, View, sealing::SSH_HOST_CONTEXT},
};

/// The listener and the key.
#[derive(Debug)]
pub(super) struct Bound {
    listener: TcpListener,
    host: HostKey,
    /// What clients have to know.
    pub(super) known: Ssh,
}

/// Binds the listener, unless it is among the `inherited`, from which it is taken out then.
///
/// Nobody who updates a server loses it to a port that something else has had all along: unless somebody
/// chose the address, one that is taken only means that there is no SSH.
pub(super) async fn bind(
    config: &Config,
    (store, sealing): (&Store, &SealingKey),
    inherited: &mut Vec<OwnedFd>,
) -> Result<Option<Bound>, RunError> {
    let Some(at) = config.ssh.at else { return Ok(None) };
    let listener = match inherited_at(inherited, at) {
        Some(own) => TcpListener::from_std(own.into()),
        None => TcpListener::bind(at).await,
    };
    let listener = match listener {
        Ok(listener) => listener,
        Err(source) => {
            let error = RunError::Ssh { at, source };
            return match config.ssh.by {
                ChosenBy::User => Err(error),
                ChosenBy::Default => {
                    let by = Taken::of(&error).map(|taken| taken.by());
                    let hint = error.hint();
                    tracing::warn!(%at, by, hint, "git push over SSH is off: its port is taken");
                    Ok(None)
                }
            };
        }
    };
    let host = host_key(store, sealing).await?;
    let address = listener.local_addr().map_err(|source| RunError::Ssh { at, source })?;
    let fingerprint = host.fingerprint()?;
    let known = Ssh { port: address.port(), key: host.public(), fingerprint };
    Ok(Some(Bound { listener, host, known }))
}

impl Bound {
    /// Where it listens.
    pub(super) fn at(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Its socket, for a successor.
    pub(super) fn socket(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }

    /// Says where it is, and what it proves itself with.
    pub(super) fn announce(&self) {
        if let Some(at) = self.at() {
            tracing::info!(%at, fingerprint = %self.known.fingerprint, "git push over SSH");
        }
    }

    /// Takes whoever comes.
    pub(super) fn serve(self, tasks: &mut Tasks, api: &Api) {
        let knows = server::whose_keys(api);
        let door = Door { host: self.host, knows, patience: PATIENCE };
        let api = api.clone();
        let answer = move |asked| server::answer_over_ssh(api.clone(), asked);
        tasks.spawn("ssh", ssh::serve(self.listener, door, answer, tasks.stop()));
    }
}

/// The server's key, which is made when it is needed first.
async fn host_key(store: &Store, sealing: &SealingKey) -> Result<HostKey, RunError> {
    if let Some(known) = store.snapshot().get::<SshHost>(&())? {
        // With another key every client would warn of an attack, and this one comes back with the sealing key.
        let seed = sealing.unseal(SSH_HOST_CONTEXT, &known.sealed).map_err(RunError::SshSealed)?;
        return Ok(HostKey::of(&seed)?);
    }
    let seed = HostKey::make();
    let host = HostKey::of(&*seed)?;
    let (sealing, public) = (sealing.clone(), host.public());
    store
        .transact(move |tx| {
            let sealed = sealing.seal(SSH_HOST_CONTEXT, &*seed);
            tx.put(&SshHost { sealed, public, made_at: clock::now() })?;
            Ok::<_, StoreError>(())
        })
        .await?;
    Ok(host)
}

/// From a connection until something is asked for: a handshake, and whoever types a passphrase.
const PATIENCE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoreOptions, records};

    #[tokio::test]
    async fn a_wrong_sealing_key_loses_no_host_key() {
        let home = tempfile::tempdir().unwrap();
        let options = StoreOptions { schema: records::schema(), now: clock::system() };
        let store = Store::open(home.path(), options).unwrap();
        let (right, wrong) = (SealingKey::new([7; 32]), SealingKey::new([8; 32]));
        let made = host_key(&store, &right).await.unwrap().public();
        let refused = host_key(&store, &wrong).await.unwrap_err();
        let told = crate::daemon::error::explain(&refused);
        assert!(told.contains("sealed with another key"), "{told}");
        assert!(told.contains("hint: ") && told.contains("keys/sealing.key"), "{told}");
        assert_eq!(host_key(&store, &right).await.unwrap().public(), made);
    }
}

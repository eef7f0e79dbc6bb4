//! The API's listeners, put together from the settings.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use socket2::{Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use crate::{
    clock,
    config::{ApiAddress, Config},
    daemon::{error::RunError, folders::Folders, renewal::Renewal, tasks::Tasks},
    server::{self, Api, Incoming},
};

/// A listener, and where it can be reached.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) at: String,
    incoming: Incoming,
    /// Of the certificate, if it presents one.
    renewal: Option<Renewal>,
}

impl Bound {
    /// Where it listens, and the digest of its authority, if it speaks TLS.
    pub(super) fn tls(&self) -> Option<(SocketAddr, [u8; 32])> {
        let Incoming::Tls(listener, _) = &self.incoming else { return None };
        Some((listener.local_addr().ok()?, self.renewal.as_ref()?.digest()))
    }

    /// Where it is in the file system, if it is the data folder's.
    pub(super) fn socket_path(&self) -> Option<PathBuf> {
        let Incoming::Socket(listener) = &self.incoming else { return None };
        Some(listener.local_addr().ok()?.as_pathname()?.to_owned())
    }

    /// What comes in there. Its certificate, if it has one, is not renewed any more.
    pub(super) fn incoming(self) -> Incoming {
        self.incoming
    }

    /// Its socket, for a successor. While that is open, whoever connects waits for an answer.
    pub(super) fn socket(&self) -> io::Result<OwnedFd> {
        match &self.incoming {
            Incoming::Socket(listener) => listener.as_fd().try_clone_to_owned(),
            Incoming::Plain(listener) | Incoming::Tls(listener, _) => {
                listener.as_fd().try_clone_to_owned()
            }
        }
    }
}

/// Binds the socket of the data folder and every address of the settings, but for those that are
/// among the `inherited`; these are taken out.
pub(super) async fn bind(
    config: &Config,
    folders: &Folders,
    inherited: &mut Vec<OwnedFd>,
) -> Result<Vec<Bound>, RunError> {
    let mut bound = vec![bind_socket(folders, inherited)?];
    for address in &config.api {
        let (socket, tls) = match address {
            ApiAddress::Http(socket) => (*socket, false),
            ApiAddress::Https(socket) => (*socket, true),
        };
        let failed = |source| RunError::Listen { at: address.to_string(), source };
        let listener = match inherited_at(inherited, socket) {
            Some(own) => TcpListener::from_std(own.into()),
            None => TcpListener::bind(socket).await,
        };
        let listener = listener.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?;
        if tls {
            let names = vec![config.node.clone(), config.domain.clone()];
            let addresses = vec![socket.ip()];
            let renewal = Renewal::begin(&folders.keys(), names, addresses, clock::now())?;
            let at = format!("https://{port} (fingerprint {})", renewal.fingerprint());
            let incoming = Incoming::Tls(listener, renewal.acceptor()?);
            bound.push(Bound { at, incoming, renewal: Some(renewal) });
        } else {
            let (at, incoming) = (format!("http://{port}"), Incoming::Plain(listener));
            bound.push(Bound { at, incoming, renewal: None });
        }
    }
    Ok(bound)
}

/// The first of the inherited sockets that is the one.
fn take(inherited: &mut Vec<OwnedFd>, is_it: impl Fn(&Socket) -> bool) -> Option<OwnedFd> {
    let index = inherited
        .iter()
        .position(|own| own.try_clone().is_ok_and(|own| is_it(&Socket::from(own))))?;
    Some(inherited.remove(index))
}

/// The inherited socket that listens at this address, if there is one.
pub(super) fn inherited_at(inherited: &mut Vec<OwnedFd>, at: SocketAddr) -> Option<OwnedFd> {
    take(inherited, |own| listens_at(own, at))
}

/// For port 0, any port of that host.
fn listens_at(own: &Socket, at: SocketAddr) -> bool {
    let here = own.local_addr().ok().and_then(|address| address.as_socket());
    let fits = |own: SocketAddr| own == at || at.port() == 0 && own.ip() == at.ip();
    own.r#type().is_ok_and(|kind| kind == Type::STREAM) && here.is_some_and(fits)
}

fn listens_on(own: &Socket, path: &Path) -> bool {
    own.local_addr().is_ok_and(|address| address.as_pathname() == Some(path))
}

/// The socket of an earlier daemon that gave it to nobody is in the way: the data folder is locked.
fn bind_socket(folders: &Folders, inherited: &mut Vec<OwnedFd>) -> Result<Bound, RunError> {
    use std::os::unix::fs::PermissionsExt;
    let path = folders.socket();
    let at = format!("unix:{}", path.display());
    let failed = |source| RunError::Listen { at: at.clone(), source };
    if let Some(own) = take(inherited, |own| listens_on(own, &path)) {
        let listener = UnixListener::from_std(own.into()).map_err(failed)?;
        return Ok(Bound { at: at.clone(), incoming: Incoming::Socket(listener), renewal: None });
    }
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed(source)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(Bound { at: at.clone(), incoming: Incoming::Socket(listener), renewal: None })
}

/// Serves the API at every one of its listeners.
pub(super) fn serve(tasks: &mut Tasks, incoming: Vec<Bound>, api: Api) {
    let router = server::router(api);
    for listener in incoming {
        if let Some(renewal) = listener.renewal {
            tasks.spawn("renewal", renewal.run(tasks.stop()));
        }
        tasks.spawn("api", server::serve(listener.incoming, router.clone(), tasks.stop()));
    }
}

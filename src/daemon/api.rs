//! The API's listeners, put together from the settings.

use std::io;

use tokio::net::{TcpListener, UnixListener};

use crate::{
    clock,
    config::{ApiAddress, Config},
    daemon::{error::RunError, folders::Folders, renewal::Renewal, tasks::Tasks},
    server::{self, Api, Incoming},
};

/// A listener, and where it can be reached.
pub(super) struct Bound {
    pub(super) at: String,
    incoming: Incoming,
    /// Of the certificate, if it presents one.
    renewal: Option<Renewal>,
}

/// Binds the socket of the data folder and every address of the settings.
pub(super) async fn bind(config: &Config, folders: &Folders) -> Result<Vec<Bound>, RunError> {
    let mut bound = vec![bind_socket(folders)?];
    for address in &config.api {
        let (socket, tls) = match address {
            ApiAddress::Http(socket) => (*socket, false),
            ApiAddress::Https(socket) => (*socket, true),
        };
        let failed = |source| RunError::Listen { at: address.to_string(), source };
        let listener = TcpListener::bind(socket).await.map_err(failed)?;
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

/// The socket of an earlier daemon is in the way and nobody's: the data folder is locked.
fn bind_socket(folders: &Folders) -> Result<Bound, RunError> {
    use std::os::unix::fs::PermissionsExt;
    let path = folders.socket();
    let at = format!("unix:{}", path.display());
    let failed = |source| RunError::Listen { at: at.clone(), source };
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

//! `paas tunnel`.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    time::Duration,
};

use api::session::{Ask, MOST_DATA, PING, Tell, Tunnel as Wanted, WINDOW};
use clap::Args;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::interval,
};

use crate::{
    args::AppOption,
    client::{Client, Ear, Line, Mouth, route},
    console::{Grants, begun, nonsense, refused},
    failure::Failure,
    session::Session,
};

/// Reach a port of an instance from here: `paas tunnel 8080`, `paas tunnel db.1 5432 --local 15432`
///
/// Listens on this machine alone and passes every connection on, until Ctrl-C. It reaches what the
/// instance's programs listen to at every address, not what they keep to its own 127.0.0.1.
#[derive(Debug, Clone, Args)]
pub(crate) struct Tunnel {
    /// The port; before it an instance such as `web.1` or a process such as `worker`, otherwise the
    /// first `web` is meant
    #[arg(required = true, num_args = 1..=2, value_names = ["INSTANCE", "PORT"])]
    target: Vec<String>,
    #[command(flatten)]
    app: AppOption,
    /// The port on this machine; otherwise the same, and 0 is any that is free
    #[arg(short, long, value_name = "PORT")]
    local: Option<u16>,
}

impl Tunnel {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let wanted = wanted(&self.target)?;
        let app = session.app(&self.app)?;
        let (client, ui) = (session.client()?, &session.ui);
        let path = route::of(&app, "tunnel");
        // Whether it leads anywhere is better known before somebody relies on it.
        let mut line = open(client, &path, &wanted).await?;
        line.says.close().await;
        drop(line);
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, self.local.unwrap_or(wanted.port)));
        let listener = TcpListener::bind(at).await.map_err(|fault| taken(at, &fault))?;
        let at = listener.local_addr().map_err(|fault| taken(at, &fault))?;
        ui.data(&at.to_string())?;
        ui.talk(&format!("Leads to port {} of {app}. Ctrl-C ends it.", wanted.port));
        let mut connections = FuturesUnordered::new();
        // One for all rounds: a new one would know nothing of what came between two.
        let mut interrupted = pin!(tokio::signal::ctrl_c());
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < MOST => {
                    if let Ok((stream, _)) = accepted {
                        connections.push(pass_on(client, &path, &wanted, stream));
                    }
                }
                Some(ended) = connections.next(), if !connections.is_empty() => {
                    if let Err(failure) = ended {
                        ui.failure(&failure);
                    }
                }
                _ = &mut interrupted => return Ok(()),
            }
        }
    }
}

fn wanted(target: &[String]) -> Result<Wanted, Failure> {
    let (instance, port) = match target {
        [port] => (None, port),
        [instance, port, ..] => (Some(instance.clone()), port),
        [] => return Err(Failure::usage("the port is missing")),
    };
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(Wanted { instance, port }),
        _ => Err(Failure::usage(format!("`{port}` is not a port"))
            .hint("write it like `paas tunnel web.1 8080`")),
    }
}

fn taken(at: SocketAddr, fault: &io::Error) -> Failure {
    Failure::local(format!("cannot listen on {at}"))
        .because(fault)
        .hint("choose another port with `--local 0`, which takes any that is free")
}

async fn open(client: &Client, path: &str, wanted: &Wanted) -> Result<Line, Failure> {
    let mut line = client.session(path).await?;
    line.says.begin(wanted).await?;
    begun(&mut line.hears).await?;
    Ok(line)
}

/// One connection, to the end of both of its directions.
async fn pass_on(
    client: &Client,
    path: &str,
    wanted: &Wanted,
    stream: TcpStream,
) -> Result<(), Failure> {
    stream.set_nodelay(true).ok();
    let Line { mut hears, mut says } = open(client, path, wanted).await?;
    let (read, write) = stream.into_split();
    let grants = Grants::new(WINDOW);
    let outcome = tokio::select! {
        biased;
        outcome = down(&mut hears, write, &grants) => outcome,
        Err(failure) = up(&mut says, read, &grants) => Err(failure),
    };
    says.close().await;
    outcome
}

/// From the server to whoever has connected.
async fn down(hears: &mut Ear, mut write: OwnedWriteHalf, grants: &Grants) -> Result<(), Failure> {
    loop {
        let message = hears.next().await?;
        // Whoever does not listen any more has gone, and with them the connection.
        match Tell::read(&message).map_err(|_| nonsense())? {
            Some(Tell::Out([])) => drop(write.shutdown().await),
            Some(Tell::Out(data)) => {
                if write.write_all(data).await.is_err() {
                    return Ok(());
                }
            }
            Some(Tell::Window(more)) => grants.add(more),
            Some(Tell::Exit(_)) => return Ok(()),
            Some(Tell::Fault(json)) => return Err(refused(json)),
            Some(Tell::Begun(_) | Tell::Err(_)) | None => {}
        }
    }
}

/// From whoever has connected to the server; goes on until it is dropped.
async fn up(says: &mut Mouth, mut read: OwnedReadHalf, grants: &Grants) -> Result<(), Failure> {
    let mut ping = interval(Duration::from_secs(PING));
    let mut buffer = vec![0; MOST_DATA / 2];
    let (mut open, mut waiting) = (true, 0);
    loop {
        tokio::select! {
            count = read.read(&mut buffer), if open && waiting == 0 => {
                // A connection that breaks has ended.
                waiting = count.unwrap_or(0);
                if waiting == 0 {
                    open = false;
                    says.say(Ask::Input(&[])).await?;
                }
            }
            () = grants.take(waiting), if waiting > 0 => {
                says.say(Ask::Input(buffer.get(..waiting).unwrap_or_default())).await?;
                waiting = 0;
            }
            _ = ping.tick() => says.ping().await?,
        }
    }
}

/// Connections at the same time; more wait.
const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_have_an_instance_before_it() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let web = Wanted { instance: Some("web.1".to_owned()), port: 8080 };
        assert_eq!(wanted(&words("web.1 8080")).unwrap(), web);
        assert_eq!(wanted(&words("8080")).unwrap(), Wanted { instance: None, port: 8080 });
        for wrong in ["web", "0", "70000", "8080 web"] {
            assert!(wanted(&words(wrong)).is_err(), "{wrong}");
        }
    }
}

//! The socket by which a build asks for toolchains: one JSON line in, one out, then closed.
//!
//! Code of the app can reach it, so everything is bounded: the line, the connections, the time to
//! write it, and (in `provide`) the names and versions. It tells nothing but what it provides.

use super::provide::Toolchains;
use super::wire::{ProvideError, Reply, Request};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

impl Toolchains {
    /// Answers on `listener` until `stop`. `mount` is where a build sees this shelf's folder.
    pub async fn serve(&self, listener: UnixListener, mount: &Path, stop: CancellationToken) {
        let mount: Arc<Path> = mount.into();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let stream = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "toolchain socket cannot accept");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                },
            };
            while connections.try_join_next().is_some() {}
            let (toolchains, mount) = (self.clone(), Arc::clone(&mount));
            connections.spawn(async move {
                let _place = place;
                if let Err(error) = toolchains.answer(stream, &mount).await {
                    tracing::debug!(%error, "toolchain request was cut");
                }
            });
        }
    }

    async fn answer(&self, stream: UnixStream, mount: &Path) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut line = Vec::new();
        let mut capped = BufReader::new(read.take(LINE));
        let asked = tokio::time::timeout(ASK, capped.read_until(b'\n', &mut line)).await;
        asked.map_err(|_| std::io::ErrorKind::TimedOut)??;
        let reply = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => self.reply(&request, mount).await,
            Err(error) => malformed(&error),
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        let told = tokio::time::timeout(TELL, write.write_all(&line)).await;
        told.map_err(|_| std::io::ErrorKind::TimedOut)?
    }

    async fn reply(&self, request: &Request, mount: &Path) -> Reply {
        match self.provide(request).await {
            Ok(provided) => {
                let name = provided.path.file_name().unwrap_or_default();
                let path = mount.join(name).to_string_lossy().into_owned();
                Reply::Provided { version: provided.version, path }
            }
            Err(error) => {
                tracing::warn!(toolchain = %request.toolchain, %error, "toolchain not provided");
                error.into()
            }
        }
    }
}

fn malformed(error: &serde_json::Error) -> Reply {
    let what = "the toolchain request is not understood".to_owned();
    let hint =
        "write one line: {\"toolchain\":\"node\",\"range\":\"^20\",\"scheme\":\"npm\"}".into();
    ProvideError { what, because: error.to_string(), nearest: Vec::new(), hint }.into()
}

/// A build asks for a handful of toolchains; more at once wait.
const CONNECTIONS: usize = 8;
/// The longest line that is read, in bytes.
const LINE: u64 = 4096;
/// A client writes its line at once, or holds a place for nothing.
const ASK: Duration = Duration::from_secs(5);
const TELL: Duration = Duration::from_secs(5);
/// After a failed accept (out of descriptors), so that the loop does not spin.
const PAUSE: Duration = Duration::from_millis(100);

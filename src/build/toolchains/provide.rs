//! The story: a range is asked for; the newest version that meets it is found, fetched once,
//! and handed out.
//!
//! Blocking work (downloads, archives) runs on the blocking pool. Invariants: two requests for
//! the same version share one fetch, and a request that is dropped does not stop a fetch that
//! others may wait for.

use super::range::Wanted;
use super::refused::{Refused, not_understood};
use super::registries::Registries;
use super::shelf::Shelf;
use super::sites::{Archive, Site, SiteError};
use super::sources::Sources;
use super::unpack::{UnpackError, unpack};
use super::wire::{ProvideError, Provided, Request, Toolchain};
use crate::build::web::{Web, WebError};
use crate::model::ByteSize;
use crate::telemetry::chain;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The toolchains of one host. Cheap to clone; all clones share one shelf.
#[derive(Debug, Clone)]
pub struct Toolchains {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sources: Sources,
    shelf: Shelf,
    web: Web,
    registries: tokio::sync::Mutex<Option<(Instant, Registries)>>,
    fetches: Mutex<BTreeMap<(Toolchain, String), Turn>>,
}

/// Held by whoever fetches a version; the others wait for it and then find the folder.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// The shelf could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the toolchain folder {path} cannot be used")]
pub struct OpenError {
    path: PathBuf,
    source: io::Error,
}

/// Why a version that exists was not fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Web(#[from] WebError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("the toolchain folder cannot be written")]
    Shelf(#[from] io::Error),
    #[error("the shelf is full: it holds {MOST} toolchains")]
    Full,
}

impl Toolchains {
    /// Opens the shelf at `dir` (made if need be) and removes what a crash left unfinished.
    pub fn open(dir: &Path, sources: Sources) -> Result<Self, OpenError> {
        let failed = |source| OpenError { path: dir.to_owned(), source };
        let shelf = Shelf::open(dir).map_err(failed)?;
        let inner = Inner {
            sources,
            shelf,
            web: Web::new(),
            registries: tokio::sync::Mutex::default(),
            fetches: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The host's registries. Asking npm and pip takes a second, so the answer is kept a while.
    pub async fn registries(&self) -> Registries {
        let inner = &self.inner;
        // Held while asking, so that many builds at once ask once.
        let mut kept = inner.registries.lock().await;
        if let Some((at, found)) = kept.as_ref() {
            let complete = found.npm.is_some() && found.pypi.is_some();
            // npm or pip may be installed while we run.
            let fresh = if complete { KNOWN } else { INCOMPLETE };
            if at.elapsed() < fresh {
                return found.clone();
            }
        }
        let node = inner.shelf.versions(Toolchain::Node).into_iter().next();
        let node = node.and_then(|version| inner.shelf.find(Toolchain::Node, &version));
        let found = Registries::find(&inner.sources, node.map(|node| node.join("bin/npm"))).await;
        *kept = Some((Instant::now(), found.clone()));
        found
    }

    /// Removes what was last asked for before `since`, or is more than `most` together. No build
    /// may run. It blocks.
    pub fn evict(&self, since: Option<SystemTime>, most: ByteSize) {
        self.inner.shelf.evict(since, most.0);
    }

    /// What all of them take on the disk, in bytes. It blocks.
    pub fn size(&self) -> u64 {
        self.inner.shelf.size()
    }

    /// A folder with a version that meets the request, fetched now if it is not there yet.
    pub async fn provide(&self, request: &Request) -> Result<Provided, ProvideError> {
        let provided = self.find_or_fetch(request).await;
        if let Ok(provided) = &provided {
            self.inner.shelf.used(request.toolchain, &provided.version);
        }
        provided
    }

    async fn find_or_fetch(&self, request: &Request) -> Result<Provided, ProvideError> {
        let toolchain = request.toolchain;
        let wanted = Wanted::parse(toolchain, &request.range, request.scheme)
            .map_err(|because| not_understood(request, because))?;
        if let Some(number) = wanted.only()
            && let Some(there) = self.shelved(toolchain, &wanted)
        {
            tracing::debug!(%toolchain, version = ?number, "toolchain is on the shelf");
            return Ok(there);
        }
        let wanted = Arc::new(wanted);
        let found = self.registries().await;
        let mut refused = Refused::default();
        for site in Site::of(toolchain, &self.inner.sources, &found) {
            let Some(version) = self.chosen(&site, toolchain, &wanted, &mut refused).await else {
                continue;
            };
            match self.fetched(site, toolchain, version).await {
                Ok(provided) => return Ok(provided),
                Err(error) => refused.reasons.push(chain(&error)),
            }
        }
        if let Some(there) = self.shelved(toolchain, &wanted) {
            let version = &there.version;
            tracing::warn!(%toolchain, version, "no site offers this; using what is on the shelf");
            return Ok(there);
        }
        Err(refused.explain(request, &found))
    }

    /// The version that a site has for the request; every reason why not is noted.
    async fn chosen(
        &self,
        site: &Site,
        toolchain: Toolchain,
        wanted: &Arc<Wanted>,
        refused: &mut Refused,
    ) -> Option<String> {
        let (inner, asked, wanted) = (Arc::clone(&self.inner), site.clone(), Arc::clone(wanted));
        let listed = blocking(move || {
            let versions = asked.versions(toolchain, &inner.web)?;
            let chosen = wanted.newest(versions.iter().map(String::as_str)).map(str::to_owned);
            Ok::<_, FetchError>((versions, chosen))
        });
        match listed.await {
            Ok((versions, chosen)) => {
                refused.known.extend(versions);
                refused.chosen |= chosen.is_some();
                chosen
            }
            Err(error) => {
                refused.reasons.push(chain(&error));
                None
            }
        }
    }

    /// Fetches a version unless it is there or somebody else just did.
    async fn fetched(
        &self,
        site: Site,
        toolchain: Toolchain,
        version: String,
    ) -> Result<Provided, FetchError> {
        let key = (toolchain, version.clone());
        let turn = {
            let mut fetches = self.inner.fetches.lock().unwrap_or_else(PoisonError::into_inner);
            fetches.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(fetches.entry(key).or_default())
        };
        let turn = turn.lock_owned().await;
        let inner = Arc::clone(&self.inner);
        let provided = blocking(move || {
            // Held by the work itself, so that a caller who goes away does not let a second one in.
            let _turn = turn;
            if let Some(path) = inner.shelf.find(toolchain, &version) {
                return Ok(Provided { version, path });
            }
            if inner.shelf.len() >= MOST {
                return Err(FetchError::Full);
            }
            let archives = site.archives(toolchain, &version, &inner.web)?;
            tracing::info!(%toolchain, version, "fetching toolchain");
            let path = inner.fetch(toolchain, &version, &archives)?;
            Ok(Provided { version, path })
        })
        .await?;
        if toolchain == Toolchain::Node {
            self.reconsider().await;
        }
        let (inner, path) = (Arc::clone(&self.inner), provided.path.clone());
        tokio::task::spawn_blocking(move || {
            // Unmarked it still serves; it is only fetched again after the next start.
            if let Err(error) = inner.shelf.settle(&path) {
                tracing::warn!(path = %path.display(), %error, "toolchain not settled on disk");
            }
        });
        Ok(provided)
    }

    /// A host without npm has one as soon as the first Node is here: ask again.
    async fn reconsider(&self) {
        let mut kept = self.inner.registries.lock().await;
        kept.take_if(|(_, found)| found.npm.is_none());
    }

    fn shelved(&self, toolchain: Toolchain, wanted: &Wanted) -> Option<Provided> {
        let versions = self.inner.shelf.versions(toolchain);
        let version = wanted.newest(versions.iter().map(String::as_str))?.to_owned();
        let path = self.inner.shelf.find(toolchain, &version)?;
        Some(Provided { version, path })
    }
}

impl Inner {
    fn fetch(
        &self,
        toolchain: Toolchain,
        version: &str,
        archives: &[Archive],
    ) -> Result<PathBuf, FetchError> {
        let unfinished = self.shelf.begin(toolchain, version)?;
        let spool = unfinished.path().join(".archive");
        for archive in archives {
            let mut file = File::options().read(true).write(true).create_new(true).open(&spool)?;
            fs::remove_file(&spool)?;
            self.web.download(&archive.url, &archive.checksum, LARGEST, &mut file)?;
            file.rewind()?;
            unpack(file, archive.format, &archive.layout, unfinished.path())?;
        }
        Ok(unfinished.finish()?)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(lost) => Err(FetchError::Shelf(io::Error::other(lost))),
    }
}

/// Hostile build code can ask for one version after the other; this is where it ends.
const MOST: usize = 96;
/// How long both registries are believed, and how long one that is missing is.
const KNOWN: Duration = Duration::from_mins(10);
const INCOMPLETE: Duration = Duration::from_secs(30);
/// The largest archive, Go's, is 75 MB.
const LARGEST: u64 = 400_000_000;

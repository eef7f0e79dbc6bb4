//! How much of the disk the steps of a Dockerfile take: what Docker kept of those that ended, and what
//! the one that runs has written.
//!
//! Measured by Docker, which alone knows where; the free space is looked at in Docker's folder. A step
//! can go past the limit by what it writes in a moment. Sparse files count as full ones, because
//! Docker fills them when it keeps a step.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    build::{
        BuildError,
        disk::{Pace, Space},
        request::BuildRequest,
    },
    engine::ImageEngine,
    model::{ByteSize, Manifest},
};

/// What the steps of a build may take, and on which disk.
#[derive(Debug)]
pub(in crate::build) struct Growth {
    /// Docker's folder, or the builds' own where that cannot be seen.
    place: PathBuf,
    limit: ByteSize,
    reserve: ByteSize,
    made: Mutex<BTreeSet<String>>,
}

impl Growth {
    pub(in crate::build) async fn new<E: ImageEngine>(
        engine: &E,
        request: &BuildRequest,
        manifest: &Manifest,
    ) -> Result<Self, BuildError> {
        let folder = engine.folder().await?.filter(|folder| folder.is_dir());
        Ok(Self {
            place: folder.unwrap_or_else(|| request.source.clone()),
            limit: manifest.build.disk.unwrap_or(request.limits.disk),
            reserve: request.limits.reserve,
            made: Mutex::default(),
        })
    }

    /// The most that may be in one file: not more than the limit, nor than there is room for.
    pub(in crate::build) fn largest_file(&self) -> ByteSize {
        let room = |space: Space| space.free.saturating_sub(self.reserve.0).max(LEAST.0);
        let room = Space::of(&self.place).map_or(u64::MAX, room);
        self.limit.min(ByteSize(room))
    }

    /// Why a step may not write on that has written a file as large as that.
    pub(super) fn too_large(&self, file: ByteSize) -> BuildError {
        if file < self.limit {
            BuildError::DiskFull
        } else {
            BuildError::Disk { limit: self.limit }
        }
    }

    /// A step has ended, and is kept as this image.
    pub(super) fn kept(&self, image: &str) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(image.to_owned());
    }

    /// Ends when the build has to, with why.
    pub(super) async fn passed<E: ImageEngine>(
        &self,
        engine: &E,
        request: &BuildRequest,
    ) -> BuildError {
        let mut look = Pace::new(self.place.clone(), self.limit, self.reserve, SELDOM);
        let mut measured = BTreeSet::new();
        let mut kept = 0_u64;
        loop {
            if let Err(low) = look.turn().await {
                return low;
            }
            let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for image in made {
                if !measured.contains(&image) {
                    kept =
                        kept.saturating_add(engine.step_added(&image).await.unwrap_or_default().0);
                    measured.insert(image);
                }
            }
            // A step that is gone by now was measured, or is kept.
            let running = engine.steps_written(&request.app).await.unwrap_or_default();
            if kept.saturating_add(running.0) > self.limit.0 {
                return BuildError::Disk { limit: self.limit };
            }
        }
    }
}

/// The longest between two measurements, as the free space does not tell of sparse files.
const SELDOM: Duration = Duration::from_secs(5);
/// Even on a disk that is full, a file may have so much.
const LEAST: ByteSize = ByteSize::mib(16);

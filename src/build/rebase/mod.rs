//! An app's image upon the present run image, without a build: the app's own layers stay byte for byte.
//!
//! In reading order: `saved` (the image, taken apart), `config` (what changes in it). Invariant: the
//! old image is only read; whether the new one serves is for its rollout to show.

mod config;
mod saved;

use std::{io, path::PathBuf, sync::Arc};

use super::{
    BuildError, Builder, UnpackError,
    base::BaseImage,
    builder::blocking,
    export::{Archive, Blob, ExportError},
    footing::run_image_called,
    progress::Stage,
    request::BuildRequest,
    unpack::discard,
    workspace::Known,
};
use crate::{
    engine::{BuildEngine, EngineError},
    model::{ByteSize, ImageId},
};

/// Why an image stays upon its run image.
#[derive(Debug, thiserror::Error)]
pub enum RebaseError {
    /// It was not made by buildpacks, or not by ours.
    #[error("no buildpacks made the image that serves, so it has no run image to be replaced")]
    Foreign,
    /// It says that it must not be.
    #[error("the image says that it is not rebasable")]
    Refused,
    /// The new run image is for something else.
    #[error("the image was made for {was}, and the present run image is {is}")]
    Different {
        /// The image's system, architecture and stack.
        was: String,
        /// The run image's.
        is: String,
    },
    /// Its run image was extended for it.
    #[error("the run image of what serves has packages of the app's own")]
    Packages,
    /// There is nothing to do.
    #[error("what serves is upon the present run image already")]
    Already,
    /// The run image of a builder of somebody else's is gone.
    #[error("the run image {name} of what serves is not in this server's Docker")]
    Absent {
        /// What it is called.
        name: String,
    },
    /// Docker's copy of it is too much or broken.
    #[error("the image that serves cannot be unpacked")]
    Unpack(#[source] UnpackError),
    /// The same, in its contents.
    #[error("the image that serves cannot be read")]
    Saved(#[source] io::Error),
}

impl RebaseError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Already => "nothing is to be done; `paas deploy` brings new code".to_owned(),
            Self::Absent { name } => format!("make this work on the server: `docker pull {name}`"),
            Self::Foreign | Self::Refused | Self::Packages | Self::Different { .. } => {
                "build it anew: `paas deploy`".to_owned()
            }
            Self::Unpack(_) | Self::Saved(_) => {
                "see that the server's disk has room: `df -h`; or build anew: `paas deploy`"
                    .to_owned()
            }
        }
    }
}

impl<E: BuildEngine> Builder<E> {
    /// Puts an image of the app's onto the present run image; answers the new one and its size
    /// beyond the run image.
    pub async fn rebase(
        &self,
        request: &BuildRequest,
        image: &ImageId,
    ) -> Result<(ImageId, ByteSize), BuildError> {
        request.tell(Stage::Prepare).await;
        let home = self.settings.apps.join(request.app.as_str());
        let rough = Rough(home.join("rebase"));
        rough.clear();
        std::fs::create_dir_all(&home).map_err(BuildError::prepare)?;
        let saved = tokio::select! {
            biased;
            () = request.cancel.cancelled() => return Err(BuildError::Cancelled),
            saved = saved::take_apart(self.engine.save(image), &rough.0) => saved?,
        };
        let run = self.present_run_image(&saved.config).await?;
        request.say(format!("-----> Rebasing onto {}", run.reference)).await;
        let upon = run.clone();
        let (rebased, blobs) = blocking(move || {
            let rebased = config::rebase(&saved.config, &upon)?;
            let layers = saved.layers.into_iter().skip(rebased.replaced).zip(&rebased.kept);
            let blob = |((file, size), diff_id): (_, &String)| Blob {
                known: Known { diff_id: diff_id.clone(), size },
                file: Arc::new(file),
            };
            let blobs: Vec<Blob> = layers.map(blob).collect();
            Ok((rebased, blobs))
        })
        .await?;
        request.tell(Stage::Load).await;
        let own: Vec<Known> = blobs.iter().map(|blob| blob.known.clone()).collect();
        let size = ByteSize(own.iter().map(|layer| layer.size).sum());
        let layers = run.layers.iter().cloned().chain(own).collect();
        let name = self.settings.image_name(request);
        let archive = Archive::new(rebased.text, layers, name);
        let id = match archive.load(&self.engine, blobs.clone()).await {
            // Docker has lost the run image.
            Err(ExportError::Engine(EngineError::Refused { .. })) => {
                let base = run.blobs(0)?.into_iter().chain(blobs).collect();
                archive.load(&self.engine, base).await?
            }
            loaded => loaded?,
        };
        request.say("       the app's own layers are as they were".to_owned()).await;
        Ok((id, size))
    }

    /// Ours, or what the name of a builder's run image means today.
    async fn present_run_image(&self, config: &[u8]) -> Result<BaseImage, BuildError> {
        let name = config::made_for(config).filter(|name| !name.starts_with(OURS));
        let Some(name) = name else { return Ok(self.settings.run.clone()) };
        let found = run_image_called(&self.engine, &name).await?;
        Ok(found.ok_or(RebaseError::Absent { name })?)
    }
}

/// What our own run images are called.
const OURS: &str = "paas/run:";

/// A folder that is gone when this is.
struct Rough(PathBuf);

impl Rough {
    fn clear(&self) {
        if self.0.exists() {
            discard(&self.0);
        }
    }
}

impl Drop for Rough {
    fn drop(&mut self) {
        self.clear();
    }
}

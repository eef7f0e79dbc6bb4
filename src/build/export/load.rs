//! Into Docker: what it has is left out, and sent after all if it turns out to miss it.
//!
//! Invariant: when [`Assembled::load`] returns an id, Docker has that image whole.

use std::{fs::File, sync::Arc};

use futures_util::future::join_all;
use tokio::task::spawn_blocking;

use super::{Archive, Assembled, Blob, ExportError, Layer};
use crate::{
    build::workspace::Known,
    engine::{BuildEngine, EngineError},
    model::ImageId,
};

/// Images whose layers Docker should have: the last one of the app and the run image.
pub(crate) type Donors = Vec<ImageId>;

impl Archive {
    /// The image's id, if Docker has it.
    pub(crate) async fn present<E: BuildEngine>(
        &self,
        engine: &E,
    ) -> Result<Option<ImageId>, EngineError> {
        let ids = self.ids();
        let found = join_all(ids.iter().map(|id| engine.image_layers(id))).await;
        for (id, found) in ids.into_iter().zip(found) {
            if found?.is_some() {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The image's id, if Docker has it and takes the name for it: another installation may have
    /// made the same one, and may remove it at any moment but for that name.
    pub(crate) async fn adopt<E: BuildEngine>(
        &self,
        engine: &E,
    ) -> Result<Option<ImageId>, EngineError> {
        let Some(id) = self.present(engine).await? else { return Ok(None) };
        match engine.tag(&id, self.name()).await {
            Ok(()) => Ok(Some(id)),
            Err(EngineError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Loads it with the given blobs in the archive.
    pub(crate) async fn load<E: BuildEngine>(
        &self,
        engine: &E,
        blobs: Vec<Blob>,
    ) -> Result<ImageId, ExportError> {
        engine.load(self.stream(blobs)).await?;
        self.present(engine).await?.ok_or(ExportError::Vanished)
    }

    /// How many of the lowest layers Docker has, one upon the other.
    pub(crate) async fn known_to<E: BuildEngine>(&self, engine: &E, donors: &Donors) -> usize {
        let own: Vec<_> = self.layers().iter().map(|layer| layer.diff_id.clone()).collect();
        shared_layers(engine, &own, donors).await
    }
}

/// The same of layers by their uncompressed digests.
pub(crate) async fn shared_layers<E: BuildEngine>(
    engine: &E,
    own: &[String],
    donors: &Donors,
) -> usize {
    let mut most = 0;
    let found = join_all(donors.iter().map(|donor| engine.image_layers(donor))).await;
    // A donor that is gone, or an engine that does not answer, only costs time.
    for layers in found.into_iter().flatten().flatten() {
        most = most.max(own.iter().zip(&layers).take_while(|(own, has)| own == has).count());
    }
    most
}

impl Assembled {
    /// Loads the image, unless Docker has it.
    pub(crate) async fn load<E: BuildEngine>(
        self,
        engine: &E,
        donors: &Donors,
    ) -> Result<(ImageId, Self), ExportError> {
        let (present, known) =
            tokio::join!(self.archive.adopt(engine), self.archive.known_to(engine, donors));
        if let Some(id) = present? {
            return Ok((id, self));
        }
        let (this, blobs) = self.blobs_from(known).await?;
        match this.archive.load(engine, blobs).await {
            Ok(id) => Ok((id, this)),
            Err(ExportError::Engine(EngineError::Refused { message, .. })) if known > 0 => {
                tracing::info!(%message, "docker misses a layer; sending all");
                let (this, blobs) = this.blobs_from(0).await?;
                let id = this.archive.load(engine, blobs).await?;
                Ok((id, this))
            }
            Err(error) => Err(error),
        }
    }

    /// The tars of all layers but the `known` lowest, made where they were not kept.
    async fn blobs_from(self, known: usize) -> Result<(Self, Vec<Blob>), ExportError> {
        let work = move || {
            let mut this = self;
            let blobs = this.collect(known)?;
            Ok((this, blobs))
        };
        spawn_blocking(work).await.map_err(|e| ExportError::Write(e.into()))?
    }

    fn collect(&mut self, known: usize) -> Result<Vec<Blob>, ExportError> {
        let mut blobs = self.base.blobs(known)?;
        let below = self.base.layers.len();
        for layer in self.layers.iter_mut().skip(known.saturating_sub(below)) {
            blobs.push(layer.blob(&self.places.spool)?);
        }
        Ok(blobs)
    }
}

impl Layer {
    /// The layer's tar; one that was not written, because its files had not changed, is written
    /// now and must come out as it was.
    fn blob(&mut self, spool: &std::path::Path) -> Result<Blob, ExportError> {
        let file = if let Some(file) = self.spooled.take() {
            file
        } else {
            let (file, known): (File, Known) = self.source.spool(&self.key, spool)?;
            if known != self.known {
                return Err(ExportError::Lost { layer: self.key.clone() });
            }
            file
        };
        let kept = file.try_clone().map_err(ExportError::write)?;
        self.spooled = Some(kept);
        Ok(Blob { known: self.known.clone(), file: Arc::new(file) })
    }
}

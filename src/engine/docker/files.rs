//! Files of a container, as a tar in or out. Docker reads and writes them inside the container's own
//! root, whatever links there are.

use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};

use super::{Docker, fault, image};
use crate::{engine::EngineError, model::ContainerId};

impl Docker {
    /// A file or folder with all that is in it, under its own name.
    pub fn files(
        &self,
        container: &ContainerId,
        path: &str,
    ) -> BoxStream<'static, Result<Bytes, EngineError>> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let (docker, path) = (self.clone(), path.to_owned());
        let tar = self.api().download_from_container(&container.0, Some(options)).boxed();
        tar.map(move |part| part.map_err(|error| docker.explain(error, "files", &path))).boxed()
    }

    /// Unpacks a tar into a folder that is there. It takes as long as the tar does.
    pub async fn put_files(
        &self,
        container: &ContainerId,
        folder: &str,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<(), EngineError> {
        let (tar, broke) = image::watched(tar);
        let options = UploadToContainerOptions {
            path: folder.to_owned(),
            no_overwrite_dir_non_dir: Some("true".to_owned()),
            copy_uidgid: None,
        };
        let body = bollard::body_try_stream(tar);
        let put = self.api().upload_to_container(&container.0, Some(options), body).await;
        if let Some(error) = broke.get() {
            return Err(fault::refuse("files", folder, format!("the upload broke: {error}")));
        }
        put.map_err(|error| self.explain(error, "files", folder))
    }
}

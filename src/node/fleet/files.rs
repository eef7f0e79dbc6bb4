//! Files of an instance of a node, as a tar in or out.

use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use hyper::{Method, Request};
use tokio::time::timeout;

use super::{
    Nodes,
    call::{self, DEADLINE, Far, answered, away},
};
use crate::{
    engine::{
        EngineError,
        docker::{Tar, watched},
    },
    model::{ContainerId, NodeName},
    node::{
        feed::{self, Lines},
        orders::{Answer, FILES, Place, UNPACK, Wrong},
    },
};

type Files = BoxStream<'static, Result<Bytes, EngineError>>;

impl Nodes {
    /// A file or folder of an instance, with all that is in it, under its own name.
    pub(in crate::node) fn files(
        &self,
        node: &NodeName,
        id: &ContainerId,
        path: &str,
    ) -> Result<Files, EngineError> {
        let far = self.far(node)?;
        let place = Place { id: id.clone(), path: path.to_owned() };
        let begun = async move {
            let late = EngineError::Timeout { operation: "files", after: DEADLINE };
            let begun = timeout(DEADLINE, begin(far, place)).await.unwrap_or(Err(late));
            begun.unwrap_or_else(|error| stream::iter([Err(error)]).boxed())
        };
        Ok(stream::once(begun).flatten().boxed())
    }

    /// Unpacks a tar into a folder that is there. It takes as long as the tar does.
    pub(in crate::node) async fn put_files(
        &self,
        node: &NodeName,
        id: &ContainerId,
        folder: &str,
        tar: Tar,
    ) -> Result<(), EngineError> {
        let far = self.far(node)?;
        let place = Place { id: id.clone(), path: folder.to_owned() };
        let line = feed::line(&place).map_err(|error| away(&far, error.into()))?;
        let (tar, broke) = watched(tar);
        let request = Request::builder().method(Method::POST).uri(UNPACK);
        let request = request.body(feed::headed(line, tar));
        let request = request.map_err(|error| away(&far, error.into()))?;
        let answer = answered(&far, "files", request).await;
        if let Some(error) = broke.get() {
            let (subject, message) = (folder.to_owned(), format!("the upload broke: {error}"));
            return Err(EngineError::Refused { operation: "files", subject, status: 0, message });
        }
        match answer? {
            Answer::Heeded => Ok(()),
            other => Err(call::strange(&far, "files", &other)),
        }
    }
}

/// Waits until the node gives them.
async fn begin(far: Far, place: Place) -> Result<Files, EngineError> {
    let response = call::send(&far, call::request(&far, FILES, &place)?).await?;
    let mut lines = Lines::of(response.into_body());
    let first = lines.next::<Result<(), Wrong>>().await;
    match first.map_err(|error| away(&far, error.into()))? {
        Some(Ok(())) => {
            let tar = lines.rest();
            Ok(tar.map_err(move |error| away(&far, error.into())).boxed())
        }
        Some(Err(wrong)) => Err(wrong.about("files", call::at(&far))),
        None => Err(away(&far, "the call ended before it was answered".into())),
    }
}

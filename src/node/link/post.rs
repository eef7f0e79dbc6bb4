//! What is asked and answered in one piece.

use bytes::Bytes;
use hyper::{Method, Request, StatusCode};

use super::{
    body::{BodyError, full, whole},
    caller::{Link, LinkError},
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The node did not answer.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Its answer broke off, or is none that was expected.
    #[error("the answer is cut off, or too large")]
    Cut(#[source] BodyError),
    /// It refuses; its words.
    #[error("{0}")]
    Refused(String),
}

impl Link {
    /// Asks the node for what is at a path. Of its answer, or its refusal, there are to be `most` bytes at most.
    pub async fn post(
        &self,
        path: &'static str,
        body: impl Into<Bytes>,
        most: usize,
    ) -> Result<Bytes, PostError> {
        let request = Request::builder().method(Method::POST).uri(path).body(full(body));
        let request = request.map_err(|error| LinkError::Request(error.into()))?;
        let answer = self.call(request).await?;
        let status = answer.status();
        let body = whole(answer.into_body(), most).await.map_err(PostError::Cut)?;
        match status {
            StatusCode::OK => Ok(body),
            _ => Err(PostError::Refused(String::from_utf8_lossy(&body).into_owned())),
        }
    }
}

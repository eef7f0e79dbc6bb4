//! Asking again when an authority refuses a nonce, which it may do at any time and for no fault of
//! ours (RFC 8555 section 6.5). The library asks three times; that is not enough for a busy one.

use futures_util::future::BoxFuture;
use instant_acme::Error;

/// Asks until the answer is about the question and not about the nonce.
pub(super) async fn patient<S: Send, T>(
    subject: &mut S,
    mut ask: impl for<'a> FnMut(&'a mut S) -> BoxFuture<'a, Result<T, Error>> + Send,
) -> Result<T, Error> {
    for _ in 1..ROUNDS {
        match ask(subject).await {
            Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(BAD_NONCE) => {}
            answer => return answer,
        }
    }
    ask(subject).await
}

const BAD_NONCE: &str = "urn:ietf:params:acme:error:badNonce";
/// Of three requests each.
const ROUNDS: usize = 8;

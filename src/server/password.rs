//! Tokens that come as passwords: `git` and `docker` ask people for a user and a password, present what they
//! got, and know no other way. The user may be any.

use axum::{
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    model::Actor,
    server::{
        caller::{Caller, Transport},
        fault::Failure,
        state::Api,
    },
};

/// The answer, with the question who it is if that is what is missing.
pub(super) fn challenge(mut answer: Response) -> Response {
    if answer.status() == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    answer
}

/// Who it is; `nobody` if nothing is presented. Such clients always ask without first: that is no attempt at
/// anything.
pub(super) fn actor(parts: &Parts, api: &Api, nobody: Failure) -> Result<Actor, Failure> {
    if parts.extensions.get::<Transport>() == Some(&Transport::Socket) {
        return Ok(Caller::by_token(parts, api, "")?.actor);
    }
    let Some(header) = parts.headers.get(header::AUTHORIZATION) else { return Err(nobody) };
    let token = header.to_str().ok().and_then(token).unwrap_or_default();
    Ok(Caller::by_token(parts, api, &token)?.actor)
}

/// The token in a header: the password, or the name of a user without one.
fn token(header: &str) -> Option<String> {
    if let Some(token) = header.strip_prefix("Bearer ") {
        return Some(token.to_owned());
    }
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(if password.is_empty() { user.to_owned() } else { password.to_owned() })
}

const CHALLENGE: &str = "Basic realm=\"paas\", charset=\"UTF-8\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_password_or_stands_alone() {
        let basic = |text: &str| token(&format!("Basic {}", STANDARD.encode(text)));
        assert_eq!(basic("paas:secret").as_deref(), Some("secret"));
        assert_eq!(basic("anyone:a:b").as_deref(), Some("a:b"));
        assert_eq!(basic("secret:").as_deref(), Some("secret"));
        assert_eq!(basic("secret"), None);
        assert_eq!(token("Bearer secret").as_deref(), Some("secret"));
        assert_eq!(token("Basic !!!"), None);
        assert_eq!(token("Digest x"), None);
    }
}

//! Who pushes: git presents a token as the password of any user. What it is refused, it is told in
//! plain text, which is what git shows to people.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
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

/// Who pushes or fetches, proven.
#[derive(Debug)]
pub(super) struct Pusher {
    pub(super) actor: Actor,
}

/// What git is told instead of what it asked for.
#[derive(Debug)]
pub(super) struct Told(Failure);

impl<F: Into<Failure>> From<F> for Told {
    fn from(failure: F) -> Self {
        Self(failure.into())
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let mut response = self.0.into_text();
        if response.status() == axum::http::StatusCode::UNAUTHORIZED {
            let asks = HeaderValue::from_static("Basic realm=\"paas\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, asks);
        }
        response
    }
}

impl FromRequestParts<Api> for Pusher {
    type Rejection = Told;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Told> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let local = parts.extensions.get::<Transport>() == Some(&Transport::Socket);
        let Some(header) = header.filter(|_| !local) else {
            if local {
                return Ok(Self { actor: Caller::by_token(parts, api, "")?.actor });
            }
            // git always asks without first; that is no attempt at anything.
            return Err(Failure::new(api::FaultCode::Unauthenticated, "a token is needed")
                .hint("`paas git remote` has git present yours; the password is the token")
                .into());
        };
        let token = header.to_str().ok().and_then(token).unwrap_or_default();
        Ok(Self { actor: Caller::by_token(parts, api, &token)?.actor })
    }
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

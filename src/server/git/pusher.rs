//! Who pushes: git presents a token as the password of any user. What it is refused, it is told in
//! plain text, which is what git shows to people.

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response},
};

use crate::{
    model::Actor,
    server::{fault::Failure, password, state::Api},
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
        password::challenge(self.0.into_text())
    }
}

impl FromRequestParts<Api> for Pusher {
    type Rejection = Told;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Told> {
        let nobody = Failure::new(api::FaultCode::Unauthenticated, "a token is needed")
            .hint("`paas git remote` has git present yours; the password is the token");
        Ok(Self { actor: password::actor(parts, api, nobody)? })
    }
}

//! Ids in paths. One of the wrong shape names nothing: 404, as for any other unknown object.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::problem::Problem;

/// The only parameter of a route.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

/// Both parameters of a route.
#[derive(Debug)]
pub(crate) struct Ids<A, B>(pub(crate) A, pub(crate) B);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| nothing())?;
        text.parse().map(Self).map_err(|_| nothing())
    }
}

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for Ids<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((a, b)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| nothing())?;
        Ok(Self(a.parse().map_err(|_| nothing())?, b.parse().map_err(|_| nothing())?))
    }
}

fn nothing() -> Problem {
    Problem::not_found("object")
}

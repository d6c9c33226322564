//! What only the platform does with the server itself: looking at it, and changing its master key.

mod overview;
mod rates;

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::Response;
use domain::audit::{Action, Object};
use http::StatusCode;
use serde::Serialize;
use store::StoreError;
use store::once::MaybeOnce;
use utoipa::ToSchema;

use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::Manager;
use crate::fields::Fields;
use crate::once::once;
use crate::problem::{Code, Problem};

pub(crate) use overview::{__path_get_system, Backlog, get_system};
pub(crate) use rates::{Rates, per_second, series};

/// The server's master key as the API sees it. Where the key is kept is the binary's affair.
#[async_trait]
pub trait MasterKeys: std::fmt::Debug + Send + Sync + 'static {
    /// Makes a new key, seals everything anew and forgets the old one, or finishes a rotation that was left unfinished. The
    /// answer is kept with the end of it; `T`: values sealed anew.
    async fn rotate(&self, maybe_once: MaybeOnce<usize>) -> Result<usize, RotateFault>;
}

/// Why the master key was not rotated.
#[derive(Debug)]
pub enum RotateFault {
    InProgress,
    /// The operator gives the key from outside, so the server cannot change it.
    External,
    /// What was begun stays begun, every secret opens, and the next rotation or start finishes it.
    Unfinished(StoreError),
}

impl From<StoreError> for RotateFault {
    fn from(error: StoreError) -> Self {
        Self::Unfinished(error)
    }
}

/// A rotation that came to its end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MasterKeyRotated {
    /// `rotated`: everything is sealed under a new key, and the old one is no longer needed.
    #[schema(example = "rotated")]
    state: &'static str,
    /// Values that were sealed anew.
    resealed: usize,
}

/// Rotate the master key.
///
/// Makes a new key beside the data, seals every secret and header value anew while the server goes on, and forgets the old key.
/// For the platform's own keys with the permission `manage`. Repeating it after a failure finishes what was begun. Where the key
/// comes from `HOOPOE_MASTER_KEY` the answer is 409: there it is changed by a restart.
#[utoipa::path(
    post, path = "/v1/system/master-key/rotate", operation_id = "rotateMasterKey", tag = "Server",
    params(
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; the same key and body within 24 hours have one effect"),
    ),
    responses((status = 200, description = "Everything is sealed under the new key", body = MasterKeyRotated)),
)]
pub(crate) async fn rotate_master_key(
    State(api): State<Arc<Api>>,
    caller: Manager,
    command: Command,
) -> Result<Response, Problem> {
    caller.on_the_platform()?;
    Fields::of_optional(&command.body)?.finish()?;
    once(&api, &caller, &command, async |keep| {
        let keep = keep.answer(|resealed: &usize| (StatusCode::OK, answer::bytes(&rotated(*resealed))));
        let resealed = api.master_keys.rotate(keep).await.map_err(not_rotated)?;
        let object = Object::new("master-key", "");
        caller.store(&api).note(Action::MasterKeyRotated, None, object).await?;
        Ok(answer::ok(&rotated(resealed)))
    })
    .await
}

fn rotated(resealed: usize) -> MasterKeyRotated {
    MasterKeyRotated { state: "rotated", resealed }
}

fn not_rotated(fault: RotateFault) -> Problem {
    match fault {
        RotateFault::InProgress => Problem::new(
            Code::RotationInProgress,
            "a rotation of the master key is running: it ends by itself, wait for it",
        ),
        RotateFault::External => Problem::new(
            Code::ExternalMasterKey,
            "the master key comes from HOOPOE_MASTER_KEY: restart the server with the new key in it and the old one in \
             HOOPOE_MASTER_KEY_PREVIOUS",
        ),
        RotateFault::Unfinished(error) => error.into(),
    }
}

//! The routes that show and rotate an endpoint's secret.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::audit::{Action, Object};
use domain::endpoint::Endpoint;
use domain::id::EndpointId;
use domain::limits::{GRACE_SECONDS_DEFAULT, GRACE_SECONDS_MAX, SECRET_BYTES};
use domain::secret::SecretText;
use hoopoe_webhooks::Secret;
use http::StatusCode;
use store::endpoints::Rotation;
use utoipa::ToSchema;

use super::no_endpoint;
use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::Manager;
use crate::fields::Fields;
use crate::once::once;
use crate::path::Id;
use crate::problem::{Code, Problem};
use crate::views::SecretView;

/// How to rotate.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "it only describes the body, which is read field by field")]
pub(crate) struct RotationBody {
    /// How long the present secret stays valid beside the new one; 0 switches at once.
    #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
    grace_seconds: Option<u32>,
}

/// Show an endpoint's secret.
///
/// While the grace of a rotation runs, the previous one too. Needs the permission `manage`.
#[utoipa::path(
    get, path = "/v1/endpoints/{id}/secret", operation_id = "getEndpointSecret", tag = "Secrets",
    params(("id" = String, Path, description = "`ep_…`")),
    responses((status = 200, description = "The secret", body = SecretView)),
)]
pub(crate) async fn get_secret(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<EndpointId>,
) -> Result<Response, Problem> {
    let endpoint = api.store.endpoint(&caller.scope, id).await.map_err(no_endpoint)?;
    let object = Object::new("endpoint", id);
    caller.store(&api).note(Action::SecretRead, Some(endpoint.owner.clone()), object).await?;
    Ok(answer::ok(&SecretView::of(&endpoint.secrets, api.clock.now())))
}

/// Rotate an endpoint's secret.
///
/// While the grace runs, `x-wl-signature` uses the old secret and `webhook-signature` carries both, the new one first.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/secret/rotate", operation_id = "rotateEndpointSecret", tag = "Secrets",
    params(
        ("id" = String, Path, description = "`ep_…`"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters"),
    ),
    request_body(content = Option<RotationBody>, description = "Optional"),
    responses((status = 200, description = "The new secret", body = SecretView)),
)]
pub(crate) async fn rotate_secret(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<EndpointId>,
    command: Command,
) -> Result<Response, Problem> {
    once(&api, &caller, &command, async |keep| {
        let mut fields = Fields::of_optional(&command.body)?;
        let grace = fields.number("graceSeconds", 0..=GRACE_SECONDS_MAX);
        let grace_seconds = fields.or_default("graceSeconds", grace, GRACE_SECONDS_DEFAULT);
        fields.finish()?;
        let now = api.clock.now();
        let keep = keep.answer(move |endpoint: &Endpoint| {
            (StatusCode::OK, answer::bytes(&SecretView::without_secrets(&endpoint.secrets, now)))
        });
        let rotation = Rotation { secret: generated()?, grace_seconds, now };
        let rotated =
            caller.store(&api).rotate_secret(&caller.scope, id, rotation, keep).await.map_err(no_endpoint)?;
        api.engine.endpoint_changed(id);
        Ok(answer::ok(&SecretView::of(&rotated.secrets, now)))
    })
    .await
}

/// End a rotation's grace.
///
/// The new secret signs everything from now on.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/secret/promote", operation_id = "promoteEndpointSecret", tag = "Secrets",
    params(
        ("id" = String, Path, description = "`ep_…`"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters"),
    ),
    responses((status = 200, description = "The secret", body = SecretView)),
)]
pub(crate) async fn promote_secret(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<EndpointId>,
    command: Command,
) -> Result<Response, Problem> {
    Fields::of_optional(&command.body)?.finish()?;
    once(&api, &caller, &command, async |keep| {
        let now = api.clock.now();
        let keep = keep.answer(move |endpoint: &Endpoint| {
            (StatusCode::OK, answer::bytes(&SecretView::without_secrets(&endpoint.secrets, now)))
        });
        let promoted =
            caller.store(&api).promote_secret(&caller.scope, id, now, keep).await.map_err(no_endpoint)?;
        api.engine.endpoint_changed(id);
        Ok(answer::ok(&SecretView::of(&promoted.secrets, now)))
    })
    .await
}

/// A new secret from the operating system's random source.
pub(super) fn generated() -> Result<SecretText, Problem> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| {
        tracing::error!("the operating system gives no random bytes");
        Problem::new(
            Code::InternalError,
            "the server failed; nothing was changed: tell the operator the requestId",
        )
    })?;
    Ok(SecretText::new(Secret::from_random_bytes(bytes).expose().to_owned()))
}

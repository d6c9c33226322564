//! Whether the process lives, and whether it can do its work.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::time::Timestamp;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;
use crate::answer;
use crate::layers;
use crate::problem::Problem;

/// How long one answer of the store is given to everybody, milliseconds.
const VERDICT_MS: i64 = 1_000;

type Verdict = Shared<BoxFuture<'static, Result<(), Problem>>>;

/// What the store last said. It is asked by one at a time and once in [`VERDICT_MS`], because strangers may ask as often as
/// they like and each time would be a write.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    asked: Mutex<Option<(Timestamp, Verdict)>>,
}

impl Readiness {
    fn verdict(&self, api: &Api) -> Verdict {
        let now = api.clock.now();
        let mut asked = self.asked.lock();
        let is_good = |at: Timestamp, verdict: &Verdict| {
            // A clock that was set back makes no verdict last.
            verdict.peek().is_none() || (0..VERDICT_MS).contains(&now.since(at))
        };
        match &*asked {
            Some((at, verdict)) if is_good(*at, verdict) => verdict.clone(),
            _ => {
                let store = Arc::clone(&api.store);
                let ping = async move { store.ping().await.map_err(Problem::from) };
                // What panicked would otherwise be neither good nor over.
                let ping = AssertUnwindSafe(ping).catch_unwind();
                let verdict =
                    ping.map(|ran| ran.unwrap_or_else(|_| Err(layers::panicked()))).boxed().shared();
                *asked = Some((now, verdict.clone()));
                verdict
            }
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerState)]
pub(crate) struct StateView {
    /// `ok` or `ready`.
    status: &'static str,
}

/// Whether the process lives.
#[utoipa::path(
    get, path = "/healthz", operation_id = "getHealth", tag = "Server", security(()),
    responses((status = 200, description = "It lives", body = StateView)),
)]
pub(crate) async fn healthz() -> Response {
    answer::ok(&StateView { status: "ok" })
}

/// Whether requests can be answered.
///
/// The store is asked for a read and a write, at most once a second.
#[utoipa::path(
    get, path = "/readyz", operation_id = "getReadiness", tag = "Server", security(()),
    responses((status = 200, description = "It is ready", body = StateView)),
)]
pub(crate) async fn readyz(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    api.readiness.verdict(&api).await?;
    Ok(answer::ok(&StateView { status: "ready" }))
}

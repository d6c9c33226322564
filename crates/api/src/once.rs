//! `Idempotency-Key`: the same request has one effect, and its first answer is given again.
//!
//! An answer is stored by the store in the same transaction as its effect. Here live the check of the header, the requests
//! that are running right now, and the replay.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use domain::idempotency_key;
use domain::limits::IDEMPOTENCY_HOURS;
use domain::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use store::once::{KeptAnswer, MaybeOnce, Once, OnceKey};

use crate::Api;
use crate::body::Command;
use crate::caller::Caller;
use crate::problem::{Code, Problem};

const KEY_HEADER: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A key with what it stands for. Handed to the effect, which passes it to the store.
#[derive(Debug, Default)]
pub(crate) struct Keep(Option<Kept>);

#[derive(Debug, Clone)]
struct Kept {
    key: OnceKey,
    request_hash: [u8; 32],
    expires_at: Timestamp,
}

impl Keep {
    /// What the store keeps beside the effect. `answer` makes status and JSON, credentials replaced by null.
    pub(crate) fn answer<T>(
        self,
        answer: impl FnOnce(&T) -> (StatusCode, Bytes) + Send + 'static,
    ) -> MaybeOnce<T> {
        let Kept { key, request_hash, expires_at } = self.0?;
        let answer = Box::new(move |result: &T| {
            let (status, body) = answer(result);
            (status.as_u16(), body)
        });
        Some(Once { key, request_hash, expires_at, answer })
    }
}

/// Runs `effect` unless its key has an answer already, which is then given again.
pub(crate) async fn once<Fut>(
    api: &Api,
    caller: &Caller,
    command: &Command,
    effect: impl FnOnce(Keep) -> Fut,
) -> Result<Response, Problem>
where
    Fut: Future<Output = Result<Response, Problem>>,
{
    let Some(key) = key_of(&command.headers)? else { return effect(Keep::default()).await };
    let now = api.clock.now();
    let kept = Kept {
        key: OnceKey { owner: caller.owner(), path: command.path.clone(), key },
        request_hash: Sha256::digest(&command.body).into(),
        expires_at: now.plus_seconds(IDEMPOTENCY_HOURS * 3600),
    };
    let _place = api.running.enter(&kept.key).ok_or_else(in_progress)?;
    if let Some(answer) = api.store.kept_answer(&kept.key, now).await? {
        return replay(answer, &kept);
    }
    match effect(Keep(Some(kept.clone()))).await {
        // Another node was first.
        Err(problem) if problem.code == Code::IdempotencyInProgress => {
            match api.store.kept_answer(&kept.key, now).await? {
                Some(answer) => replay(answer, &kept),
                None => Err(problem),
            }
        }
        answer => answer,
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(KEY_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match idempotency_key::judge(value.as_bytes()) {
        Ok(key) if values.next().is_none() => Ok(Some(key.to_owned())),
        _ => Err(Problem::new(
            Code::InvalidIdempotencyKey,
            "an Idempotency-Key is 1 to 255 printable ASCII characters, given once: a random UUID is a good one",
        )),
    }
}

fn in_progress() -> Problem {
    Problem::new(
        Code::IdempotencyInProgress,
        "the first request with this Idempotency-Key is still running: repeat it in a moment",
    )
}

fn replay(answer: KeptAnswer, kept: &Kept) -> Result<Response, Problem> {
    if answer.request_hash != kept.request_hash {
        return Err(Problem::new(
            Code::IdempotencyMismatch,
            "this Idempotency-Key was used with another body in the last 24 hours: use a new key for a new request",
        ));
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(values: &[&[u8]]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(KEY_HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        key_of(&headers).map_err(|problem| problem.code)
    }

    #[test]
    fn a_key_is_1_to_255_printable_ascii_characters() {
        assert_eq!(judged(&[]), Ok(None));
        assert_eq!(judged(&[b"a b~"]), Ok(Some("a b~".to_owned())));
        assert!(judged(&[&[b'k'; 255]]).is_ok());
        let long = [b'k'; 256];
        let table: &[&[&[u8]]] = &[&[b""], &[&long], &["é".as_bytes()], &[b"a\tb"], &[b"a", b"a"]];
        for bad in table {
            assert_eq!(judged(bad), Err(Code::InvalidIdempotencyKey), "{bad:?}");
        }
    }
}

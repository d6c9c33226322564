//! Kept answers: a key is taken before its effect and its answer put beside it, in the effect's own transaction. Who comes
//! with the same key meanwhile waits for that transaction's end.

use async_trait::async_trait;
use bytes::Bytes;
use domain::limits::IDEMPOTENCY_HOURS;
use domain::time::Timestamp;
use store::StoreError;
use store::once::{Answers, KeptAnswer, MaybeOnce, Once, OnceKey};

use crate::PostgresStore;
use crate::fault::Fault;
use crate::session::Session;
use crate::tx::{Tx, Work};

/// Answers the keys that were free.
pub(crate) const TAKE: &str = "insert into kept_answers (owner, path, key, request_hash, status, body, expires_at) \
    select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::integer[], $6::bytea[], $7::bigint[]) \
    on conflict (owner, path, key) do update set request_hash = excluded.request_hash, status = excluded.status, \
    body = excluded.body, expires_at = excluded.expires_at where kept_answers.expires_at <= $8 \
    returning owner, path, key";
pub(crate) const ANSWER: &str =
    "update kept_answers set status = $4, body = $5 where owner = $1 and path = $2 and key = $3";
pub(crate) const KEPT: &str = "select request_hash, status, body from kept_answers \
    where owner = $1 and path = $2 and key = $3 and expires_at > $4";

#[async_trait]
impl Answers for PostgresStore {
    async fn kept_answer(&self, key: &OnceKey, now: Timestamp) -> Result<Option<KeptAnswer>, StoreError> {
        let key = key.clone();
        self.read("looking up a kept answer", |session| Box::pin(kept_answer(session, key, now))).await
    }
}

async fn kept_answer(session: &Session, key: OnceKey, now: Timestamp) -> Result<Option<KeptAnswer>, Fault> {
    let row = session.find(KEPT, &[&key.owner, &key.path, &key.key, &now.as_millis()]).await?;
    let Some(row) = row else { return Ok(None) };
    let status: i32 = row.get(1);
    Ok(Some(KeptAnswer {
        request_hash: row.get::<_, &[u8]>(0).try_into().map_err(|_| Fault::Damaged("hash of a request"))?,
        status: status.try_into().map_err(|_| Fault::Damaged("kept status"))?,
        body: Bytes::copy_from_slice(row.get(2)),
    }))
}

/// A key with its answer, to be stored.
#[derive(Debug, Clone)]
pub(crate) struct Keep {
    pub key: OnceKey,
    request_hash: [u8; 32],
    status: i32,
    body: Bytes,
    expires_at: Timestamp,
}

impl Keep {
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// By what keys are sorted.
    pub(crate) fn order(&self) -> (&str, &str, &str) {
        (&self.key.owner, &self.key.path, &self.key.key)
    }

    /// Of an effect that has no result to wait for.
    pub(crate) fn of(once: Once<()>) -> Self {
        let (status, body) = (once.answer)(&());
        Self {
            key: once.key,
            request_hash: once.request_hash,
            status: i32::from(status),
            body,
            expires_at: once.expires_at,
        }
    }
}

/// Takes the keys that are free at `now`; answers those it took. `keeps` hold no key twice, and stand in the keys' order, so
/// that two transactions never wait for each other in a circle.
pub(crate) async fn take(session: &Session, keeps: &[&Keep], now: Timestamp) -> Result<Vec<OnceKey>, Fault> {
    let text = |part: fn(&OnceKey) -> &str| keeps.iter().map(|keep| part(&keep.key)).collect::<Vec<_>>();
    let hashes: Vec<&[u8]> = keeps.iter().map(|keep| &keep.request_hash[..]).collect();
    let statuses: Vec<i32> = keeps.iter().map(|keep| keep.status).collect();
    let bodies: Vec<&[u8]> = keeps.iter().map(|keep| &keep.body[..]).collect();
    let expiries: Vec<i64> = keeps.iter().map(|keep| keep.expires_at.as_millis()).collect();
    let rows = session
        .query(
            TAKE,
            &[
                &text(|key| &key.owner),
                &text(|key| &key.path),
                &text(|key| &key.key),
                &hashes,
                &statuses,
                &bodies,
                &expiries,
                &now.as_millis(),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| OnceKey { owner: row.get(0), path: row.get(1), key: row.get(2) }).collect())
}

/// Runs `effect` unless its key is taken at `now`, and keeps the answer made of its result.
pub(crate) async fn once<T: Send, F>(
    tx: &mut Tx,
    once: MaybeOnce<T>,
    now: Timestamp,
    effect: F,
) -> Result<T, Fault>
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
{
    let Some(Once { key, request_hash, expires_at, answer }) = once else { return effect(tx).await };
    let keep = Keep { key, request_hash, status: 0, body: Bytes::new(), expires_at };
    if take(tx, &[&keep], now).await?.is_empty() {
        return Err(StoreError::KeyUsed.into());
    }
    let result = effect(tx).await?;
    let (status, body) = answer(&result);
    let OnceKey { owner, path, key } = &keep.key;
    tx.execute(ANSWER, &[owner, path, key, &i32::from(status), &&body[..]]).await?;
    Ok(result)
}

/// The moment of a write that is told no time, and stores nothing that would know it.
pub(crate) fn made_at(expires_at: Option<Timestamp>) -> Timestamp {
    expires_at.unwrap_or_default().plus_seconds(-IDEMPOTENCY_HOURS * 3_600)
}

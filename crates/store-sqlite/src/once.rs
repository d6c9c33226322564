//! Kept answers: checked before an effect and stored after it, in the effect's own transaction.

use async_trait::async_trait;
use bytes::Bytes;
use domain::limits::IDEMPOTENCY_HOURS;
use domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use store::StoreError;
use store::once::{Answers, KeptAnswer, MaybeOnce, Once, OnceKey};

use crate::SqliteStore;
use crate::fault::Fault;
use crate::writer::Tx;

pub(crate) const TAKEN: &str =
    "SELECT 1 FROM kept_answers WHERE owner = ?1 AND path = ?2 AND key = ?3 AND expires_at > ?4";
pub(crate) const KEEP: &str = "INSERT OR REPLACE INTO kept_answers \
    (owner, path, key, request_hash, status, body, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub(crate) const KEPT: &str = "SELECT request_hash, status, body FROM kept_answers \
    WHERE owner = ?1 AND path = ?2 AND key = ?3 AND expires_at > ?4";

#[async_trait]
impl Answers for SqliteStore {
    async fn kept_answer(&self, key: &OnceKey, now: Timestamp) -> Result<Option<KeptAnswer>, StoreError> {
        let key = key.clone();
        self.read("looking up a kept answer", move |conn| kept_answer(conn, &key, now)).await
    }
}

fn kept_answer(conn: &Connection, key: &OnceKey, now: Timestamp) -> Result<Option<KeptAnswer>, Fault> {
    let mut select = conn.prepare_cached(KEPT)?;
    let answer = select
        .query_row(params![key.owner, key.path, key.key, now.as_millis()], |row| {
            let body = Bytes::from(row.get::<_, Vec<u8>>(2)?);
            Ok(KeptAnswer { request_hash: row.get(0)?, status: row.get(1)?, body })
        })
        .optional()?;
    Ok(answer)
}

/// Runs `effect` unless its key is taken at `now`, and keeps the answer made of its result.
pub(crate) fn once<T>(
    tx: &mut Tx<'_>,
    once: MaybeOnce<T>,
    now: Timestamp,
    effect: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if once.as_ref().map_or(Ok(false), |once| is_taken(tx.conn, &once.key, now))? {
        return Err(StoreError::KeyUsed.into());
    }
    let result = effect(tx)?;
    if let Some(once) = once {
        keep(tx.conn, once, &result)?;
    }
    Ok(result)
}

fn is_taken(conn: &Connection, key: &OnceKey, now: Timestamp) -> Result<bool, Fault> {
    let found = conn
        .prepare_cached(TAKEN)?
        .query_row(params![key.owner, key.path, key.key, now.as_millis()], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

fn keep<T>(conn: &Connection, once: Once<T>, result: &T) -> Result<(), Fault> {
    let (status, body) = (once.answer)(result);
    conn.prepare_cached(KEEP)?.execute(params![
        once.key.owner,
        once.key.path,
        once.key.key,
        once.request_hash,
        status,
        body.as_ref(),
        once.expires_at.as_millis(),
    ])?;
    Ok(())
}

/// The moment of a write that is told no time, and stores nothing that would know it.
pub(crate) fn made_at<T>(once: &MaybeOnce<T>) -> Timestamp {
    let expires_at = once.as_ref().map_or(Timestamp::default(), |once| once.expires_at);
    expires_at.plus_seconds(-IDEMPOTENCY_HOURS * 3_600)
}

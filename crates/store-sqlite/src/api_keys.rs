//! API keys: in the file to last, in memory to be asked on every request.

use std::sync::Arc;

use async_trait::async_trait;
use domain::api_key::ApiKey;
use domain::audit::Action;
use domain::id::ApiKeyId;
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use rusqlite::{Connection, Row, params};
use store::StoreError;
use store::api_keys::ApiKeys;
use store::backend::changes::of_api_key;
use store::backend::columns::{permissions_of, permissions_text};
use store::backend::memory::Memory;
use store::known::Known;
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};

use crate::SqliteStore;
use crate::fault::Fault;
use crate::once::once;
use crate::scope::{owner_columns, owner_of_columns, sees_owned};
use crate::sessions;
use crate::walk::page_of;
use crate::writer::Tx;

pub(crate) const INSERT: &str = "INSERT INTO api_keys (id, name, owner_kind, owner_id, permissions, hash, expires_at, \
    granted_kind, granted_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
pub(crate) const BY_ID: &str = "SELECT id, name, owner_kind, owner_id, permissions, hash, expires_at, last_used_at, \
    granted_kind, granted_id FROM api_keys WHERE id = ?1";
pub(crate) const LIST: &str = "SELECT id, name, owner_kind, owner_id, permissions, hash, expires_at, last_used_at, \
    granted_kind, granted_id FROM api_keys WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
pub(crate) const GRANTED: &str = "SELECT id, name, owner_kind, owner_id, permissions, hash, expires_at, last_used_at, \
    granted_kind, granted_id FROM api_keys INDEXED BY api_keys_owner \
    WHERE owner_kind = ?1 AND owner_id = ?2 AND granted_kind = ?3 AND granted_id = ?4";
pub(crate) const DELETE: &str = "DELETE FROM api_keys WHERE id = ?1";
pub(crate) const COUNT_OF_OWNER: &str =
    "SELECT count(*) FROM api_keys INDEXED BY api_keys_owner WHERE owner_kind = ?1 AND owner_id = ?2";
pub(crate) const USED: &str = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1";

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn create_api_key(
        &self,
        scope: &Scope,
        key: ApiKey,
        limit: usize,
        maybe_once: MaybeOnce<ApiKey>,
    ) -> Result<ApiKey, StoreError> {
        let scope = scope.clone();
        let create = move |tx: &mut Tx<'_>| {
            once(tx, maybe_once, key.id.created_at(), |tx| {
                if !sees(tx.conn, &scope, &key.scope)? {
                    return Err(StoreError::NotFound.into());
                }
                if count_of(tx.conn, &key)? >= limit {
                    return Err(StoreError::ApiKeyLimit { max: limit }.into());
                }
                insert(tx.conn, &key)?;
                tx.audit(of_api_key(Action::ApiKeyCreated, None, Some(&key)))?;
                let (id, hash, known) = (key.id, key.hash, Known::new(key.clone(), None));
                tx.after_commit(move |memory| memory.api_keys.write().put(id, hash, known));
                Ok(key)
            })
        };
        self.write("creating an API key", create).await
    }

    async fn list_api_keys(&self, scope: &Scope, page: PageRequest) -> Result<Page<ApiKey>, StoreError> {
        let scope = scope.clone();
        let mut listed = self.read("listing API keys", move |conn| list(conn, &scope, &page)).await?;
        let table = self.memory.api_keys.read();
        for key in &mut listed.rows {
            key.last_used_at = table.used_at(key.id).or(key.last_used_at);
        }
        Ok(listed)
    }

    async fn delete_api_key(&self, scope: &Scope, id: ApiKeyId, _now: Timestamp) -> Result<(), StoreError> {
        let scope = scope.clone();
        self.write("deleting an API key", move |tx| delete(tx, &scope, id)).await
    }

    fn api_key_by_hash(&self, hash: &[u8; 32]) -> Option<Arc<Known<ApiKey>>> {
        self.memory.api_keys.read().by_hash(hash)
    }

    async fn keep_uses(&self) -> Result<(), StoreError> {
        let keys = self.memory.api_keys.read().unkept();
        let sessions = self.memory.sessions.read().unkept();
        if keys.is_empty() && sessions.is_empty() {
            return Ok(());
        }
        let keep = move |tx: &mut Tx<'_>| {
            for (id, at) in &keys {
                tx.conn.prepare_cached(USED)?.execute(params![id.bits().to_be_bytes(), at.as_millis()])?;
            }
            for (id, at) in &sessions {
                let of = params![id.bits().to_be_bytes(), at.as_millis()];
                tx.conn.prepare_cached(sessions::USED)?.execute(of)?;
            }
            tx.after_commit(move |memory| {
                memory.api_keys.read().kept(&keys);
                memory.sessions.read().kept(&sessions);
            });
            Ok(())
        };
        self.write("noting when keys were used", keep).await
    }

    fn api_key_count(&self) -> usize {
        self.memory.api_keys.read().count()
    }
}

/// All of them, at a start.
pub(crate) fn load(conn: &Connection, memory: &Memory) -> Result<(), Fault> {
    let mut select = conn.prepare(LIST)?;
    let mut rows = select.query(params![[0xff_u8; 17], i64::MAX])?;
    while let Some(row) = rows.next()? {
        let key = of_row(row)?;
        let (id, hash, used_at) = (key.id, key.hash, key.last_used_at);
        memory.api_keys.write().put(id, hash, Known::new(key, used_at));
    }
    Ok(())
}

/// What is the platform's own is the platform's alone.
pub(crate) fn sees(conn: &Connection, scope: &Scope, of: &Scope) -> Result<bool, Fault> {
    sees_owned(conn, scope, of.owner().as_ref())
}

fn count_of(conn: &Connection, key: &ApiKey) -> Result<usize, Fault> {
    let owner = key.scope.owner();
    let (kind, id) = owner_columns(owner.as_ref());
    let count: i64 = conn.prepare_cached(COUNT_OF_OWNER)?.query_row([kind, id], |row| row.get(0))?;
    Ok(count.try_into().unwrap_or(0))
}

fn insert(conn: &Connection, key: &ApiKey) -> Result<(), Fault> {
    let owner = key.scope.owner();
    let (owner_kind, owner_id) = owner_columns(owner.as_ref());
    let granted_by = key.granted_by.owner();
    let (granted_kind, granted_id) = owner_columns(granted_by.as_ref());
    conn.prepare_cached(INSERT)?.execute(params![
        key.id.bits().to_be_bytes(),
        key.name,
        owner_kind,
        owner_id,
        permissions_text(&key.permissions),
        key.hash,
        key.expires_at.map(Timestamp::as_millis),
        granted_kind,
        granted_id,
    ])?;
    Ok(())
}

fn of_row(row: &Row<'_>) -> Result<ApiKey, Fault> {
    let (kind, owner_id): (String, String) = (row.get(2)?, row.get(3)?);
    let permissions: String = row.get(4)?;
    Ok(ApiKey {
        id: ApiKeyId::from_bits(u128::from_be_bytes(row.get(0)?)),
        name: row.get(1)?,
        scope: Scope::of(owner_of_columns(&kind, &owner_id)?),
        granted_by: Scope::of(owner_of_columns(&row.get::<_, String>(8)?, &row.get::<_, String>(9)?)?),
        permissions: permissions_of(&permissions)?,
        hash: row.get(5)?,
        expires_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        last_used_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
    })
}

fn list(conn: &Connection, scope: &Scope, request: &PageRequest) -> Result<Page<ApiKey>, Fault> {
    let mut select = conn.prepare_cached(LIST)?;
    let before = request.before.unwrap_or(u128::MAX).to_be_bytes();
    let found = select.query(params![before, PAGE_ROWS_EXAMINED_MAX as i64])?;
    page_of(found, request.limit, |row| {
        let key = of_row(row)?;
        Ok((key.id.bits(), if sees(conn, scope, &key.scope)? { Some(key) } else { None }))
    })
}

fn delete(tx: &mut Tx<'_>, scope: &Scope, id: ApiKeyId) -> Result<(), Fault> {
    let id_bytes = id.bits().to_be_bytes();
    let key = {
        let mut select = tx.conn.prepare_cached(BY_ID)?;
        let mut rows = select.query([id_bytes])?;
        rows.next()?.map(of_row).transpose()?.ok_or(StoreError::NotFound)?
    };
    if !sees(tx.conn, scope, &key.scope)? {
        return Err(StoreError::NotFound.into());
    }
    remove(tx, id)?;
    tx.audit(of_api_key(Action::ApiKeyDeleted, Some(&key), None))
}

fn remove(tx: &mut Tx<'_>, id: ApiKeyId) -> Result<(), Fault> {
    tx.conn.prepare_cached(DELETE)?.execute([id.bits().to_be_bytes()])?;
    tx.after_commit(move |memory| memory.api_keys.write().remove(id));
    Ok(())
}

/// Deletes the keys of `owner` that `by` gave.
pub(crate) fn delete_granted(tx: &mut Tx<'_>, owner: &Owner, by: &Owner) -> Result<(), Fault> {
    let keys = {
        let mut select = tx.conn.prepare_cached(GRANTED)?;
        let mut rows = select.query([owner.kind(), owner.id(), by.kind(), by.id()])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(of_row(row)?);
        }
        keys
    };
    for key in keys {
        remove(tx, key.id)?;
        tx.audit_consequence(of_api_key(Action::ApiKeyDeleted, Some(&key), None))?;
    }
    Ok(())
}

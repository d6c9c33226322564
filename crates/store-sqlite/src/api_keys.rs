//! API keys: in the file to last, in memory to be asked on every request.

use std::sync::Arc;

use async_trait::async_trait;
use domain::api_key::{ApiKey, Permission};
use domain::id::ApiKeyId;
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use rusqlite::{Connection, Row, params};
use store::StoreError;
use store::api_keys::ApiKeys;
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};

use crate::SqliteStore;
use crate::endpoint_rows::joined;
use crate::fault::Fault;
use crate::memory::Memory;
use crate::once::once;
use crate::scope;
use crate::writer::Tx;

pub(crate) const INSERT: &str = "INSERT INTO api_keys (id, name, owner_kind, owner_id, permissions, hash, expires_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub(crate) const BY_ID: &str =
    "SELECT id, name, owner_kind, owner_id, permissions, hash, expires_at FROM api_keys WHERE id = ?1";
pub(crate) const LIST: &str = "SELECT id, name, owner_kind, owner_id, permissions, hash, expires_at FROM api_keys \
    WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
pub(crate) const DELETE: &str = "DELETE FROM api_keys WHERE id = ?1";
/// Stands for no owner.
const PLATFORM: &str = "platform";

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn create_api_key(
        &self,
        scope: &Scope,
        key: ApiKey,
        maybe_once: MaybeOnce<ApiKey>,
    ) -> Result<ApiKey, StoreError> {
        let scope = scope.clone();
        let create = move |tx: &mut Tx<'_>| {
            once(tx, maybe_once, key.id.created_at(), |tx| {
                if !sees(tx.conn, &scope, &key.scope)? {
                    return Err(StoreError::NotFound.into());
                }
                insert(tx.conn, &key)?;
                let stored = key.clone();
                tx.after_commit(move |memory| memory.api_keys.write().put(stored));
                Ok(key)
            })
        };
        self.write("creating an API key", create).await
    }

    async fn list_api_keys(&self, scope: &Scope, page: PageRequest) -> Result<Page<ApiKey>, StoreError> {
        let scope = scope.clone();
        self.read("listing API keys", move |conn| list(conn, &scope, &page)).await
    }

    async fn delete_api_key(&self, scope: &Scope, id: ApiKeyId, _now: Timestamp) -> Result<(), StoreError> {
        let scope = scope.clone();
        self.write("deleting an API key", move |tx| delete(tx, &scope, id)).await
    }

    fn api_key_by_hash(&self, hash: &[u8; 32]) -> Option<Arc<ApiKey>> {
        self.memory.api_keys.read().by_hash(hash)
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
        memory.api_keys.write().put(of_row(row)?);
    }
    Ok(())
}

/// Keys with the platform's scope are the platform's alone.
fn sees(conn: &Connection, scope: &Scope, of_key: &Scope) -> Result<bool, Fault> {
    match owner_of(of_key) {
        Some(owner) => scope::sees(conn, scope, &owner),
        None => Ok(*scope == Scope::Platform),
    }
}

fn owner_of(scope: &Scope) -> Option<Owner> {
    match scope {
        Scope::Platform => None,
        Scope::Company(id) => Some(Owner::Company(id.clone())),
        Scope::Location(id) => Some(Owner::Location(id.clone())),
        Scope::App(id) => Some(Owner::App(id.clone())),
    }
}

fn scope_of(kind: &str, id: &str) -> Option<Scope> {
    if kind == PLATFORM {
        return Some(Scope::Platform);
    }
    Owner::from_parts(kind, id).map(|owner| match owner {
        Owner::Company(id) => Scope::Company(id),
        Owner::Location(id) => Scope::Location(id),
        Owner::App(id) => Scope::App(id),
    })
}

fn insert(conn: &Connection, key: &ApiKey) -> Result<(), Fault> {
    let owner = owner_of(&key.scope);
    let permissions: Vec<_> = key.permissions.iter().map(|permission| permission.as_str()).collect();
    conn.prepare_cached(INSERT)?.execute(params![
        key.id.bits().to_be_bytes(),
        key.name,
        owner.as_ref().map_or(PLATFORM, |owner| owner.kind()),
        owner.as_ref().map_or("", |owner| owner.id()),
        joined(&permissions, ","),
        key.hash,
        key.expires_at.map(Timestamp::as_millis),
    ])?;
    Ok(())
}

fn of_row(row: &Row<'_>) -> Result<ApiKey, Fault> {
    let (kind, owner_id): (String, String) = (row.get(2)?, row.get(3)?);
    let permissions: String = row.get(4)?;
    let permissions = permissions.split(',').filter(|word| !word.is_empty()).map(Permission::parse);
    Ok(ApiKey {
        id: ApiKeyId::from_bits(u128::from_be_bytes(row.get(0)?)),
        name: row.get(1)?,
        scope: scope_of(&kind, &owner_id).ok_or(Fault::Damaged("API key's owner"))?,
        permissions: permissions.collect::<Option<_>>().ok_or(Fault::Damaged("API key's permissions"))?,
        hash: row.get(5)?,
        expires_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
    })
}

fn list(conn: &Connection, scope: &Scope, request: &PageRequest) -> Result<Page<ApiKey>, Fault> {
    let mut select = conn.prepare_cached(LIST)?;
    let before = request.before.unwrap_or(u128::MAX).to_be_bytes();
    let mut found = select.query(params![before, PAGE_ROWS_EXAMINED_MAX as i64])?;
    let mut rows: Vec<ApiKey> = Vec::new();
    let mut examined = 0;
    while let Some(row) = found.next()? {
        let key = of_row(row)?;
        let bits = key.id.bits();
        examined += 1;
        if sees(conn, scope, &key.scope)? {
            if rows.len() == request.limit {
                let next = rows.last().map(|key| key.id.bits());
                return Ok(Page { rows, next });
            }
            rows.push(key);
        }
        if examined == PAGE_ROWS_EXAMINED_MAX {
            return Ok(Page { rows, next: Some(bits) });
        }
    }
    Ok(Page { rows, next: None })
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
    tx.conn.prepare_cached(DELETE)?.execute([id_bytes])?;
    tx.after_commit(move |memory| memory.api_keys.write().remove(id));
    Ok(())
}

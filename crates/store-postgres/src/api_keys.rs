//! API keys: in the database to last, in memory to be asked on every request.

use std::sync::Arc;

use async_trait::async_trait;
use domain::api_key::ApiKey;
use domain::audit::Action;
use domain::id::ApiKeyId;
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use store::StoreError;
use store::api_keys::ApiKeys;
use store::backend::changes::of_api_key;
use store::backend::columns::{permissions_of, permissions_text};
use store::backend::memory::{KnownTable, Memory};
use store::known::Known;
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};
use tokio_postgres::Row;

use crate::PostgresStore;
use crate::fault::Fault;
use crate::follow::Changed;
use crate::once::once;
use crate::scope::{Sight, bits, owner_columns, owner_of_columns, sees_owned};
use crate::session::Session;
use crate::sessions;
use crate::tx::{Tx, reading, writing};
use crate::walk::page_of;

macro_rules! columns {
    () => {
        "id, name, owner_kind, owner_id, permissions, hash, expires_at, last_used_at, granted_kind, granted_id"
    };
}

pub(crate) const INSERT: &str =
    concat!("insert into api_keys (", columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, null, $8, $9)");
pub(crate) const BY_ID: &str = concat!("select ", columns!(), " from api_keys where id = $1");
const ALL: &str = concat!("select ", columns!(), " from api_keys");
pub(crate) const LIST: &str =
    concat!("select ", columns!(), " from api_keys where id < $1 order by id desc limit $2");
pub(crate) const GRANTED: &str = concat!(
    "select ",
    columns!(),
    " from api_keys \
     where owner_kind = $1 and owner_id = $2 and granted_kind = $3 and granted_id = $4"
);
pub(crate) const DELETE: &str = "delete from api_keys where id = $1";
pub(crate) const COUNT_OF_OWNER: &str =
    "select count(*) from api_keys where owner_kind = $1 and owner_id = $2";
/// Nodes know of different uses; the latest counts.
pub(crate) const USED: &str = "update api_keys set last_used_at = greatest(last_used_at, used_at) \
    from unnest($1::bytea[], $2::bigint[]) as u (used_id, used_at) where id = used_id";

#[async_trait]
impl ApiKeys for PostgresStore {
    async fn create_api_key(
        &self,
        scope: &Scope,
        key: ApiKey,
        limit: usize,
        maybe_once: MaybeOnce<ApiKey>,
    ) -> Result<ApiKey, StoreError> {
        let scope = scope.clone();
        let work = writing(move |tx| {
            Box::pin(async move {
                let now = key.id.created_at();
                once(tx, maybe_once, now, |tx| Box::pin(create(tx, scope, key, limit))).await
            })
        });
        self.change("creating an API key", work).await
    }

    async fn list_api_keys(&self, scope: &Scope, page: PageRequest) -> Result<Page<ApiKey>, StoreError> {
        let scope = scope.clone();
        let list = reading(|session| Box::pin(list(session, scope, page)));
        let mut listed = self.read("listing API keys", list).await?;
        let table = self.shared.memory.api_keys.read();
        for key in &mut listed.rows {
            key.last_used_at = table.used_at(key.id).max(key.last_used_at);
        }
        Ok(listed)
    }

    async fn delete_api_key(&self, scope: &Scope, id: ApiKeyId, _now: Timestamp) -> Result<(), StoreError> {
        let scope = scope.clone();
        let work = writing(move |tx| Box::pin(delete(tx, scope, id)));
        self.change("deleting an API key", work).await
    }

    fn api_key_by_hash(&self, hash: &[u8; 32]) -> Option<Arc<Known<ApiKey>>> {
        self.shared.memory.api_keys.read().by_hash(hash)
    }

    async fn keep_uses(&self) -> Result<(), StoreError> {
        let keys = self.shared.memory.api_keys.read().unkept();
        let sessions = self.shared.memory.sessions.read().unkept();
        if keys.is_empty() && sessions.is_empty() {
            return Ok(());
        }
        let work = writing(move |tx| {
            Box::pin(async move {
                keep_uses(tx, USED, keys.iter().map(|(id, at)| (id.bits(), *at))).await?;
                keep_uses(tx, sessions::USED, sessions.iter().map(|(id, at)| (id.bits(), *at))).await?;
                tx.after_commit(move |memory| {
                    memory.api_keys.read().kept(&keys);
                    memory.sessions.read().kept(&sessions);
                });
                Ok(())
            })
        });
        self.write("noting when keys were used", work).await
    }

    fn api_key_count(&self) -> usize {
        self.shared.memory.api_keys.read().count()
    }
}

async fn keep_uses(
    session: &Session,
    sql: &str,
    uses: impl Iterator<Item = (u128, Timestamp)>,
) -> Result<(), Fault> {
    let mut uses: Vec<_> = uses.collect();
    // In one order, so that two nodes do not wait for each other in a circle.
    uses.sort_unstable_by_key(|(id, _)| *id);
    let (ids, times): (Vec<Vec<u8>>, Vec<i64>) =
        uses.iter().map(|(id, at)| (id.to_be_bytes().to_vec(), at.as_millis())).unzip();
    session.execute(sql, &[&ids, &times]).await?;
    Ok(())
}

/// All of them.
pub(crate) async fn load(session: &Session, memory: &Memory) -> Result<(), Fault> {
    let mut table = KnownTable::default();
    for row in session.query(ALL, &[]).await? {
        let key = of_row(&row)?;
        let (id, hash, used_at) = (key.id, key.hash, key.last_used_at);
        table.put(id, hash, Known::new(key, used_at));
    }
    *memory.api_keys.write() = table;
    Ok(())
}

/// After another node has made or deleted it. A key never changes, so that one that is known keeps when it was used.
pub(crate) async fn read_anew(session: &Session, memory: &Memory, id: ApiKeyId) -> Result<(), Fault> {
    let row = session.find(BY_ID, &[&&id.bits().to_be_bytes()[..]]).await?;
    let key = row.map(|row| of_row(&row)).transpose()?;
    let mut table = memory.api_keys.write();
    match key {
        None => table.remove(id),
        Some(key) if table.by_hash(&key.hash).is_none() => {
            let (hash, used_at) = (key.hash, key.last_used_at);
            table.put(id, hash, Known::new(key, used_at));
        }
        Some(_) => {}
    }
    Ok(())
}

/// What is the platform's own is the platform's alone.
pub(crate) async fn sees(session: &Session, scope: &Scope, of: &Scope) -> Result<bool, Fault> {
    sees_owned(session, scope, of.owner().as_ref()).await
}

async fn create(tx: &mut Tx, scope: Scope, key: ApiKey, limit: usize) -> Result<ApiKey, Fault> {
    if !sees(tx, &scope, &key.scope).await? {
        return Err(StoreError::NotFound.into());
    }
    if count_of(tx, &key).await? >= limit {
        return Err(StoreError::ApiKeyLimit { max: limit }.into());
    }
    insert(tx, &key).await?;
    tx.audit(of_api_key(Action::ApiKeyCreated, None, Some(&key))).await?;
    let (id, hash, known) = (key.id, key.hash, Known::new(key.clone(), None));
    tx.changes(Changed::ApiKey(id), move |memory| memory.api_keys.write().put(id, hash, known));
    Ok(key)
}

async fn count_of(session: &Session, key: &ApiKey) -> Result<usize, Fault> {
    let owner = key.scope.owner();
    let (kind, id) = owner_columns(owner.as_ref());
    let row = session.find(COUNT_OF_OWNER, &[&kind, &id]).await?;
    Ok(row.map_or(0, |row| row.get::<_, i64>(0)).try_into().unwrap_or(0))
}

async fn insert(session: &Session, key: &ApiKey) -> Result<(), Fault> {
    let owner = key.scope.owner();
    let (owner_kind, owner_id) = owner_columns(owner.as_ref());
    let granted_by = key.granted_by.owner();
    let (granted_kind, granted_id) = owner_columns(granted_by.as_ref());
    session
        .execute(
            INSERT,
            &[
                &&key.id.bits().to_be_bytes()[..],
                &key.name,
                &owner_kind,
                &owner_id,
                &permissions_text(&key.permissions),
                &&key.hash[..],
                &key.expires_at.map(Timestamp::as_millis),
                &granted_kind,
                &granted_id,
            ],
        )
        .await?;
    Ok(())
}

fn of_row(row: &Row) -> Result<ApiKey, Fault> {
    Ok(ApiKey {
        id: ApiKeyId::from_bits(bits(row, 0)?),
        name: row.get(1),
        scope: Scope::of(owner_of_columns(row.get(2), row.get(3))?),
        granted_by: Scope::of(owner_of_columns(row.get(8), row.get(9))?),
        permissions: permissions_of(row.get(4))?,
        hash: row.get::<_, &[u8]>(5).try_into().map_err(|_| Fault::Damaged("hash of a key"))?,
        expires_at: row.get::<_, Option<i64>>(6).map(Timestamp::from_millis),
        last_used_at: row.get::<_, Option<i64>>(7).map(Timestamp::from_millis),
    })
}

async fn list(session: &Session, scope: Scope, request: PageRequest) -> Result<Page<ApiKey>, Fault> {
    let sight = Sight::of(session, &scope).await?;
    let fetch = |before: [u8; 16], rows: i64| -> crate::walk::Fetching<'_> {
        Box::pin(async move { session.query(LIST, &[&&before[..], &rows]).await })
    };
    page_of(&request, request.before.unwrap_or(u128::MAX), fetch, |row| {
        let key = of_row(row)?;
        Ok((key.id.bits(), sight.sees_owned(key.scope.owner().as_ref()).then_some(key)))
    })
    .await
}

async fn delete(tx: &mut Tx, scope: Scope, id: ApiKeyId) -> Result<(), Fault> {
    let row = tx.find(BY_ID, &[&&id.bits().to_be_bytes()[..]]).await?;
    let key = row.map(|row| of_row(&row)).transpose()?.ok_or(StoreError::NotFound)?;
    if !sees(tx, &scope, &key.scope).await? {
        return Err(StoreError::NotFound.into());
    }
    remove(tx, id).await?;
    tx.audit(of_api_key(Action::ApiKeyDeleted, Some(&key), None)).await
}

async fn remove(tx: &mut Tx, id: ApiKeyId) -> Result<(), Fault> {
    tx.execute(DELETE, &[&&id.bits().to_be_bytes()[..]]).await?;
    tx.changes(Changed::ApiKey(id), move |memory| memory.api_keys.write().remove(id));
    Ok(())
}

/// Deletes the keys of `owner` that `by` gave.
pub(crate) async fn delete_granted(tx: &mut Tx, owner: &Owner, by: &Owner) -> Result<(), Fault> {
    let rows = tx.query(GRANTED, &[&owner.kind(), &owner.id(), &by.kind(), &by.id()]).await?;
    for row in &rows {
        let key = of_row(row)?;
        remove(tx, key.id).await?;
        tx.audit_consequence(of_api_key(Action::ApiKeyDeleted, Some(&key), None)).await?;
    }
    Ok(())
}

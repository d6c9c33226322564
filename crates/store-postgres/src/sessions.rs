//! Sessions: in the database to last, in memory to be asked on every request.

use std::sync::Arc;

use async_trait::async_trait;
use domain::audit::{Action, Actor};
use domain::id::SessionId;
use domain::scope::{Owner, Scope};
use domain::session::Session as SignIn;
use domain::time::Timestamp;
use store::StoreError;
use store::backend::changes::of_session;
use store::backend::columns::{permissions_of, permissions_text};
use store::backend::memory::{KnownTable, Memory};
use store::known::Known;
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};
use store::sessions::{LoginCode, Sessions};
use tokio_postgres::Row;

use crate::PostgresStore;
use crate::api_keys::sees;
use crate::fault::Fault;
use crate::follow::Changed;
use crate::maintenance::SLICE_ROWS;
use crate::once::once;
use crate::scope::{Sight, bits, owner_columns, owner_of_columns};
use crate::session::Session;
use crate::tx::{Tx, reading, writing};
use crate::walk::page_of;

macro_rules! columns {
    () => {
        "id, owner_kind, owner_id, permissions, expires_at, opened_at, last_used_at, token_hash, granted_kind, granted_id"
    };
}

pub(crate) const INSERT: &str = "insert into sessions (id, owner_kind, owner_id, permissions, code_hash, code_expires_at, \
    expires_at, granted_kind, granted_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
/// One that is opened has no code any more, so that a code opens once.
pub(crate) const OPEN: &str =
    "update sessions set code_hash = null, token_hash = $2, opened_at = $3 where id = $1";
pub(crate) const DELETE: &str = "delete from sessions where id = $1";
pub(crate) const COUNT_OF_OWNER: &str =
    "select count(*) from sessions where owner_kind = $1 and owner_id = $2 and expires_at > $3";
pub(crate) const EXPIRED: &str = "delete from sessions where id = any(array(select id from sessions \
    where expires_at <= $1 limit $2)) returning id";
pub(crate) const ANY_EXPIRED: &str = "select 1 from sessions where expires_at <= $1 limit 1";
/// Nodes know of different uses; the latest counts.
pub(crate) const USED: &str = "update sessions set last_used_at = greatest(last_used_at, used_at) \
    from unnest($1::bytea[], $2::bigint[]) as u (used_id, used_at) where id = used_id";
pub(crate) const BY_CODE: &str = concat!(
    "select ",
    columns!(),
    " from sessions where code_hash = $1 and code_expires_at > $2 and expires_at > $2"
);
pub(crate) const BY_ID: &str = concat!("select ", columns!(), " from sessions where id = $1");
pub(crate) const GRANTED: &str = concat!(
    "select ",
    columns!(),
    " from sessions \
     where owner_kind = $1 and owner_id = $2 and granted_kind = $3 and granted_id = $4"
);
pub(crate) const LIST: &str =
    concat!("select ", columns!(), " from sessions where id < $1 order by id desc limit $2");
const OPENED: &str = concat!("select ", columns!(), " from sessions where token_hash is not null");

#[async_trait]
impl Sessions for PostgresStore {
    async fn create_session(
        &self,
        scope: &Scope,
        session: SignIn,
        code: LoginCode,
        limit: usize,
        maybe_once: MaybeOnce<SignIn>,
    ) -> Result<SignIn, StoreError> {
        let scope = scope.clone();
        let work = writing(move |tx| {
            Box::pin(async move {
                let now = session.id.created_at();
                once(tx, maybe_once, now, |tx| Box::pin(create(tx, scope, (session, code), limit))).await
            })
        });
        // In turn, for the limit's sake.
        self.change("creating a session", work).await
    }

    async fn open_session(
        &self,
        code_hash: [u8; 32],
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<SignIn, StoreError> {
        let work = writing(move |tx| Box::pin(open(tx, code_hash, token_hash, now)));
        self.change("opening a session", work).await
    }

    async fn session_of_code(&self, code_hash: [u8; 32], now: Timestamp) -> Result<SignIn, StoreError> {
        let look = reading(move |session| Box::pin(by_code(session, code_hash, now)));
        self.read("looking at a login code", look).await
    }

    async fn list_sessions(
        &self,
        scope: &Scope,
        now: Timestamp,
        page: PageRequest,
    ) -> Result<Page<SignIn>, StoreError> {
        let scope = scope.clone();
        let list = reading(|session| Box::pin(list(session, scope, now, page)));
        let mut listed = self.read("listing sessions", list).await?;
        let table = self.shared.memory.sessions.read();
        for session in &mut listed.rows {
            session.last_used_at = table.used_at(session.id).max(session.last_used_at);
        }
        Ok(listed)
    }

    async fn delete_session(&self, scope: &Scope, id: SessionId) -> Result<(), StoreError> {
        let scope = scope.clone();
        let work = writing(move |tx| Box::pin(delete(tx, scope, id)));
        self.change("revoking a session", work).await
    }

    fn session_by_hash(&self, token_hash: &[u8; 32]) -> Option<Arc<Known<SignIn>>> {
        self.shared.memory.sessions.read().by_hash(token_hash)
    }
}

/// All that are opened.
pub(crate) async fn load(session: &Session, memory: &Memory) -> Result<(), Fault> {
    let mut table = KnownTable::default();
    for row in session.query(OPENED, &[]).await? {
        if let (opened, Some(token_hash)) = of_row(&row)? {
            let used_at = opened.last_used_at;
            table.put(opened.id, token_hash, Known::new(opened, used_at));
        }
    }
    *memory.sessions.write() = table;
    Ok(())
}

/// After another node has opened or revoked it. An opened one never changes, so that one that is known keeps when it was used.
pub(crate) async fn read_anew(session: &Session, memory: &Memory, id: SessionId) -> Result<(), Fault> {
    let row = session.find(BY_ID, &[&&id.bits().to_be_bytes()[..]]).await?;
    let found = row.map(|row| of_row(&row)).transpose()?;
    let mut table = memory.sessions.write();
    match found {
        None => table.remove(id),
        Some((opened, Some(token_hash))) if table.by_hash(&token_hash).is_none() => {
            let used_at = opened.last_used_at;
            table.put(id, token_hash, Known::new(opened, used_at));
        }
        Some(_) => {}
    }
    Ok(())
}

/// A slice of those that have expired; how many.
pub(crate) async fn sweep(tx: &mut Tx, now: Timestamp) -> Result<usize, Fault> {
    let rows = tx.query(EXPIRED, &[&now.as_millis(), &SLICE_ROWS]).await?;
    for row in &rows {
        let id = SessionId::from_bits(bits(row, 0)?);
        tx.changes(Changed::Session(id), move |memory| memory.sessions.write().remove(id));
    }
    Ok(rows.len())
}

async fn create(
    tx: &mut Tx,
    scope: Scope,
    (session, code): (SignIn, LoginCode),
    limit: usize,
) -> Result<SignIn, Fault> {
    if !sees(tx, &scope, &session.scope).await? {
        return Err(StoreError::NotFound.into());
    }
    if count_of(tx, &session).await? >= limit {
        return Err(StoreError::SessionLimit { max: limit }.into());
    }
    insert(tx, &session, code).await?;
    tx.audit(of_session(Action::SessionCreated, None, Some(&session))).await?;
    Ok(session)
}

async fn count_of(session: &Session, of: &SignIn) -> Result<usize, Fault> {
    let owner = of.scope.owner();
    let (kind, id) = owner_columns(owner.as_ref());
    let row = session.find(COUNT_OF_OWNER, &[&kind, &id, &of.id.created_at().as_millis()]).await?;
    Ok(row.map_or(0, |row| row.get::<_, i64>(0)).try_into().unwrap_or(0))
}

async fn insert(session: &Session, new: &SignIn, code: LoginCode) -> Result<(), Fault> {
    let owner = new.scope.owner();
    let (kind, owner_id) = owner_columns(owner.as_ref());
    let granted_by = new.granted_by.owner();
    let (granted_kind, granted_id) = owner_columns(granted_by.as_ref());
    session
        .execute(
            INSERT,
            &[
                &&new.id.bits().to_be_bytes()[..],
                &kind,
                &owner_id,
                &permissions_text(&new.permissions),
                &&code.hash[..],
                &code.expires_at.as_millis(),
                &new.expires_at.as_millis(),
                &granted_kind,
                &granted_id,
            ],
        )
        .await?;
    Ok(())
}

async fn open(
    tx: &mut Tx,
    code_hash: [u8; 32],
    token_hash: [u8; 32],
    now: Timestamp,
) -> Result<SignIn, Fault> {
    let session = by_code(tx, code_hash, now).await?;
    let id_bytes = session.id.bits().to_be_bytes();
    tx.execute(OPEN, &[&&id_bytes[..], &&token_hash[..], &now.as_millis()]).await?;
    // Nobody is signed in before: who opens it is the session itself.
    if let Some(note) = &mut tx.note {
        Arc::make_mut(note).actor = Actor::Session { id: session.id, scope: session.scope.clone() };
    }
    let opened = SignIn { opened_at: Some(now), last_used_at: Some(now), ..session.clone() };
    tx.audit(of_session(Action::SessionOpened, Some(&session), Some(&opened))).await?;
    let known = Known::new(opened.clone(), Some(now));
    let id = opened.id;
    tx.changes(Changed::Session(id), move |memory| memory.sessions.write().put(id, token_hash, known));
    Ok(opened)
}

async fn by_code(session: &Session, code_hash: [u8; 32], now: Timestamp) -> Result<SignIn, Fault> {
    let row = session.find(BY_CODE, &[&&code_hash[..], &now.as_millis()]).await?;
    Ok(row.map(|row| of_row(&row)).transpose()?.ok_or(StoreError::NotFound)?.0)
}

async fn delete(tx: &mut Tx, scope: Scope, id: SessionId) -> Result<(), Fault> {
    let row = tx.find(BY_ID, &[&&id.bits().to_be_bytes()[..]]).await?;
    let session = row.map(|row| of_row(&row)).transpose()?.ok_or(StoreError::NotFound)?.0;
    if !sees(tx, &scope, &session.scope).await? {
        return Err(StoreError::NotFound.into());
    }
    remove(tx, id).await?;
    tx.audit(of_session(Action::SessionRevoked, Some(&session), None)).await
}

async fn remove(tx: &mut Tx, id: SessionId) -> Result<(), Fault> {
    tx.execute(DELETE, &[&&id.bits().to_be_bytes()[..]]).await?;
    tx.changes(Changed::Session(id), move |memory| memory.sessions.write().remove(id));
    Ok(())
}

/// Revokes the sessions of `owner` that `by` gave.
pub(crate) async fn revoke_granted(tx: &mut Tx, owner: &Owner, by: &Owner) -> Result<(), Fault> {
    let rows = tx.query(GRANTED, &[&owner.kind(), &owner.id(), &by.kind(), &by.id()]).await?;
    for row in &rows {
        let (session, _) = of_row(row)?;
        remove(tx, session.id).await?;
        tx.audit_consequence(of_session(Action::SessionRevoked, Some(&session), None)).await?;
    }
    Ok(())
}

/// With the hash of its token, once it is opened.
fn of_row(row: &Row) -> Result<(SignIn, Option<[u8; 32]>), Fault> {
    let time = |column| row.get::<_, Option<i64>>(column).map(Timestamp::from_millis);
    let session = SignIn {
        id: SessionId::from_bits(bits(row, 0)?),
        scope: Scope::of(owner_of_columns(row.get(1), row.get(2))?),
        granted_by: Scope::of(owner_of_columns(row.get(8), row.get(9))?),
        permissions: permissions_of(row.get(3))?,
        expires_at: Timestamp::from_millis(row.get(4)),
        opened_at: time(5),
        last_used_at: time(6),
    };
    let token_hash = row.get::<_, Option<&[u8]>>(7).map(<[u8; 32]>::try_from).transpose();
    Ok((session, token_hash.map_err(|_| Fault::Damaged("hash of a token"))?))
}

async fn list(
    session: &Session,
    scope: Scope,
    now: Timestamp,
    request: PageRequest,
) -> Result<Page<SignIn>, Fault> {
    let sight = Sight::of(session, &scope).await?;
    let fetch = |before: [u8; 16], rows: i64| -> crate::walk::Fetching<'_> {
        Box::pin(async move { session.query(LIST, &[&&before[..], &rows]).await })
    };
    page_of(&request, request.before.unwrap_or(u128::MAX), fetch, |row| {
        let (found, _) = of_row(row)?;
        let is_shown = found.is_valid_at(now) && sight.sees_owned(found.scope.owner().as_ref());
        Ok((found.id.bits(), is_shown.then_some(found)))
    })
    .await
}

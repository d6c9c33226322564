//! Sessions: in the file to last, in memory to be asked on every request.

use std::sync::Arc;

use async_trait::async_trait;
use domain::audit::{Action, Actor};
use domain::id::SessionId;
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use domain::scope::{Owner, Scope};
use domain::session::Session;
use domain::time::Timestamp;
use rusqlite::{Connection, Row, params};
use store::StoreError;
use store::backend::changes::of_session;
use store::backend::columns::{permissions_of, permissions_text};
use store::backend::memory::Memory;
use store::known::Known;
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};
use store::sessions::{LoginCode, Sessions};

use crate::SqliteStore;
use crate::api_keys::sees;
use crate::fault::Fault;
use crate::maintenance::SLICE_ROWS;
use crate::once::once;
use crate::scope::{owner_columns, owner_of_columns};
use crate::walk::page_of;
use crate::writer::Tx;

const COLUMNS: &str = "id, owner_kind, owner_id, permissions, expires_at, opened_at, last_used_at, token_hash, granted_kind, \
    granted_id";

pub(crate) const INSERT: &str = "INSERT INTO sessions (id, owner_kind, owner_id, permissions, code_hash, code_expires_at, \
    expires_at, granted_kind, granted_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
/// One that is opened has no code any more, so that a code opens once.
pub(crate) const OPEN: &str =
    "UPDATE sessions SET code_hash = NULL, token_hash = ?2, opened_at = ?3 WHERE id = ?1";
pub(crate) const DELETE: &str = "DELETE FROM sessions WHERE id = ?1";
pub(crate) const COUNT_OF_OWNER: &str = "SELECT count(*) FROM sessions INDEXED BY sessions_owner \
    WHERE owner_kind = ?1 AND owner_id = ?2 AND expires_at > ?3";
pub(crate) const EXPIRED: &str =
    "SELECT id FROM sessions INDEXED BY sessions_expiry WHERE expires_at <= ?1 LIMIT ?2";
pub(crate) const USED: &str = "UPDATE sessions SET last_used_at = ?2 WHERE id = ?1";

pub(crate) fn by_code_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM sessions WHERE code_hash = ?1 AND code_expires_at > ?2 AND expires_at > ?2"
    )
}
pub(crate) fn by_id_sql() -> String {
    format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1")
}
pub(crate) fn granted_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM sessions INDEXED BY sessions_owner \
         WHERE owner_kind = ?1 AND owner_id = ?2 AND granted_kind = ?3 AND granted_id = ?4"
    )
}
pub(crate) fn list_sql() -> String {
    format!("SELECT {COLUMNS} FROM sessions WHERE id < ?1 ORDER BY id DESC LIMIT ?2")
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn create_session(
        &self,
        scope: &Scope,
        session: Session,
        code: LoginCode,
        limit: usize,
        maybe_once: MaybeOnce<Session>,
    ) -> Result<Session, StoreError> {
        let scope = scope.clone();
        let create = move |tx: &mut Tx<'_>| {
            once(tx, maybe_once, session.id.created_at(), |tx| {
                if !sees(tx.conn, &scope, &session.scope)? {
                    return Err(StoreError::NotFound.into());
                }
                if count_of(tx.conn, &session)? >= limit {
                    return Err(StoreError::SessionLimit { max: limit }.into());
                }
                insert(tx.conn, &session, code)?;
                tx.audit(of_session(Action::SessionCreated, None, Some(&session)))?;
                Ok(session)
            })
        };
        self.write("creating a session", create).await
    }

    async fn open_session(
        &self,
        code_hash: [u8; 32],
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Session, StoreError> {
        self.write("opening a session", move |tx| open(tx, code_hash, token_hash, now)).await
    }

    async fn session_of_code(&self, code_hash: [u8; 32], now: Timestamp) -> Result<Session, StoreError> {
        self.read("looking at a login code", move |conn| by_code(conn, code_hash, now)).await
    }

    async fn list_sessions(
        &self,
        scope: &Scope,
        now: Timestamp,
        page: PageRequest,
    ) -> Result<Page<Session>, StoreError> {
        let scope = scope.clone();
        let mut listed = self.read("listing sessions", move |conn| list(conn, &scope, now, &page)).await?;
        let table = self.memory.sessions.read();
        for session in &mut listed.rows {
            session.last_used_at = table.used_at(session.id).or(session.last_used_at);
        }
        Ok(listed)
    }

    async fn delete_session(&self, scope: &Scope, id: SessionId) -> Result<(), StoreError> {
        let scope = scope.clone();
        self.write("revoking a session", move |tx| delete(tx, &scope, id)).await
    }

    fn session_by_hash(&self, token_hash: &[u8; 32]) -> Option<Arc<Known<Session>>> {
        self.memory.sessions.read().by_hash(token_hash)
    }
}

/// All that are opened, at a start.
pub(crate) fn load(conn: &Connection, memory: &Memory) -> Result<(), Fault> {
    let mut select = conn.prepare(&list_sql())?;
    let mut rows = select.query(params![[0xff_u8; 17], i64::MAX])?;
    while let Some(row) = rows.next()? {
        if let (session, Some(token_hash)) = of_row(row)? {
            let used_at = session.last_used_at;
            memory.sessions.write().put(session.id, token_hash, Known::new(session, used_at));
        }
    }
    Ok(())
}

/// A slice of those that have expired; how many.
pub(crate) fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Fault> {
    let mut ids: Vec<SessionId> = Vec::new();
    {
        let mut select = tx.conn.prepare_cached(EXPIRED)?;
        let mut rows = select.query(params![now.as_millis(), SLICE_ROWS])?;
        while let Some(row) = rows.next()? {
            ids.push(SessionId::from_bits(u128::from_be_bytes(row.get(0)?)));
        }
    }
    for id in &ids {
        tx.conn.prepare_cached(DELETE)?.execute([id.bits().to_be_bytes()])?;
    }
    let count = ids.len();
    if count > 0 {
        tx.after_commit(move |memory| {
            let mut table = memory.sessions.write();
            ids.iter().for_each(|id| table.remove(*id));
        });
    }
    Ok(count)
}

fn count_of(conn: &Connection, session: &Session) -> Result<usize, Fault> {
    let owner = session.scope.owner();
    let (kind, id) = owner_columns(owner.as_ref());
    let now = session.id.created_at().as_millis();
    let count: i64 =
        conn.prepare_cached(COUNT_OF_OWNER)?.query_row(params![kind, id, now], |row| row.get(0))?;
    Ok(count.try_into().unwrap_or(0))
}

fn insert(conn: &Connection, session: &Session, code: LoginCode) -> Result<(), Fault> {
    let owner = session.scope.owner();
    let (kind, owner_id) = owner_columns(owner.as_ref());
    let granted_by = session.granted_by.owner();
    let (granted_kind, granted_id) = owner_columns(granted_by.as_ref());
    conn.prepare_cached(INSERT)?.execute(params![
        session.id.bits().to_be_bytes(),
        kind,
        owner_id,
        permissions_text(&session.permissions),
        code.hash,
        code.expires_at.as_millis(),
        session.expires_at.as_millis(),
        granted_kind,
        granted_id,
    ])?;
    Ok(())
}

fn open(
    tx: &mut Tx<'_>,
    code_hash: [u8; 32],
    token_hash: [u8; 32],
    now: Timestamp,
) -> Result<Session, Fault> {
    let session = by_code(tx.conn, code_hash, now)?;
    let id_bytes = session.id.bits().to_be_bytes();
    tx.conn.prepare_cached(OPEN)?.execute(params![id_bytes, token_hash, now.as_millis()])?;
    // Nobody is signed in before: who opens it is the session itself.
    if let Some(note) = &mut tx.note {
        Arc::make_mut(note).actor = Actor::Session { id: session.id, scope: session.scope.clone() };
    }
    let opened = Session { opened_at: Some(now), last_used_at: Some(now), ..session.clone() };
    tx.audit(of_session(Action::SessionOpened, Some(&session), Some(&opened)))?;
    let known = Known::new(opened.clone(), Some(now));
    tx.after_commit(move |memory| memory.sessions.write().put(known.value.id, token_hash, known));
    Ok(opened)
}

fn by_code(conn: &Connection, code_hash: [u8; 32], now: Timestamp) -> Result<Session, Fault> {
    let sql = by_code_sql();
    let mut select = conn.prepare_cached(&sql)?;
    let mut rows = select.query(params![code_hash, now.as_millis()])?;
    Ok(rows.next()?.map(of_row).transpose()?.ok_or(StoreError::NotFound)?.0)
}

fn delete(tx: &mut Tx<'_>, scope: &Scope, id: SessionId) -> Result<(), Fault> {
    let id_bytes = id.bits().to_be_bytes();
    let session = {
        let sql = by_id_sql();
        let mut select = tx.conn.prepare_cached(&sql)?;
        let mut rows = select.query([id_bytes])?;
        rows.next()?.map(of_row).transpose()?.ok_or(StoreError::NotFound)?.0
    };
    if !sees(tx.conn, scope, &session.scope)? {
        return Err(StoreError::NotFound.into());
    }
    remove(tx, id)?;
    tx.audit(of_session(Action::SessionRevoked, Some(&session), None))
}

fn remove(tx: &mut Tx<'_>, id: SessionId) -> Result<(), Fault> {
    tx.conn.prepare_cached(DELETE)?.execute([id.bits().to_be_bytes()])?;
    tx.after_commit(move |memory| memory.sessions.write().remove(id));
    Ok(())
}

/// Revokes the sessions of `owner` that `by` gave.
pub(crate) fn revoke_granted(tx: &mut Tx<'_>, owner: &Owner, by: &Owner) -> Result<(), Fault> {
    let sessions = {
        let sql = granted_sql();
        let mut select = tx.conn.prepare_cached(&sql)?;
        let mut rows = select.query([owner.kind(), owner.id(), by.kind(), by.id()])?;
        let mut sessions = Vec::new();
        while let Some(row) = rows.next()? {
            sessions.push(of_row(row)?.0);
        }
        sessions
    };
    for session in sessions {
        remove(tx, session.id)?;
        tx.audit_consequence(of_session(Action::SessionRevoked, Some(&session), None))?;
    }
    Ok(())
}

/// With the hash of its token, once it is opened.
fn of_row(row: &Row<'_>) -> Result<(Session, Option<[u8; 32]>), Fault> {
    let (kind, owner_id, permissions): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let time = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp::from_millis));
    let session = Session {
        id: SessionId::from_bits(u128::from_be_bytes(row.get(0)?)),
        scope: Scope::of(owner_of_columns(&kind, &owner_id)?),
        granted_by: Scope::of(owner_of_columns(&row.get::<_, String>(8)?, &row.get::<_, String>(9)?)?),
        permissions: permissions_of(&permissions)?,
        expires_at: Timestamp::from_millis(row.get(4)?),
        opened_at: time(5)?,
        last_used_at: time(6)?,
    };
    Ok((session, row.get(7)?))
}

fn list(
    conn: &Connection,
    scope: &Scope,
    now: Timestamp,
    request: &PageRequest,
) -> Result<Page<Session>, Fault> {
    let sql = list_sql();
    let mut select = conn.prepare_cached(&sql)?;
    let before = request.before.unwrap_or(u128::MAX).to_be_bytes();
    let found = select.query(params![before, PAGE_ROWS_EXAMINED_MAX as i64])?;
    page_of(found, request.limit, |row| {
        let (session, _) = of_row(row)?;
        let is_shown = session.is_valid_at(now) && sees(conn, scope, &session.scope)?;
        Ok((session.id.bits(), is_shown.then_some(session)))
    })
}

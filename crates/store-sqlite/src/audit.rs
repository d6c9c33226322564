//! The audit log: entries that come with a change, and their listing.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::audit::{Action, Actor, AuditEntry, Object};
use domain::id::AuditId;
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use store::StoreError;
use store::audit::{Audit, AuditFilter, AuditNote, Subject};
use store::backend::changes::Change;
use store::backend::columns::{actor_columns, actor_of_columns, first_bits_at};
use store::backend::worlds::{AuditStream, entry_fits};
use store::maintenance::Swept;
use store::page::{Page, PageRequest};

use crate::SqliteStore;
use crate::fault::Fault;
use crate::maintenance::SLICE_ROWS;
use crate::scope::{owner_columns, owner_of_columns, sees_owned};
use crate::walk::page_of;
use crate::writer::Tx;

pub(crate) const INSERT: &str = "INSERT INTO audit (id, action, actor_kind, actor_id, actor_name, address, request_id, \
    owner_kind, owner_id, object, object_id, before, after, actor_owner_kind, actor_owner_id) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
pub(crate) const API_KEY_LASTS: &str =
    "SELECT 1 FROM api_keys WHERE id = ?1 AND (expires_at IS NULL OR expires_at > ?2)";
pub(crate) const SESSION_LASTS: &str = "SELECT 1 FROM sessions WHERE id = ?1 AND expires_at > ?2";
pub(crate) const EXPIRED: &str =
    "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ?1 ORDER BY id LIMIT ?2)";

#[async_trait]
impl Audit for SqliteStore {
    async fn note(&self, action: Action, owner: Option<Owner>, object: Object) -> Result<(), StoreError> {
        let note =
            move |tx: &mut Tx<'_>| tx.audit(Change { action, owner, object, before: None, after: None });
        self.write("writing to the audit log", note).await
    }

    async fn list_audit(
        &self,
        scope: &Scope,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let scope = scope.clone();
        self.read("listing the audit log", move |conn| list(conn, &scope, &filter, &page)).await
    }

    async fn sweep_audit(&self, horizon: Timestamp) -> Result<Swept, StoreError> {
        let sweep = move |tx: &mut Tx<'_>| {
            let before = first_bits_at(horizon).to_be_bytes();
            let removed = tx.conn.prepare_cached(EXPIRED)?.execute(params![before, SLICE_ROWS])?;
            Ok(if removed as i64 >= SLICE_ROWS { Swept::More } else { Swept::Done })
        };
        self.write("removing what is old of the audit log", sweep).await
    }
}

/// Who makes a change must still be who he was: between his request's head and this moment lie its body, which may be slow, and
/// the wait for the writer.
pub(crate) fn must_be_valid(conn: &Connection, note: &AuditNote) -> Result<(), Fault> {
    let (sql, id) = match &note.actor {
        Actor::ApiKey { id, .. } => (API_KEY_LASTS, id.bits()),
        Actor::Session { id, .. } => (SESSION_LASTS, id.bits()),
        Actor::PlatformKey | Actor::System => return Ok(()),
    };
    let at = note.id.created_at().as_millis();
    let lasts = conn.prepare_cached(sql)?.exists(params![id.to_be_bytes(), at])?;
    if lasts { Ok(()) } else { Err(StoreError::CallerGone.into()) }
}

impl Tx<'_> {
    /// Writes down who makes this change. Does nothing where nobody said who that is.
    pub(crate) fn audit(&mut self, change: Change<'_>) -> Result<(), Fault> {
        let Some(note) = self.note.take() else { return Ok(()) };
        self.write_down(&note, change)?;
        self.noted = Some(note);
        Ok(())
    }

    /// Of what follows from the change that was just written down: an entry of its own, by the same actor.
    pub(crate) fn audit_consequence(&mut self, change: Change<'_>) -> Result<(), Fault> {
        let Some(mut note) = self.noted.take() else { return Ok(()) };
        Arc::make_mut(&mut note).id = note.id.sibling();
        self.write_down(&note, change)?;
        self.noted = Some(note);
        Ok(())
    }

    fn write_down(&self, note: &AuditNote, change: Change<'_>) -> Result<(), Fault> {
        let AuditNote { id, actor, address, request_id, show } = note;
        let (actor_kind, actor_id, actor_name) = actor_columns(actor);
        let (owner_kind, owner_id) = owner_columns(change.owner.as_ref());
        let actor_owner = actor.scope().owner();
        let (actor_owner_kind, actor_owner_id) = owner_columns(actor_owner.as_ref());
        let shown = |subject: Option<Subject<'_>>| Some(show.as_ref()?(subject?).to_vec());
        self.conn.prepare_cached(INSERT)?.execute(params![
            id.bits().to_be_bytes(),
            change.action.as_str(),
            actor_kind,
            actor_id,
            actor_name,
            address.map(|address| address.to_string()),
            &**request_id,
            owner_kind,
            owner_id,
            change.object.kind,
            change.object.id,
            shown(change.before),
            shown(change.after),
            actor_owner_kind,
            actor_owner_id,
        ])?;
        Ok(())
    }
}

/// How the log is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuditOrder {
    Time,
    Owner,
    Object,
}

pub(crate) fn list_sql(order: AuditOrder) -> String {
    let (index, filter) = match order {
        AuditOrder::Time => ("", ""),
        AuditOrder::Owner => ("INDEXED BY audit_owner", "owner_kind = ?4 AND owner_id = ?5 AND"),
        AuditOrder::Object => ("INDEXED BY audit_object", "object_id = ?4 AND"),
    };
    format!(
        "SELECT id, action, actor_kind, actor_id, actor_name, address, request_id, owner_kind, owner_id, object, \
         object_id, before, after, actor_owner_kind, actor_owner_id FROM audit {index} WHERE {filter} id < ?1 AND id >= ?2 ORDER BY id DESC LIMIT ?3"
    )
}

fn list(
    conn: &Connection,
    scope: &Scope,
    filter: &AuditFilter,
    request: &PageRequest,
) -> Result<Page<AuditEntry>, Fault> {
    let until = filter.span.until.map_or(u128::MAX, first_bits_at);
    let before = request.before.unwrap_or(u128::MAX).min(until);
    let since = filter.span.since.map_or(0, first_bits_at);
    let (order, mut of) = stream_of(scope, filter);
    let mut values = vec![blob(before), blob(since), Value::Integer(PAGE_ROWS_EXAMINED_MAX as i64)];
    values.append(&mut of);
    let sql = list_sql(order);
    let mut select = conn.prepare_cached(&sql)?;
    let found = select.query(params_from_iter(values))?;
    page_of(found, request.limit, |row| {
        let entry = of_row(row)?;
        let is_shown = entry_fits(&entry, filter) && sees_owned(conn, scope, entry.owner.as_ref())?;
        Ok((entry.id.bits(), is_shown.then_some(entry)))
    })
}

fn stream_of(scope: &Scope, filter: &AuditFilter) -> (AuditOrder, Vec<Value>) {
    match AuditStream::of(scope, filter) {
        AuditStream::Object(id) => (AuditOrder::Object, vec![Value::Text(id)]),
        AuditStream::Owner(owner) => {
            let columns = [owner.kind(), owner.id()].map(|text| Value::Text(text.to_owned()));
            (AuditOrder::Owner, columns.to_vec())
        }
        AuditStream::All => (AuditOrder::Time, Vec::new()),
    }
}

fn blob(bits: u128) -> Value {
    Value::Blob(bits.to_be_bytes().to_vec())
}

fn of_row(row: &Row<'_>) -> Result<AuditEntry, Fault> {
    let (action, owner_kind, owner_id): (String, String, String) = (row.get(1)?, row.get(7)?, row.get(8)?);
    let (actor_owner_kind, actor_owner_id): (String, String) = (row.get(13)?, row.get(14)?);
    let actor_scope = Scope::of(owner_of_columns(&actor_owner_kind, &actor_owner_id)?);
    let address: Option<String> = row.get(5)?;
    let address = address.map(|text| text.parse::<IpAddr>()).transpose();
    let shown = |column| row.get::<_, Option<Vec<u8>>>(column).map(|bytes| bytes.map(Bytes::from));
    Ok(AuditEntry {
        id: AuditId::from_bits(u128::from_be_bytes(row.get(0)?)),
        action: Action::parse(&action).ok_or(Fault::Damaged("audit entry's action"))?,
        actor: actor_of_columns(&row.get::<_, String>(2)?, row.get(3)?, row.get(4)?, actor_scope)?,
        address: address.map_err(|_| Fault::Damaged("audit entry's address"))?,
        request_id: row.get(6)?,
        owner: owner_of_columns(&owner_kind, &owner_id)?,
        object: Object { kind: row.get(9)?, id: row.get(10)? },
        before: shown(11)?,
        after: shown(12)?,
    })
}

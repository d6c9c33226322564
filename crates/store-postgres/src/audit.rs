//! The audit log: entries that come with a change, and their listing.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::audit::{Action, Actor, AuditEntry, Object};
use domain::id::AuditId;
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use store::StoreError;
use store::audit::{Audit, AuditFilter, AuditNote, Subject};
use store::backend::changes::Change;
use store::backend::columns::{actor_columns, actor_of_columns, first_bits_at};
use store::backend::worlds::{AuditStream, entry_fits};
use store::maintenance::Swept;
use store::page::{Page, PageRequest};
use tokio_postgres::Row;

use crate::PostgresStore;
use crate::fault::Fault;
use crate::maintenance::SLICE_ROWS;
use crate::scope::{Sight, bits, owner_columns, owner_of_columns};
use crate::session::Session;
use crate::tx::{Tx, reading, writing};
use crate::walk::page_of;

macro_rules! columns {
    () => {
        "id, action, actor_kind, actor_id, actor_name, address, request_id, owner_kind, owner_id, object, object_id, \
        before, after, actor_owner_kind, actor_owner_id"
    };
}

pub(crate) const INSERT: &str = concat!(
    "insert into audit (",
    columns!(),
    ") \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
);
pub(crate) const API_KEY_LASTS: &str =
    "select 1 from api_keys where id = $1 and (expires_at is null or expires_at > $2)";
pub(crate) const SESSION_LASTS: &str = "select 1 from sessions where id = $1 and expires_at > $2";
pub(crate) const EXPIRED: &str =
    "delete from audit where id = any(array(select id from audit where id < $1 order by id limit $2))";
pub(crate) const LIST_ALL: &str =
    concat!("select ", columns!(), " from audit where id < $1 and id >= $2 order by id desc limit $3");
pub(crate) const LIST_OF_OWNER: &str = concat!(
    "select ",
    columns!(),
    " from audit where owner_kind = $4 and owner_id = $5 and id < $1 and id >= $2 \
     order by id desc limit $3"
);
pub(crate) const LIST_OF_OBJECT: &str = concat!(
    "select ",
    columns!(),
    " from audit where object_id = $4 and id < $1 and id >= $2 order by id desc limit $3"
);

/// Who makes a change must still be who he was: between his request's head and this moment lie its body, which may be slow, and
/// the wait for a connection.
pub(crate) async fn must_be_valid(session: &Session, note: &AuditNote) -> Result<(), Fault> {
    let (sql, id) = match &note.actor {
        Actor::ApiKey { id, .. } => (API_KEY_LASTS, id.bits()),
        Actor::Session { id, .. } => (SESSION_LASTS, id.bits()),
        Actor::PlatformKey | Actor::System => return Ok(()),
    };
    let at = note.id.created_at().as_millis();
    match session.find(sql, &[&&id.to_be_bytes()[..], &at]).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::CallerGone.into()),
    }
}

#[async_trait]
impl Audit for PostgresStore {
    async fn note(&self, action: Action, owner: Option<Owner>, object: Object) -> Result<(), StoreError> {
        let note = writing(move |tx| {
            Box::pin(
                async move { tx.audit(Change { action, owner, object, before: None, after: None }).await },
            )
        });
        self.write("writing to the audit log", note).await
    }

    async fn list_audit(
        &self,
        scope: &Scope,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let scope = scope.clone();
        let list = reading(|session| Box::pin(list(session, scope, filter, page)));
        self.read("listing the audit log", list).await
    }

    async fn sweep_audit(&self, horizon: Timestamp) -> Result<Swept, StoreError> {
        let sweep = writing(move |tx| {
            Box::pin(async move {
                let before = first_bits_at(horizon).to_be_bytes();
                let removed = tx.execute(EXPIRED, &[&&before[..], &SLICE_ROWS]).await?;
                Ok(if removed as i64 >= SLICE_ROWS { Swept::More } else { Swept::Done })
            })
        });
        self.write("removing what is old of the audit log", sweep).await
    }
}

impl Tx {
    /// Writes down who makes this change. Does nothing where nobody said who that is.
    pub(crate) async fn audit(&mut self, change: Change<'_>) -> Result<(), Fault> {
        let Some(note) = self.note.take() else { return Ok(()) };
        write_down(self, &note, change).await?;
        self.noted = Some(note);
        Ok(())
    }

    /// Of what follows from the change that was just written down: an entry of its own, by the same actor.
    pub(crate) async fn audit_consequence(&mut self, change: Change<'_>) -> Result<(), Fault> {
        let Some(mut note) = self.noted.take() else { return Ok(()) };
        Arc::make_mut(&mut note).id = note.id.sibling();
        write_down(self, &note, change).await?;
        self.noted = Some(note);
        Ok(())
    }
}

async fn write_down(session: &Session, note: &AuditNote, change: Change<'_>) -> Result<(), Fault> {
    let AuditNote { id, actor, address, request_id, show } = note;
    let (actor_kind, actor_id, actor_name) = actor_columns(actor);
    let (owner_kind, owner_id) = owner_columns(change.owner.as_ref());
    let actor_owner = actor.scope().owner();
    let (actor_owner_kind, actor_owner_id) = owner_columns(actor_owner.as_ref());
    let shown = |subject: Option<Subject<'_>>| Some(show.as_ref()?(subject?).to_vec());
    let (before, after) = (shown(change.before), shown(change.after));
    session
        .execute(
            INSERT,
            &[
                &&id.bits().to_be_bytes()[..],
                &change.action.as_str(),
                &actor_kind,
                &actor_id.as_ref().map(|id| &id[..]),
                &actor_name,
                &address.map(|address| address.to_string()),
                &&**request_id,
                &owner_kind,
                &owner_id,
                &&*change.object.kind,
                &&*change.object.id,
                &before,
                &after,
                &actor_owner_kind,
                &actor_owner_id,
            ],
        )
        .await?;
    Ok(())
}

async fn list(
    session: &Session,
    scope: Scope,
    filter: AuditFilter,
    request: PageRequest,
) -> Result<Page<AuditEntry>, Fault> {
    let until = filter.span.until.map_or(u128::MAX, first_bits_at);
    let before = request.before.unwrap_or(u128::MAX).min(until);
    let since = filter.span.since.map_or(0, first_bits_at).to_be_bytes();
    let stream = AuditStream::of(&scope, &filter);
    let sight = Sight::of(session, &scope).await?;
    let stream = &stream;
    let fetch = |before: [u8; 16], rows: i64| -> crate::walk::Fetching<'_> {
        Box::pin(async move {
            let (before, since) = (&before[..], &since[..]);
            match stream {
                AuditStream::All => session.query(LIST_ALL, &[&before, &since, &rows]).await,
                AuditStream::Owner(owner) => {
                    let (kind, id) = (owner.kind(), owner.id());
                    session.query(LIST_OF_OWNER, &[&before, &since, &rows, &kind, &id]).await
                }
                AuditStream::Object(id) => session.query(LIST_OF_OBJECT, &[&before, &since, &rows, id]).await,
            }
        })
    };
    page_of(&request, before, fetch, |row| {
        let entry = of_row(row)?;
        let is_shown = entry_fits(&entry, &filter) && sight.sees_owned(entry.owner.as_ref());
        Ok((entry.id.bits(), is_shown.then_some(entry)))
    })
    .await
}

fn of_row(row: &Row) -> Result<AuditEntry, Fault> {
    let address = row.get::<_, Option<&str>>(5).map(str::parse::<IpAddr>).transpose();
    let shown = |column| row.get::<_, Option<Vec<u8>>>(column).map(Bytes::from);
    let actor_scope = Scope::of(owner_of_columns(row.get(13), row.get(14))?);
    let actor_id = row.get::<_, Option<&[u8]>>(3).map(<[u8; 16]>::try_from).transpose();
    let actor_id = actor_id.map_err(|_| Fault::Damaged("audit entry's actor"))?;
    Ok(AuditEntry {
        id: AuditId::from_bits(bits(row, 0)?),
        action: Action::parse(row.get(1)).ok_or(Fault::Damaged("audit entry's action"))?,
        actor: actor_of_columns(row.get(2), actor_id, row.get(4), actor_scope)?,
        address: address.map_err(|_| Fault::Damaged("audit entry's address"))?,
        request_id: row.get(6),
        owner: owner_of_columns(row.get(7), row.get(8))?,
        object: Object { kind: row.get(9), id: row.get(10) },
        before: shown(11),
        after: shown(12),
    })
}

//! The master key's rotation: sealed values are sealed anew in slices, each in a transaction that others share.

use async_trait::async_trait;
use domain::id::EndpointId;
use rusqlite::{Connection, params};
use store::StoreError;
use store::once::MaybeOnce;
use store::sealing::{Resealed, Sealing};
use store::vault::Vault;

use crate::SqliteStore;
use crate::codec;
use crate::endpoint_rows::{self, SealedRow};
use crate::fault::Fault;
use crate::once::{made_at, once};
use crate::open::{CANARY, CANARY_CONTEXT};
use crate::writer::Tx;

/// Rows looked at in one call; few enough that an event's publisher hardly notices.
const SLICE_ROWS: usize = 100;

pub(crate) const NEW_CANARY: &str = "UPDATE meta SET value = ?1 WHERE name = 'canary'";

#[async_trait]
impl Sealing for SqliteStore {
    async fn use_vault(&self, vault: Vault, maybe_once: MaybeOnce<()>) -> Result<(), StoreError> {
        let switch = move |tx: &mut Tx<'_>| {
            let now = made_at(&maybe_once);
            once(tx, maybe_once, now, |_| Ok(()))?;
            // Stays also when the batch is lost: it opens whatever is stored.
            *tx.vault = vault;
            Ok(())
        };
        self.write("changing the master key", switch).await
    }

    async fn reseal(&self, after: Option<EndpointId>) -> Result<Resealed, StoreError> {
        self.write("sealing secrets anew", move |tx| wiping(tx, |tx| slice(tx, after))).await
    }
}

/// What `work` deletes is overwritten with zeros, whole pages too.
fn wiping<T>(tx: &mut Tx<'_>, work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
    secure_delete(tx.conn, "ON")?;
    let result = work(tx);
    secure_delete(tx.conn, "FAST")?;
    result
}

fn secure_delete(conn: &Connection, mode: &str) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "secure_delete", mode, |_| Ok(()))
}

fn slice(tx: &mut Tx<'_>, after: Option<EndpointId>) -> Result<Resealed, Fault> {
    let after = after.map_or(Vec::new(), |id| codec::endpoint_bytes(id).to_vec());
    let mut select = tx.conn.prepare_cached(endpoint_rows::SEALED_SLICE)?;
    // All read before the first is written: the two are of the same table.
    let rows = select.query_map(params![after, SLICE_ROWS as i64], SealedRow::of)?;
    let rows: Vec<SealedRow> = rows.collect::<Result<_, _>>()?;
    let next = rows.last().filter(|_| rows.len() == SLICE_ROWS).map(|row| row.id);
    let mut values = 0;
    for row in rows {
        values += endpoint_rows::reseal(tx.conn, tx.vault, row)?;
    }
    if next.is_none() {
        values += reseal_canary(tx)?;
        tx.wipe_log = true;
    }
    Ok(Resealed { values, next })
}

fn reseal_canary(tx: &Tx<'_>) -> Result<usize, Fault> {
    let canary = "SELECT value FROM meta WHERE name = 'canary'";
    let sealed: Vec<u8> = tx.conn.query_row(canary, [], |row| row.get(0))?;
    if tx.vault.is_present(&sealed) {
        return Ok(0);
    }
    let sealed = tx.vault.seal(CANARY_CONTEXT, CANARY).map_err(|_| Fault::Sealing)?;
    tx.conn.execute(NEW_CANARY, params![sealed])?;
    Ok(1)
}

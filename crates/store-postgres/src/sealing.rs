//! The master key's rotation: sealed values are sealed anew in slices. The old ciphertext is gone from the tables; from the
//! server's files it goes with vacuum and with its log's retention, which is not ours to hasten.

use std::sync::Arc;

use async_trait::async_trait;
use domain::id::EndpointId;
use store::StoreError;
use store::backend::codec;
use store::once::MaybeOnce;
use store::sealing::{Resealed, Sealing};
use store::vault::Vault;

use crate::PostgresStore;
use crate::endpoint_rows::{self, SealedRow};
use crate::fault::Fault;
use crate::once::{made_at, once};
use crate::open::{CANARY, CANARY_CONTEXT};
use crate::tx::{Tx, writing};

/// Rows looked at in one call.
const SLICE_ROWS: usize = 100;

pub(crate) const CANARY_SQL: &str = "select value from meta where name = 'canary' for update";
pub(crate) const NEW_CANARY: &str = "update meta set value = $1 where name = 'canary'";

#[async_trait]
impl Sealing for PostgresStore {
    async fn use_vault(&self, vault: Vault, maybe_once: MaybeOnce<()>) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let switch = writing(move |tx| {
            Box::pin(async move {
                let now = made_at(maybe_once.as_ref().map(|once| once.expires_at));
                once(tx, maybe_once, now, |_| Box::pin(async { Ok(()) })).await?;
                // Stays also when this is lost: it opens whatever is stored.
                *shared.vault.lock() = Arc::new(vault);
                Ok(())
            })
        });
        // In turn, so that no change that began before seals under the key before.
        self.change("changing the master key", switch).await
    }

    async fn reseal(&self, after: Option<EndpointId>) -> Result<Resealed, StoreError> {
        let work = writing(move |tx| Box::pin(slice(tx, after)));
        self.change("sealing secrets anew", work).await
    }
}

async fn slice(tx: &mut Tx, after: Option<EndpointId>) -> Result<Resealed, Fault> {
    let after = after.map_or(Vec::new(), |id| codec::endpoint_bytes(id).to_vec());
    let rows = tx.query(endpoint_rows::SEALED_SLICE, &[&after, &(SLICE_ROWS as i64)]).await?;
    let rows = rows.iter().map(SealedRow::of).collect::<Result<Vec<_>, _>>()?;
    let next = rows.last().filter(|_| rows.len() == SLICE_ROWS).map(|row| row.id);
    let vault = Arc::clone(&tx.vault);
    let mut values = 0;
    for row in rows {
        values += endpoint_rows::reseal(tx, &vault, row).await?;
    }
    if next.is_none() {
        values += reseal_canary(tx).await?;
    }
    Ok(Resealed { values, next })
}

async fn reseal_canary(tx: &Tx) -> Result<usize, Fault> {
    let row = tx.find(CANARY_SQL, &[]).await?.ok_or(Fault::Damaged("proof of the master key"))?;
    if tx.vault.is_present(row.get(0)) {
        return Ok(0);
    }
    let sealed = tx.vault.seal(CANARY_CONTEXT, CANARY)?;
    tx.execute(NEW_CANARY, &[&sealed]).await?;
    Ok(1)
}

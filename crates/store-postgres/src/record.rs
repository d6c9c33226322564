//! Recording: outcomes move their deliveries, many in one transaction, and only under claims that hold.

use std::collections::HashSet;

use domain::retry::Verdict;
use futures::future::{try_join, try_join3};
use store::backend::codec;
use store::backend::counted::Counted;
use store::backend::standing::{DeliveryHead, Ending, Found};
use store::queue::{Record, Recorded};

use crate::fault::Fault;
use crate::log;
use crate::session::Session;
use crate::tallies;
use crate::told::{self, Telling};

/// Compare-and-set: lets go of what is held under just these claims. With it comes until when somebody listens.
pub(crate) const LET_GO: &str = "delete from held using unnest($1::bigint[], $2::bigint[]) as u (key, claim) \
    where held.key = u.key and held.claim = u.claim returning held.key, held.claim, \
    (select value from counters where name = 'listening')";

/// `part`: this node's, of the tallies. They and what is told come last: others wait for the commit then.
pub(crate) async fn record_all(
    session: &Session,
    records: &[Record],
    part: i64,
    telling: Telling,
) -> Result<Vec<Recorded>, Fault> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let (mut held, listening) = let_go(session, records).await?;
    let mut counted = Counted::default();
    let mut applied = Vec::with_capacity(records.len());
    for record in records {
        // The same twice in one call: the second is lost.
        let holds = held.remove(&key_of(record));
        if holds {
            counted.add(record.delivery.endpoint_id, &record.attempt);
        }
        applied.push(holds);
    }
    let of_applied = records.iter().zip(&applied).filter(|(_, applied)| **applied).map(|(record, _)| record);
    let of_applied: Vec<&Record> = of_applied.collect();
    append(session, &of_applied).await?;
    for (record, applied) in records.iter().zip(&applied) {
        if !applied && record_late(session, record).await? {
            counted.add(record.delivery.endpoint_id, &record.attempt);
        }
    }
    let told = if telling.is_due(listening) { &of_applied[..] } else { &[] };
    try_join(told::tell_attempts(session, told), tallies::keep(session, counted, part)).await?;
    let recorded = |applied: &bool| if *applied { Recorded::Applied } else { Recorded::Lost };
    Ok(applied.iter().map(recorded).collect())
}

fn key_of(record: &Record) -> (i64, i64) {
    (record.delivery.id.key(), record.delivery.claim.0)
}

async fn let_go(session: &Session, records: &[Record]) -> Result<(HashSet<(i64, i64)>, i64), Fault> {
    let (keys, claims): (Vec<i64>, Vec<i64>) = records.iter().map(key_of).unzip();
    let rows = session.query(LET_GO, &[&keys, &claims]).await?;
    let listening = rows.first().map_or(0, |row| row.get::<_, Option<i64>>(2).unwrap_or(0));
    Ok((rows.iter().map(|row| (row.get(0), row.get(1))).collect(), listening))
}

/// The outcomes of deliveries that were just let go.
async fn append(session: &Session, records: &[&Record]) -> Result<(), Fault> {
    let (mut queued, mut attempts, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        let head = DeliveryHead::of_claimed(&record.delivery);
        match record.verdict {
            Verdict::RetryAt(due_at) => {
                attempts.push((head.id, &*record.attempt));
                queued.push((head, record.delivery.attempt_count + 1, due_at));
            }
            Verdict::Succeeded | Verdict::Ended(_) => heads.push((head, Ending::after_attempt(record))),
        }
    }
    let ended: Vec<_> = heads.iter().map(|(head, ending)| (head, *ending)).collect();
    try_join3(
        log::insert_queued(session, &queued),
        log::insert_attempts(session, &attempts),
        log::insert_ended(session, &ended),
    )
    .await?;
    Ok(())
}

/// The claim is gone. Where the delivery has ended, its log shows the attempt that was made all the same. `false`: it did
/// already, or there is none.
async fn record_late(session: &Session, record: &Record) -> Result<bool, Fault> {
    let id = record.delivery.id;
    let Some(Found::Ended(_)) = log::find(session, id).await? else { return Ok(false) };
    let row = session.find(log::INLINE_ATTEMPT, &[&id.key()]).await?;
    let inline: Option<Vec<u8>> = row.and_then(|row| row.get(0));
    let known = inline.map(|bytes| codec::attempt_id_of(&bytes)).transpose()? == Some(record.attempt.id);
    let is_new = !known && log::insert_attempts(session, &[(id, &record.attempt)]).await? == 1;
    if is_new {
        session.execute(log::COUNT_LATE_ATTEMPT, &[&id.key()]).await?;
    }
    Ok(is_new)
}

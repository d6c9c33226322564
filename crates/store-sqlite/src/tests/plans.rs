//! Every statement that traffic or a listing runs is answered from an index in its order: nothing is scanned or sorted.

use domain::event::EventScope;
use rusqlite::{Connection, StatementStatus};
use store::backend::compared::Compared;

use super::World;
use crate::audit::AuditOrder;
use crate::days::{DAY_EXISTS, DAYS, Day, DaySql, day_at};
use crate::deliveries::{self, DeliveryOrder, ended_keys_sql, held_keys_sql, queued_keys_sql};
use crate::events::{EventOrder, Place, events_sql, held_sql, tail_sql, undelivered_sql, unfinished_sql};
use crate::maintenance::{self, emptying_sql};
use crate::order::{self, Log, Order};
use crate::writer::Tx;
use crate::{
    api_keys, audit, endpoint_rows, endpoints, health, log, once, queue, scope, sealing, sessions, tallies,
    tenants,
};

/// A store with the tables of one day.
async fn with_day() -> (World, Day) {
    let world = World::new();
    let day = day_at(super::NOW);
    let make_day = move |tx: &mut Tx<'_>| tx.days.get_or_create(tx.conn, day).map(|_| ());
    world.store.write("making a day", make_day).await.unwrap();
    (world, day)
}

#[tokio::test]
async fn no_statement_scans_a_table_or_sorts() {
    let (world, day) = with_day().await;
    let statements = statements(day);
    let count = statements.len();
    let faults = world
        .store
        .read("explaining", move |conn| {
            Ok(statements.iter().filter_map(|sql| fault(conn, sql)).collect::<Vec<_>>())
        })
        .await
        .unwrap();
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(count > 60);
}

/// A slice of a sweep walks its table from the start of its key and stops at its limit: a scan that sorts nothing.
#[tokio::test]
async fn a_slice_of_a_sweep_sorts_nothing() {
    let (world, day) = with_day().await;
    let plans = world.store.read("explaining", move |conn| {
        Ok(emptying_sql(day).iter().flat_map(|sql| plan(conn, sql)).collect::<Vec<_>>())
    });
    let plans = plans.await.unwrap();
    assert!(!plans.is_empty() && !plans.iter().any(|step| step.contains("TEMP B-TREE")), "{plans:#?}");
}

/// A bulk reads its rows by key and sorts them; what is in order is found by part, then by what it is ordered by, then by key.
#[tokio::test]
async fn an_order_is_filled_from_a_range_of_keys_and_read_by_its_primary_key() {
    let (world, day) = with_day().await;
    let plans = world.store.read("explaining", move |conn| {
        let fills = Order::ALL.map(|order| plan(conn, &order.fill_sql(day)));
        let streams = [DeliveryOrder::Endpoint, DeliveryOrder::Location]
            .map(|order| ended_keys_sql(day, order, Compared::default()))
            .map(|sql| plan(conn, &sql));
        Ok((fills, streams))
    });
    let (fills, streams) = plans.await.unwrap();
    for fill in fills {
        assert!(fill[0].contains("USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"), "{fill:#?}");
    }
    for stream in streams {
        assert!(stream[0].starts_with("SEARCH ordered USING PRIMARY KEY (day=? AND log=?"), "{stream:#?}");
        assert!(
            stream[1].contains("PRIMARY KEY (part=? AND") && stream[1].contains("AND key>?"),
            "{stream:#?}"
        );
    }
}

/// What waits is counted along an index, from its first entry to its last, in its order; no row of the table is looked at.
#[tokio::test]
async fn what_waits_is_counted_in_an_index_alone() {
    let world = World::new();
    let plan = world.store.read("explaining", |conn| Ok(plan(conn, queue::WAITING))).await.unwrap();
    assert_eq!(plan, ["SCAN queue USING COVERING INDEX queue_endpoint"]);
}

#[tokio::test]
async fn a_statement_that_scans_or_sorts_is_noticed() {
    let world = World::new();
    let found = world.store.read("explaining", |conn| {
        Ok([
            "SELECT key FROM queue WHERE type = ?1",
            "SELECT key FROM queue WHERE endpoint_id = ?1 ORDER BY due_at",
        ]
        .map(|sql| fault(conn, sql).is_some()))
    });
    assert_eq!(found.await.unwrap(), [true, true]);
}

/// As SQLite does by itself where a plan might be better for another limit or range; see `.cargo/config.toml`.
#[tokio::test]
async fn no_statement_is_prepared_anew_for_other_values() {
    let (world, day) = with_day().await;
    let anew = world.store.read("running statements", move |conn| {
        Ok(statements(day).into_iter().filter(|sql| is_prepared_anew(conn, sql)).collect::<Vec<_>>())
    });
    assert_eq!(anew.await.unwrap(), Vec::<String>::new());
}

fn is_prepared_anew(conn: &Connection, sql: &str) -> bool {
    let mut statement = conn.prepare(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    let mut run = |value: i64| {
        let values = vec![value; statement.parameter_count()];
        let mut rows = statement.query(rusqlite::params_from_iter(values)).unwrap();
        // This connection only reads: what would write ends here, after it was prepared anew or not.
        let _ = rows.next();
        drop(rows);
        statement.reset_status(StatementStatus::RePrepare)
    };
    // The first time it may be for the day's tables, which this connection had not seen.
    run(1);
    run(2) > 0
}

fn fault(conn: &Connection, sql: &str) -> Option<String> {
    let plan = plan(conn, sql);
    let bad = plan.iter().any(|step| is_scan(step) || step.contains("TEMP B-TREE"));
    bad.then(|| format!("{sql}\n{plan:#?}"))
}

fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let mut explain =
        conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap_or_else(|error| panic!("{error}: {sql}"));
    let unbound = vec![rusqlite::types::Null; explain.parameter_count()];
    let steps = explain.query_map(rusqlite::params_from_iter(unbound), |row| row.get(3)).unwrap();
    steps.collect::<Result<_, _>>().unwrap()
}

/// `days` is small by nature: it has a row per day that is kept.
fn is_scan(step: &str) -> bool {
    step.starts_with("SCAN") && !step.starts_with("SCAN days")
}

fn statements(day: i64) -> Vec<String> {
    [fixed(), of_orders(), of_access(), of_day(day), listings(day)].concat()
}

fn of_orders() -> Vec<String> {
    [order::TAILS, order::LAST_PART, order::PART_OF, order::PUT_PART, order::DELETE_PARTS]
        .map(str::to_owned)
        .to_vec()
}

/// Keys, sessions and the audit log.
fn of_access() -> Vec<String> {
    [
        api_keys::INSERT,
        api_keys::BY_ID,
        api_keys::LIST,
        api_keys::DELETE,
        api_keys::GRANTED,
        api_keys::COUNT_OF_OWNER,
        api_keys::USED,
        sessions::INSERT,
        sessions::OPEN,
        sessions::DELETE,
        sessions::COUNT_OF_OWNER,
        sessions::EXPIRED,
        sessions::USED,
        audit::INSERT,
        audit::API_KEY_LASTS,
        audit::SESSION_LASTS,
        audit::EXPIRED,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Those that name no day.
fn fixed() -> Vec<String> {
    [
        DAYS,
        DAY_EXISTS,
        log::INSERT_QUEUED,
        log::QUEUED,
        log::DELETE_QUEUED,
        log::INSERT_HELD,
        log::HELD,
        log::HELD_TO_QUEUE,
        log::DELETE_HELD,
        log::HELD_UNTIL,
        queue::NEXT_DUE_ENDPOINT,
        queue::DUE_ROWS,
        queue::NEXT_DUE_AT,
        queue::CLAIM,
        queue::COMPLETE,
        queue::PUT_OFF,
        queue::RELEASE,
        queue::COMPLETE_HELD,
        maintenance::EXPIRED_HELD,
        queue::IS_ENABLED,
        health::PUT,
        health::DELETE,
        health::IS_RECEIVER,
        once::TAKEN,
        once::KEEP,
        once::KEPT,
        deliveries::BRING_FORWARD,
        scope::COMPANY_OF,
        scope::OWNER_OF,
        scope::ENDPOINTS_OF_OWNER,
        scope::ENDPOINTS_IN_COMPANY,
        scope::LOCATIONS_OF_COMPANY,
        endpoint_rows::PUT,
        endpoint_rows::SEALED_SLICE,
        endpoint_rows::RESEAL,
        sealing::NEW_CANARY,
        endpoints::COUNT_OF_OWNER,
        endpoints::LIST_ALL,
        endpoints::LIST_OF_OWNER,
        tenants::PUT_LOCATION,
        tenants::LOCATION,
        tenants::DELETE_LOCATION,
        tenants::PUT_APP,
        tenants::APP,
        tenants::DELETE_APP,
        tenants::DELETE_INSTALLS,
        tenants::INSTALL,
        tenants::UNINSTALL,
        tenants::INSTALLS,
        tallies::ROW,
        tallies::INSERT,
        tallies::UPDATE,
        tallies::DELETE,
        tallies::OLD_MINUTES,
        tallies::EXPIRED,
        tallies::IS_THERE,
        maintenance::EXPIRED_ANSWERS,
        maintenance::EXPIRED_QUEUED,
        maintenance::FORGOTTEN_ENDPOINTS,
        maintenance::PROBE,
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([endpoint_rows::by_id_sql()])
    .collect()
}

fn of_day(day: i64) -> Vec<String> {
    let sql = DaySql::new(day);
    let tails = Log::ALL.map(|log| [order::count_sql(day, log), order::key_at_sql(day, log)]).concat();
    let statements = vec![
        sql.insert_event,
        sql.insert_delivery,
        sql.insert_attempt,
        sql.insert_undelivered,
        sql.delete_event,
        sql.delete_undelivered,
        sql.payload,
        log::ended_sql(day),
        log::inline_attempt_sql(day),
        log::attempts_sql(day),
        log::inline_head_sql(day),
        log::latest_head_sql(day),
        log::event_sql(day),
        log::count_late_attempt_sql(day),
    ];
    [statements, tails, sql.places.concat()].concat()
}

fn listings(day: i64) -> Vec<String> {
    let mut listings = vec![sessions::by_code_sql(), sessions::by_id_sql(), sessions::list_sql()];
    listings.extend([AuditOrder::Time, AuditOrder::Owner, AuditOrder::Object].map(audit::list_sql));
    for order in DeliveryOrder::ALL {
        listings.extend(Compared::ALL.map(|compared| ended_keys_sql(day, order, compared)));
        listings.push(queued_keys_sql(order));
        if let Some(column) = order.tail_column() {
            let (tail, compared) = ((day, Log::Deliveries), Compared::ALL);
            listings.extend(compared.map(|compared| order::tail_keys_sql(tail, (column, 2), "", compared)));
        }
        listings.extend(held_keys_sql(order));
    }
    for order in [EventOrder::Time, EventOrder::Location(EventScope::Company), EventOrder::Company] {
        listings.extend(Compared::ALL[..2].iter().map(|compared| events_sql(day, order, *compared)));
    }
    for locations in [1, 256] {
        let tail = |compared: &Compared| tail_sql(day, &EventScope::ALL, locations, *compared);
        listings.extend(Compared::ALL[..2].iter().map(tail));
    }
    for place in [Place::Anywhere, Place::OneLocation] {
        listings.push(undelivered_sql(day, place));
        listings.push(unfinished_sql(place));
        listings.push(held_sql(place));
    }
    listings
}

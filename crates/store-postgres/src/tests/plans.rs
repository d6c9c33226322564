//! Every statement that traffic or a listing runs is answered from an index in its order: nothing is scanned, and sorted is
//! only what was bounded before.

use testkit::{Database, ManualClock};

use super::{NOW, open};
use store::backend::compared::Compared;

use crate::deliveries::{self, DeliveryOrder, ended_keys_sql, held_keys_sql, queued_keys_sql};
use crate::events::{EventOrder, Place, events_sql, undelivered_sql, unfinished_sql};
use crate::{
    PostgresStore, api_keys, audit, days, endpoint_rows, endpoints, follow, health, log, maintenance, nodes,
    once, queue, record, scope, sealing, sessions, tallies, tenants, told, whole,
};

/// Small by nature: a row per node, day or counter; and `held`, which is never more than nodes have in memory.
const MAY_BE_SCANNED: [&str; 5] = ["held", "nodes", "days", "counters", "meta"];

#[tokio::test]
async fn no_statement_scans_a_table() {
    let database = Database::fresh();
    let store = prepared(&database).await;
    let mut faults = Vec::new();
    let statements = statements();
    for sql in &statements {
        let plan = plan(&store, sql).await;
        if let Some(fault) = scan(&plan) {
            faults.push(format!("{sql}\n{fault}\n{plan:#?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(statements.len() > 80);
}

/// A listing of one order walks an index and stops at its limit; several endpoints or locations are each walked so.
#[tokio::test]
async fn no_listing_of_one_order_sorts() {
    let database = Database::fresh();
    let store = prepared(&database).await;
    for sql in sorted_by_an_index() {
        let plan = plan(&store, &sql).await;
        assert!(!plan.iter().any(|step| step.contains("Sort")), "{sql}\n{plan:#?}");
    }
}

/// Of thirty days a look-up touches one, and a page the days that it needs.
#[tokio::test]
async fn a_statement_passes_by_the_days_that_it_does_not_need() {
    let database = Database::fresh();
    let store = prepared(&database).await;
    let day = store::backend::days::first_key_of(store::backend::days::day_at(NOW));
    let sql = log::EVENTS.replace("$1", &format!("array[{day}::bigint]"));
    let sql = sql.replace("$2", &day.to_string()).replace("$3", &day.to_string());
    let plan = explained(&store, &format!("explain {sql}")).await;
    let scans = plan.iter().filter(|step| step.contains("Scan")).count();
    assert_eq!(scans, 1, "{plan:#?}");
}

/// With the server's own costs and statistics: of a log of thirty days and a long queue nothing is read from end to end. A log
/// of 10,000,000 rows with `HOOPOE_SOAK`, else a small one.
#[tokio::test]
async fn no_statement_scans_a_log_of_thirty_days() {
    let rows_of_a_day = if std::env::var_os("HOOPOE_SOAK").is_some() { 333_334 } else { 5_000 };
    let database = Database::fresh();
    let store = open(&database, &ManualClock::at(NOW)).await.unwrap();
    filled(&database, &store, rows_of_a_day).await;
    let mut faults = Vec::new();
    for sql in statements() {
        let plan = plan_under(&store, "", &sql).await;
        if let Some(fault) = long_scan(&plan) {
            faults.push(format!("{sql}\n{fault}\n{plan:#?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    // The check would notice.
    let plan = plan_under(&store, "", "select count(*) from deliveries where type = $1").await;
    assert!(long_scan(&plan).is_some(), "{plan:#?}");
}

/// The first table of which there is much that is read from end to end.
fn long_scan(plan: &[String]) -> Option<String> {
    scans(plan).into_iter().find(|fault| LONG.iter().any(|table| fault.contains(table)))
}

/// What holds a row for every event.
const LONG: [&str; 5] = ["events", "deliveries", "attempts", "undelivered", "queue"];
const DAYS: i64 = 30;

/// So many events and deliveries on each day, a tenth of them failed with an earlier attempt, 200 endpoints and locations; and as
/// many deliveries again in the queue, all for one endpoint, as when a large receiver is down.
async fn filled(database: &Database, store: &PostgresStore, rows_of_a_day: i64) {
    let today = store::backend::days::day_at(NOW);
    store.shared.days.ensure(&store.shared.pool, today - DAYS + 1..=today).await.unwrap();
    let first_key_of = store::backend::days::first_key_of;
    for day in today - DAYS + 1..=today {
        let (first, step) = (first_key_of(day), (first_key_of(day + 1) - first_key_of(day)) / rows_of_a_day);
        let numbered = format!("from generate_series(0::bigint, {}) n", rows_of_a_day - 1);
        let key = format!("{first} + n * {step}");
        let failing = "substring(sha256('0') for 16)";
        let (endpoint, location) =
            ("substring(sha256((n % 200)::text::bytea) for 16)", "'location-' || n % 200");
        database.sql(&format!(
            "insert into events select {key}, 0, 'T' || n % 58, 0, {location}, null, null, false, '', \
                 convert_to(repeat('x', 100), 'UTF8') {numbered};
             insert into deliveries select {key}, 0, {key}, 0, {endpoint}, 'T' || n % 58, {location}, 0, null, null, \
                 case when n % 10 = 0 then 5 else 4 end, null, 1, 0, convert_to(repeat('x', 100), 'UTF8') {numbered};
             insert into attempts select {key}, {key}, 'x' {numbered} where n % 10 = 0;
             insert into undelivered select {key}, {endpoint}, {location} {numbered} where n % 10 = 0;
             insert into queue select {key}, 0, {key}, 0, {failing}, 'T' || n % 58, {location}, 0, null, null, 1, n \
                 {numbered};"
        ));
    }
    database.sql("vacuum analyze");
}

#[tokio::test]
async fn a_statement_that_scans_is_noticed() {
    let database = Database::fresh();
    let store = prepared(&database).await;
    for sql in ["select key from queue where type = $1", "select key from queue where type = $1 order by key"]
    {
        assert!(scan(&plan(&store, sql).await).is_some(), "{sql}");
    }
}

/// Three days, and statistics that say that there is much.
async fn prepared(database: &Database) -> std::sync::Arc<PostgresStore> {
    let store = open(database, &ManualClock::at(NOW)).await.unwrap();
    let today = store::backend::days::day_at(NOW);
    store.shared.days.ensure(&store.shared.pool, today - 1..=today + 1).await.unwrap();
    store
}

/// With all that is not of an index made dear, so that an empty table is enough.
async fn plan(store: &PostgresStore, sql: &str) -> Vec<String> {
    let dear = "set enable_seqscan = off; set enable_sort = off; set enable_bitmapscan = off; \
        set enable_hashjoin = off; set enable_mergejoin = off";
    plan_under(store, dear, sql).await
}

/// As it is run with parameters that are not known.
async fn plan_under(store: &PostgresStore, settings: &str, sql: &str) -> Vec<String> {
    let session = store.shared.pool.get().await.unwrap();
    session.run(&format!("set plan_cache_mode = force_generic_plan; {settings}")).await.unwrap();
    session.run(&format!("prepare p as {sql}")).await.unwrap_or_else(|fault| panic!("{fault:?}: {sql}"));
    let count = (1..40).rev().find(|n| sql.contains(&format!("${n}"))).unwrap_or(0);
    let nulls = vec!["null"; count].join(", ");
    let execute = if count == 0 { "execute p".to_owned() } else { format!("execute p ({nulls})") };
    // The prepared statement goes with the session, which is not kept.
    rows(&session, &format!("explain (costs off) {execute}")).await
}

async fn explained(store: &PostgresStore, sql: &str) -> Vec<String> {
    rows(&store.shared.pool.get().await.unwrap(), sql).await
}

async fn rows(session: &crate::session::Session, sql: &str) -> Vec<String> {
    session.text_rows(sql).await.unwrap_or_else(|fault| panic!("{fault:?}: {sql}"))
}

/// The first table that is read from end to end although it may be long: without an index, or through one whose order alone
/// is of use while most rows are thrown away.
fn scan(plan: &[String]) -> Option<String> {
    scans(plan).into_iter().next()
}

/// What a step is part of.
fn parent(plan: &[String], place: usize) -> &str {
    let depth = |step: &str| step.len() - step.trim_start().len();
    let above = plan[..place].iter().rev().filter(|step| step.contains("->"));
    above.map(String::as_str).find(|step| depth(step) < depth(&plan[place])).unwrap_or_default()
}

/// All of them.
fn scans(plan: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (place, step) in plan.iter().enumerate() {
        let table =
            step.split(" on ").nth(1).unwrap_or_default().split_whitespace().next().unwrap_or_default();
        let is_small = MAY_BE_SCANNED.contains(&table) || table.starts_with("unnest");
        if step.contains("Seq Scan") && !is_small {
            found.push(format!("scans {table}"));
        }
        let details = plan[place + 1..].iter().take_while(|detail| !detail.contains("->"));
        let details: Vec<_> = details.collect();
        let is_index = step.contains("Index Scan") || step.contains("Index Only Scan");
        let is_bound = details.iter().any(|detail| detail.contains("Index Cond"));
        let is_thrown_away = details.iter().any(|detail| detail.contains("Filter:"))
            || parent(plan, place).contains("Merge Join");
        if is_index && !is_bound && !is_small && is_thrown_away {
            found.push(format!("walks all of {table}"));
        }
    }
    found
}

fn statements() -> Vec<String> {
    let mut all: Vec<String> = fixed().into_iter().map(str::to_owned).collect();
    all.extend(sorted_by_an_index());
    for order in DeliveryOrder::ALL {
        all.extend(Compared::ALL.map(|compared| ended_keys_sql(order, compared)));
        all.extend([queued_keys_sql(order), held_keys_sql(order)]);
    }
    for compared in &Compared::ALL[..2] {
        all.push(events_sql(EventOrder::Locations(domain::event::EventScope::Company), *compared));
    }
    all
}

fn sorted_by_an_index() -> Vec<String> {
    let mut listings: Vec<String> = [
        api_keys::LIST,
        sessions::LIST,
        audit::LIST_ALL,
        audit::LIST_OF_OWNER,
        audit::LIST_OF_OBJECT,
        endpoints::LIST_ALL,
        endpoints::LIST_OF_OWNER,
        queue::DUE,
        endpoint_rows::SEALED_SLICE,
    ]
    .map(str::to_owned)
    .to_vec();
    for order in [DeliveryOrder::Time, DeliveryOrder::Location, DeliveryOrder::Event, DeliveryOrder::Status] {
        listings.extend(Compared::ALL.map(|compared| ended_keys_sql(order, compared)));
    }
    for order in [DeliveryOrder::Time, DeliveryOrder::Location, DeliveryOrder::Event] {
        listings.push(queued_keys_sql(order));
    }
    for place in [Place::Anywhere, Place::OneLocation] {
        listings.extend([undelivered_sql(place), unfinished_sql(place)]);
    }
    for order in [EventOrder::Time, EventOrder::Company] {
        listings.extend(Compared::ALL[..2].iter().map(|compared| events_sql(order, *compared)));
    }
    listings
}

fn fixed() -> Vec<&'static str> {
    let traffic = [
        log::INSERT_EVENTS,
        log::INLINE_HEADS,
        log::LATEST_HEADS,
        log::INSERT_HELD,
        log::INSERT_QUEUED,
        log::INSERT_ENDED,
        log::INSERT_ATTEMPTS,
        log::INSERT_UNDELIVERED,
        log::DELETE_UNDELIVERED,
        log::QUEUED,
        log::HELD,
        log::ENDED,
        log::REMOVE_QUEUED,
        log::REMOVE_HELD,
        log::HELD_UNTIL,
        log::INLINE_ATTEMPT,
        log::ATTEMPTS,
        log::COUNT_LATE_ATTEMPT,
        log::EVENTS,
        log::PAYLOADS,
        record::LET_GO,
        queue::CLAIM,
        queue::NEXT_DUE,
        queue::RELEASE,
        queue::END_SOME,
        queue::DROP_HELD,
        queue::IS_ENABLED,
        once::TAKE,
        once::ANSWER,
        once::KEPT,
        deliveries::BRING_FORWARD,
        tallies::ROWS,
        tallies::PART,
        tallies::PUT,
    ];
    [&traffic[..], &of_nodes(), &of_sweeps(), &of_nouns()].concat()
}

fn of_nodes() -> [&'static str; 29] {
    [
        nodes::NEXT_FENCE,
        nodes::BEAT,
        nodes::LEAVE,
        nodes::END_SILENT,
        nodes::ADOPT,
        nodes::FREE,
        follow::NEXT_REVISION,
        follow::REVISION,
        follow::LOOK,
        follow::PRUNED,
        follow::TELL,
        follow::SINCE,
        follow::PRUNE,
        days::KNOWN,
        days::OLDEST,
        whole::TELL_STEP,
        whole::FORGET_STEPS,
        whole::LIVING,
        whole::STEPS,
        told::LISTENING,
        told::TELL_ATTEMPTS,
        told::TELL_CHANGED,
        told::SINCE,
        told::LATEST,
        told::FIRST,
        told::PRUNE,
        told::HOLD,
        told::RAISE,
        told::LEAVE_OUT,
    ]
}

fn of_sweeps() -> [&'static str; 11] {
    [
        maintenance::EXPIRED_ANSWERS,
        maintenance::EXPIRED_QUEUED,
        maintenance::EXPIRED_HELD,
        maintenance::FORGOTTEN_ENDPOINTS,
        sessions::EXPIRED,
        sessions::ANY_EXPIRED,
        audit::EXPIRED,
        tallies::TAKE_OLD_MINUTES,
        tallies::EXPIRED,
        tallies::DELETE,
        told::EXPIRED,
    ]
}

fn of_nouns() -> [&'static str; 36] {
    [
        scope::COMPANY_OF,
        scope::OWNER_OF,
        scope::ENDPOINTS_OF_OWNER,
        scope::ENDPOINTS_IN_COMPANY,
        scope::LOCATIONS_OF_COMPANY,
        endpoint_rows::PUT,
        endpoint_rows::BY_ID,
        endpoint_rows::RESEAL,
        sealing::NEW_CANARY,
        endpoints::COUNT_OF_OWNER,
        health::PUT,
        health::DELETE,
        health::BY_ID,
        health::IS_RECEIVER,
        tallies::ARE_THERE,
        api_keys::INSERT,
        api_keys::BY_ID,
        api_keys::DELETE,
        api_keys::GRANTED,
        api_keys::COUNT_OF_OWNER,
        api_keys::USED,
        sessions::INSERT,
        sessions::OPEN,
        sessions::DELETE,
        sessions::BY_CODE,
        sessions::BY_ID,
        sessions::GRANTED,
        sessions::COUNT_OF_OWNER,
        sessions::USED,
        audit::INSERT,
        audit::API_KEY_LASTS,
        audit::SESSION_LASTS,
        tenants::PUT_LOCATION,
        tenants::LOCATION,
        tenants::UNINSTALL,
        tenants::INSTALLS,
    ]
}

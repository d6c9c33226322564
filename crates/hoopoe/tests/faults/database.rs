//! The database under load: it dies and comes back, a standby takes its place, it may not be written, it has no connection
//! left. Publishers are told to come again, nothing acknowledged is lost, and everything goes on by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use testkit::{Client, Postgres, Receiver, Running, eventually};

use crate::bounds::Bounds;
use crate::ledger::{ANSWER, Ledger};
use crate::nodes::{node, node_at};
use crate::site::{LOCATION, api, contact, endpoint, until_all_are_finished, until_known};

const PUBLISHERS: usize = 8;
const ACKNOWLEDGED: usize = 300;
/// From the moment at which the database can be written until publications are taken.
const RECOVERY: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_database_died_arrives_once_it_is_back() {
    let (server, receiver, ledger) = (Postgres::own(), Receiver::start().await, Ledger::default());
    let database = server.database();
    let hoopoe = node(&database).start().await;
    let api = api(&hoopoe);
    endpoint(&api, LOCATION, &receiver.url("/hook")).await;
    let load = ledger.publish(&api, PUBLISHERS);
    ledger.wait_for(ACKNOWLEDGED).await;
    server.crash();
    load.stop().await;
    for n in 0..3 {
        must_be_told_to_come_again(&api, n).await;
    }
    server.start();
    let at = Instant::now();
    eventually("a publication to be taken again", || async {
        (ledger.publish_one(&api).await == Some(202)).then_some(())
    })
    .await;
    println!("publishing again {:?} after the database is", at.elapsed());
    until_all_are_finished(&api).await;
    println!("{} events, finished {:?} after the database is back", ledger.acknowledged(), at.elapsed());
    assert!(at.elapsed() < RECOVERY, "{:?}", at.elapsed());
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
}

pub(crate) async fn must_be_told_to_come_again(api: &Client, n: usize) {
    let at = Instant::now();
    let answered = api.post("/v1/events", &contact(LOCATION, 1_000_000 + n)).await;
    answered.expect_problem(503, "store-unavailable");
    assert!(answered.header("retry-after").is_some(), "a 503 says when to come again");
    assert!(at.elapsed() < ANSWER, "{:?}", at.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_to_a_synchronous_standby_nothing_acknowledged_is_lost() {
    let (primary, receiver, ledger) = (Postgres::own(), Receiver::start().await, Ledger::default());
    let database = Arc::new(primary.database());
    let standby = primary.standby();
    let addresses = [primary.address(), standby.address()];
    let url = database.url_at(&addresses);
    let [one, two] = [node_at(&url).start().await, node_at(&url).start().await];
    let apis = [api(&one), api(&two)];
    endpoint_on_all(&apis, &receiver).await;
    let bounds = Bounds::watch(&database, &addresses, &apis);
    let load = ledger.insist(&apis, PUBLISHERS);
    ledger.wait_for(ACKNOWLEDGED).await;
    primary.crash();
    for (n, api) in apis.iter().enumerate() {
        must_be_told_to_come_again(api, n).await;
    }
    let at = Instant::now();
    standby.promote();
    ledger.wait_for(ledger.acknowledged() + ACKNOWLEDGED).await;
    let recovered = at.elapsed();
    let told = load.stop().await;
    until_all_are_finished(&apis[0]).await;
    println!(
        "{} events, publishing again {recovered:?} after the promotion began, {told:?}",
        ledger.acknowledged()
    );
    told.must_be_right();
    assert!(told.refused > 0 && recovered < RECOVERY, "{recovered:?}");
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
    bounds.must_hold().await;
    must_have_kept_its_place(&[one, two]);
}

/// PostgreSQL lets a commit wait for ever then, also when nobody awaits its answer any more.
#[tokio::test(flavor = "multi_thread")]
async fn commits_that_wait_for_a_standby_that_is_gone_do_not_pile_up() {
    let (primary, receiver, ledger) = (Postgres::own(), Receiver::start().await, Ledger::default());
    // Longer there than the database, which could not be dropped without it.
    let standby = primary.standby();
    let database = Arc::new(primary.database());
    let hoopoe = node(&database).start().await;
    let apis = [api(&hoopoe)];
    endpoint(&apis[0], LOCATION, &receiver.url("/hook")).await;
    let bounds = Bounds::watch(&database, &[primary.address()], &apis);
    let load = ledger.insist(&apis, PUBLISHERS);
    ledger.wait_for(ACKNOWLEDGED).await;
    standby.crash();
    must_be_told_to_come_again(&apis[0], 0).await;
    standby.start();
    let at = Instant::now();
    ledger.wait_for(ledger.acknowledged() + ACKNOWLEDGED).await;
    let recovered = at.elapsed();
    let told = load.stop().await;
    until_all_are_finished(&apis[0]).await;
    println!("publishing again {recovered:?} after the standby is back, {told:?}");
    told.must_be_right();
    assert!(told.refused > 0 && recovered < RECOVERY, "{recovered:?}");
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
    bounds.must_hold().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_may_not_be_written_publishers_wait() {
    let (server, receiver, ledger) = (Postgres::own(), Receiver::start().await, Ledger::default());
    let database = Arc::new(server.database());
    let hoopoe = node(&database).start().await;
    let apis = [api(&hoopoe)];
    endpoint(&apis[0], LOCATION, &receiver.url("/hook")).await;
    let bounds = Bounds::watch(&database, &[server.address()], &apis);
    let load = ledger.insist(&apis, PUBLISHERS);
    ledger.wait_for(ACKNOWLEDGED).await;
    read_only(&server, "on");
    eventually("a refusal", || async { (ledger.publish_one(&apis[0]).await == Some(503)).then_some(()) })
        .await;
    for n in 0..3 {
        must_be_told_to_come_again(&apis[0], n).await;
    }
    let listed = apis[0].get("/v1/endpoints").await;
    assert!(matches!(listed.status.as_u16(), 200 | 503), "{}", listed.text());
    read_only(&server, "off");
    let at = Instant::now();
    ledger.wait_for(ledger.acknowledged() + ACKNOWLEDGED).await;
    let told = load.stop().await;
    until_all_are_finished(&apis[0]).await;
    println!(
        "{} events, finished {:?} after it may be written, {told:?}",
        ledger.acknowledged(),
        at.elapsed()
    );
    told.must_be_right();
    assert!(at.elapsed() < RECOVERY, "{:?}", at.elapsed());
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
    bounds.must_hold().await;
}

fn read_only(server: &Postgres, state: &str) {
    server.sql(&format!("alter system set default_transaction_read_only = {state}"));
    server.sql("select pg_reload_conf()");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_lives_with_the_connections_that_it_has_when_others_hold_the_rest() {
    let (server, receiver, ledger) = (Postgres::own(), Receiver::start().await, Ledger::default());
    server.sql("alter system set max_connections = 40");
    server.crash();
    server.start();
    let database = server.database();
    let slots = server.take_all_connections();
    let refused = node(&database).run(b"").await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("no connection left"), "{}", refused.stderr);
    drop(slots);
    // What was dropped a moment ago is free soon.
    eventually("a connection", || async { database.try_sql_at(&[server.address()], "select 1") }).await;
    let hoopoe = node(&database).start().await;
    let apis = [api(&hoopoe)];
    endpoint(&apis[0], LOCATION, &receiver.url("/hook")).await;
    let load = ledger.insist(&apis, PUBLISHERS);
    ledger.wait_for(ACKNOWLEDGED).await;
    let slots = server.take_all_connections();
    // What it has is enough to go on.
    let at = Instant::now();
    ledger.wait_for(ledger.acknowledged() + ACKNOWLEDGED).await;
    let slowed = at.elapsed();
    load.stop().await.must_be_right();
    drop(slots);
    until_all_are_finished(&apis[0]).await;
    println!(
        "{} events, {ACKNOWLEDGED} of them in {slowed:?} without a connection left",
        ledger.acknowledged()
    );
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());

    // And if the server ends even those, it waits for better times.
    let load = ledger.insist(&apis, PUBLISHERS);
    let mut slots = server.take_all_connections();
    eventually("no connection of the node's", || {
        let had = slots.push_out("hoopoe");
        async move { (had == 0).then_some(()) }
    })
    .await;
    must_be_told_to_come_again(&apis[0], 0).await;
    let at = Instant::now();
    drop(slots);
    ledger.wait_for(ledger.acknowledged() + ACKNOWLEDGED).await;
    let told = load.stop().await;
    until_all_are_finished(&apis[0]).await;
    println!("finished {:?} after there are connections again, {told:?}", at.elapsed());
    told.must_be_right();
    assert!(at.elapsed() < RECOVERY, "{:?}", at.elapsed());
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
}

pub(crate) async fn endpoint_on_all(apis: &[Client], receiver: &Receiver) {
    endpoint_at_all(apis, &receiver.url("/hook")).await;
}

/// Known to every node.
pub(crate) async fn endpoint_at_all(apis: &[Client], url: &str) {
    let id = endpoint(&apis[0], LOCATION, url).await;
    for api in apis {
        until_known(api, &id).await;
    }
}

/// An outage of the database makes no node hold another for dead.
#[track_caller]
pub(crate) fn must_have_kept_its_place(nodes: &[Running]) {
    for node in nodes {
        assert!(!node.stderr().contains("fallen silent"), "{}", node.stderr());
    }
}

//! Two nodes behind a balancer, restarted one after the other under load; and beside a schema of a version to come.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::Method;
use testkit::{Answer, Client, Database, Receiver, Running, eventually};

use crate::database::endpoint_on_all;
use crate::ledger::{Ledger, arrivals, duplicates};
use crate::nodes::{node, node_at_with};
use crate::site::{LOCATION, api, binary, contact, endpoint, until_all_are_finished, until_known};

const PUBLISHERS: usize = 8;
/// Between two restarts, and before the first.
const ACKNOWLEDGED: usize = 200;

/// Sends each request to one of two nodes in turn and, where that does not take it, once to the other.
#[derive(Default)]
struct Balancer {
    nodes: Mutex<[Option<Client>; 2]>,
    next: AtomicUsize,
    /// Requests that the first node did not take.
    healed: AtomicUsize,
    acknowledged: Mutex<BTreeSet<String>>,
    refused: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Balancer {
    fn put(&self, place: usize, node: Option<Client>) {
        self.nodes.lock().unwrap()[place] = node;
    }

    async fn publish(&self) {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let mut faults = Vec::new();
        for place in [n % 2, (n + 1) % 2] {
            let node = self.nodes.lock().unwrap()[place].clone();
            let Some(node) = node else { continue };
            let node = node.with_header("idempotency-key", &format!("rolling-{n}"));
            match node.try_send(Method::POST, "/v1/events", contact(LOCATION, n).to_string()).await {
                Ok(answered) if answered.status == 202 => {
                    self.healed.fetch_add(usize::from(!faults.is_empty()), Ordering::Relaxed);
                    let id = answered.json()["id"].as_str().unwrap().to_owned();
                    self.acknowledged.lock().unwrap().insert(id);
                    return;
                }
                Ok(answered) => faults.push(answered.text()),
                Err(fault) => faults.push(fault),
            }
        }
        self.refused.lock().unwrap().push(faults.join("; "));
    }

    async fn wait_for_more(&self) {
        let wanted = self.acknowledged.lock().unwrap().len() + ACKNOWLEDGED;
        eventually("acknowledged events", || async {
            (self.acknowledged.lock().unwrap().len() >= wanted).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_restarted_one_after_the_other_refuse_and_lose_nothing() {
    let (database, receiver) = (Database::fresh(), Receiver::start().await);
    let mut nodes = [node(&database).start().await, node(&database).start().await];
    let balancer = Arc::new(Balancer::default());
    for (place, node) in nodes.iter().enumerate() {
        balancer.put(place, Some(api(node)));
    }
    endpoint_on_all(&nodes.each_ref().map(api), &receiver).await;
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|_| {
            let balancer = Arc::clone(&balancer);
            tokio::spawn(async move {
                while !balancer.is_over.load(Ordering::Relaxed) {
                    balancer.publish().await;
                }
            })
        })
        .collect();
    balancer.wait_for_more().await;
    let first_stop_at = Instant::now();
    let mut said = String::new();
    for place in [0, 1] {
        // The balancer does not know of it: what it sends there meanwhile goes to the other node then.
        nodes[place].signal("TERM").await;
        assert!(nodes[place].ended().await.success(), "{}", nodes[place].stderr());
        balancer.put(place, None);
        said += &nodes[place].stderr();
        balancer.wait_for_more().await;
        nodes[place] = node(&database).start().await;
        balancer.put(place, Some(api(&nodes[place])));
        balancer.wait_for_more().await;
    }
    balancer.is_over.store(true, Ordering::Relaxed);
    for publisher in publishers {
        publisher.await.unwrap();
    }
    until_all_are_finished(&api(&nodes[0])).await;
    let (took, repeated) = (first_stop_at.elapsed(), duplicates(&receiver));
    let acknowledged = balancer.acknowledged.lock().unwrap().clone();
    println!(
        "{} events, {} sent to the other node, everything delivered {took:?} after the first stop, {repeated} twice",
        acknowledged.len(),
        balancer.healed.load(Ordering::Relaxed)
    );
    assert_eq!(*balancer.refused.lock().unwrap(), Vec::<String>::new());
    let seen = arrivals(&receiver);
    let missing: Vec<_> = acknowledged.iter().filter(|id| !seen.contains_key(*id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(repeated, 0, "attempts that ran ended before their node did");
    // Nothing waited until a node was held for dead.
    said.extend(nodes.iter().map(Running::stderr));
    assert!(!said.contains("has fallen silent"), "{said}");
}

/// What a migration may do to each table that is there: a column more, which a row need not name.
const WIDEN: &str = "select format('alter table %I add column to_come text not null default %L', relname, 'x') \
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition";
const BEYOND: &str =
    "create table to_come (id bigint primary key); update schema_version set version = version + 1";

#[tokio::test(flavor = "multi_thread")]
async fn nodes_serve_on_beside_the_schema_of_a_version_to_come() {
    let (database, receiver, ledger) = (Database::fresh(), Receiver::start().await, Ledger::default());
    let retrying = || {
        let command =
            binary().args(["serve", "--dev", "--listen", "127.0.0.1:0", "--retry-schedule", "1,1,1,1"]);
        node_at_with(command, &database.url())
    };
    let nodes = [retrying().start().await, retrying().start().await];
    let apis = nodes.each_ref().map(api);
    // Some are put off before the change and claimed after it.
    receiver.script("/hook", (0..ACKNOWLEDGED).map(|n| Answer::status(if n % 4 == 0 { 503 } else { 200 })));
    endpoint_on_all(&apis, &receiver).await;
    let publishing = ledger.insist(&apis, PUBLISHERS);
    ledger.wait_for(ACKNOWLEDGED).await;
    for widen in database.sql(WIDEN).lines() {
        database.sql(widen);
    }
    database.sql(BEYOND);
    ledger.wait_for(ledger.acknowledged() + ACKNOWLEDGED).await;
    let made = endpoint(&apis[1], "another", &receiver.url("/another")).await;
    let failed = ledger.publish_one(&apis[1]).await;
    let told = publishing.stop().await;
    told.must_be_right();
    assert_eq!((told.refused, failed), (0, Some(202)));
    until_known(&apis[0], &made).await;
    until_all_are_finished(&apis[0]).await;
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
    let listed = apis[1].get("/v1/deliveries?status=succeeded&limit=200").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 200);

    let refused = retrying().run(b"").await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("start a newer Hoopoe"), "{}", refused.stderr);
    for mut node in nodes {
        node.signal("TERM").await;
        assert!(node.ended().await.success(), "{}", node.stderr());
        assert!(!node.stderr().contains("ERROR"), "{}", node.stderr());
    }
}

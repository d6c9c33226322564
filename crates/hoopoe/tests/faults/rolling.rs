//! Two nodes behind a balancer, restarted one after the other under load.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::Method;
use testkit::{Client, Database, Receiver, Running, eventually};

use crate::ledger::{arrivals, duplicates};
use crate::nodes::node;
use crate::site::{LOCATION, api, contact, endpoint, until_all_are_finished};

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
    endpoint(&api(&nodes[0]), LOCATION, &receiver.url("/hook")).await;
    eventually("the endpoint on the other node", || async {
        let listed = api(&nodes[1]).get("/v1/endpoints").await.expect(200);
        (listed["data"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
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

//! Several nodes seen as one: what each shows is what happens on all.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Client, Database, Receiver, Sse, eventually};

use crate::nodes::node;
use crate::site::{KEY, LOCATION, api, contact, endpoint};

async fn listening(client: &Client) -> Sse {
    client.open("/v1/stream?payloads=true").await.unwrap().begun().await
}

async fn on_both(one: &Client, two: &Client) {
    let known = one.get("/v1/endpoints").await.expect(200);
    eventually("the endpoints on the other node", || async {
        (two.get("/v1/endpoints").await.expect(200)["data"] == known["data"]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_lists_all_and_counts_what_all_do() {
    let (database, receiver) = (Database::fresh(), Receiver::start().await);
    let mut one = node(&database).start().await;
    let two = node(&database).start().await;
    let apis = [api(&one), api(&two)];
    endpoint(&apis[0], LOCATION, &receiver.url("/hook")).await;
    on_both(&apis[0], &apis[1]).await;
    for (api, events) in apis.iter().zip([2, 3]) {
        for n in 0..events {
            api.post("/v1/events", &contact(LOCATION, n)).await.expect(202);
        }
    }
    let sum = |shown: &Value, member: &str| {
        shown["series"].as_array().unwrap().iter().map(|step| step[member].as_u64().unwrap()).sum::<u64>()
    };
    for api in &apis {
        // Nodes tell every five seconds.
        let shown = eventually("what both counted", || async {
            let shown = api.get("/v1/system").await.expect(200);
            (sum(&shown, "accepted") == 5 && sum(&shown, "delivered") == 5).then_some(shown)
        })
        .await;
        let nodes = shown["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 2, "{shown}");
        let rates = |member: &str| nodes.iter().map(|node| node[member].as_f64().unwrap()).sum::<f64>();
        for member in ["acceptedPerSecond", "deliveredPerSecond", "failedPerSecond", "inFlight"] {
            assert!((rates(member) - shown[member].as_f64().unwrap()).abs() < 1e-9, "{member} in {shown}");
        }
        assert_eq!(nodes.iter().filter(|node| node["id"] == shown["answeredBy"]).count(), 1, "{shown}");
    }
    one.signal("TERM").await;
    assert!(one.ended().await.success());
    let shown = apis[1].get("/v1/system").await.expect(200);
    assert_eq!(shown["nodes"].as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(sum(&shown, "accepted"), 5, "what a node that has left counted stays: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_on_one_node_is_heard_on_the_other() {
    let (database, receiver) = (Database::fresh(), Receiver::start().await);
    let one = node(&database).start().await;
    let two = node(&database).start().await;
    let (at_one, at_two) = (api(&one), api(&two));
    let mut stream = listening(&at_two).await;

    let id = endpoint(&at_one, LOCATION, &receiver.url("/hook")).await;
    let route = format!("/v1/endpoints/{id}");
    assert_eq!(stream.heard("endpoint").await, at_one.get(&route).await.expect(200));
    let mut latest = Duration::ZERO;
    for n in 0..5 {
        let event = at_one.post("/v1/events", &contact(LOCATION, n)).await.expect(202);
        receiver.wait_for(n + 1).await;
        let at = Instant::now();
        let told = stream.heard("attempt").await;
        latest = latest.max(at.elapsed());
        assert_eq!(told["delivery"]["eventId"], event["id"]);
        let sent = receiver.received().pop().unwrap();
        assert_eq!(told["payload"].as_str().unwrap().as_bytes(), sent.body);
        let shown = at_one.get(&format!("/v1/deliveries/{}", told["delivery"]["id"].as_str().unwrap())).await;
        assert_eq!(shown.expect(200)["attempts"][0], told["attempt"]);
    }
    println!("heard on the other node at most {latest:?} after it arrived");
    at_one.post(&format!("{route}/test"), &json!({})).await.expect(200);
    assert_eq!(stream.heard("attempt").await["delivery"]["trigger"], "test");
    let disabled = at_one.post(&format!("{route}/disable"), &json!({})).await.expect(200);
    assert_eq!(stream.heard("endpoint").await, disabled);
    at_one.delete(&route).await.expect(204);
    assert_eq!(stream.heard("endpoint").await, json!({"id": id, "deleted": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_at_another_node_where_the_first_one_left_it() {
    let (database, receiver) = (Database::fresh(), Receiver::start().await);
    let mut one = node(&database).start().await;
    let two = node(&database).start().await;
    let (at_one, at_two) = (api(&one), api(&two));
    endpoint(&at_one, LOCATION, &receiver.url("/hook")).await;
    on_both(&at_one, &at_two).await;
    let mut stream = listening(&at_one).await;
    let mut published = Vec::new();
    let publish = async |api: &Client, n: usize| {
        let event = api.post("/v1/events", &contact(LOCATION, n)).await.expect(202);
        event["id"].as_str().unwrap().to_owned()
    };
    for n in 0..10 {
        published.push(publish(if n % 2 == 0 { &at_one } else { &at_two }, n).await);
    }
    let mut told = Vec::new();
    for _ in 0..4 {
        let attempt = stream.heard("attempt").await;
        told.push(attempt["delivery"]["eventId"].as_str().unwrap().to_owned());
    }
    let left_at = stream.last_id.clone();
    drop(stream);
    one.signal("TERM").await;
    assert!(one.ended().await.success());
    for n in 10..20 {
        published.push(publish(&at_two, n).await);
    }
    let resumed = Client::new(at_two.base()).with_key(KEY).with_header("last-event-id", &left_at);
    let mut stream = listening(&resumed).await;
    while told.len() < published.len() {
        let attempt = stream.heard("attempt").await;
        told.push(attempt["delivery"]["eventId"].as_str().unwrap().to_owned());
    }
    // Every one once.
    told.sort_unstable();
    published.sort_unstable();
    assert_eq!(told, published);
}

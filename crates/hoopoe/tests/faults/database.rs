//! The database dies under load and comes back.

use std::time::{Duration, Instant};

use testkit::{Postgres, Receiver, eventually};

use crate::ledger::Ledger;
use crate::nodes::node;
use crate::site::{LOCATION, api, contact, endpoint, until_all_are_finished};

const ACKNOWLEDGED: usize = 300;
/// For the answer to a publication while the database is away.
const ANSWER: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_database_died_arrives_once_it_is_back() {
    let (server, receiver, ledger) = (Postgres::own(), Receiver::start().await, Ledger::default());
    let database = server.database();
    let hoopoe = node(&database).start().await;
    let api = api(&hoopoe);
    endpoint(&api, LOCATION, &receiver.url("/hook")).await;
    let load = ledger.publish(&api, 8);
    ledger.wait_for(ACKNOWLEDGED).await;
    server.crash();
    load.stop().await;
    for n in 0..3 {
        let at = Instant::now();
        let answered = api.post("/v1/events", &contact(LOCATION, 1_000_000 + n)).await;
        assert_eq!(answered.status.as_u16(), 503, "{}", answered.text());
        assert!(answered.header("retry-after").is_some(), "a 503 says when to come again");
        assert!(at.elapsed() < ANSWER, "{:?}", at.elapsed());
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
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
}

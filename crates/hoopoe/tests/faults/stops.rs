//! SIGTERM: what runs is finished, what waits is kept, and the next start has nothing to repair.

use testkit::{Answer, Gate, Receiver};

use crate::ledger::{Ledger, duplicates};
use crate::site::{LOCATION, Site, api, contact, endpoint, until_all_are_finished};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_the_running_attempt_end_and_records_it() {
    let (site, receiver) = (Site::new(), Receiver::start().await);
    let mut server = site.start().await;
    endpoint(&api(&server), LOCATION, &receiver.url("/hook")).await;
    let gate = Gate::default();
    receiver.script("/hook", [Answer::status(200).when(&gate)]);
    let event = api(&server).post("/v1/events", &contact(LOCATION, 0)).await.expect(202);
    receiver.wait_for(1).await;
    server.signal("TERM").await;
    testkit::eventually("the listener to close", || async {
        tokio::net::TcpStream::connect(server.base().trim_start_matches("http://"))
            .await
            .is_err()
            .then_some(())
    })
    .await;
    gate.open();
    assert!(server.ended().await.success(), "{}", server.stderr());

    let server = site.start().await;
    let deliveries = api(&server)
        .get(&format!("/v1/deliveries?eventId={}", event["id"].as_str().unwrap()))
        .await
        .expect(200);
    let delivery = &deliveries["data"][0];
    assert_eq!((&delivery["status"], &delivery["attemptCount"]), (&"succeeded".into(), &1.into()));
    assert_eq!(receiver.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_under_load_lose_nothing_and_repeat_nothing() {
    let (site, receiver, ledger) = (Site::new(), Receiver::start().await, Ledger::default());
    for round in 0..3 {
        let mut server = site.start().await;
        if round == 0 {
            endpoint(&api(&server), LOCATION, &receiver.url("/hook")).await;
        }
        let load = ledger.publish(&api(&server), 8);
        receiver.wait_for(receiver.count() + 100).await;
        server.signal("TERM").await;
        assert!(server.ended().await.success(), "{}", server.stderr());
        load.stop().await;
    }
    let server = site.start().await;
    until_all_are_finished(&api(&server)).await;
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
    assert_eq!(duplicates(&receiver), 0);
}

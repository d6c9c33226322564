//! `kill -9` at random moments under load: what was acknowledged arrives, and little arrives twice.

use std::time::{Duration, Instant};

use domain::limits::{IN_FLIGHT_PER_ENDPOINT, RECORD_WAIT_MS};
use testkit::{Answer, Gate, Receiver};

use crate::ledger::{Ledger, duplicates};
use crate::site::{LOCATION, Site, api, contact, endpoint, until_all_are_finished};

const PUBLISHERS: usize = 16;
/// Outcomes wait this long for company; the commit that then runs when the process dies counts as not recorded.
pub(crate) const RECORD_WINDOW: Duration = Duration::from_millis(RECORD_WAIT_MS as u64 + COMMIT_MS);
/// A commit on a disk that others use too.
const COMMIT_MS: u64 = 50;
/// Acknowledgements between a start and its kill: several windows' worth, or the bound below would allow everything.
const ACKNOWLEDGED_MIN: usize = 400;

/// 10, or 100 under `make soak`.
fn kills() -> usize {
    if std::env::var_os("HOOPOE_SOAK").is_some() { 100 } else { 10 }
}

/// SplitMix64: the moments of the kills, the same in every run.
pub(crate) fn random(seed: u64) -> u64 {
    let z = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 31)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_arrives_although_the_server_is_killed_again_and_again() {
    let (site, receiver, ledger) = (Site::new(), Receiver::start().await, Ledger::default());
    let first = site.start().await;
    endpoint(&api(&first), LOCATION, &receiver.url("/hook")).await;
    first.kill().await;
    let mut allowed = 0;
    for round in 0..kills() {
        let server = site.start().await;
        let before = ledger.acknowledged();
        let load = ledger.publish(&api(&server), PUBLISHERS);
        // After so many more acknowledgements: a moment that is random and yet under load.
        let more = ACKNOWLEDGED_MIN + (random(round as u64) % 400) as usize;
        ledger.wait_for(before + more).await;
        let at = Instant::now();
        server.kill().await;
        load.stop().await;
        allowed += IN_FLIGHT_PER_ENDPOINT + answered_within(&receiver, at, RECORD_WINDOW);
    }
    let server = site.start().await;
    until_all_are_finished(&api(&server)).await;
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
    let duplicates = duplicates(&receiver);
    println!(
        "{} events, {} kills, {duplicates} duplicates of {allowed} allowed",
        ledger.acknowledged(),
        kills()
    );
    assert!(duplicates <= allowed, "{duplicates} duplicates, {allowed} allowed");
}

pub(crate) fn answered_within(receiver: &Receiver, until: Instant, window: Duration) -> usize {
    let since = until.checked_sub(window).unwrap();
    receiver.received().iter().filter(|request| request.arrived_at >= since).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_held_is_resumed_at_once() {
    let (site, receiver) = (Site::new(), Receiver::start().await);
    let server = site.start().await;
    endpoint(&api(&server), LOCATION, &receiver.url("/hook")).await;
    let gate = Gate::default();
    receiver.script("/hook", [Answer::status(200).when(&gate)]);
    let event = api(&server).post("/v1/events", &contact(LOCATION, 0)).await.expect(202);
    receiver.wait_for(1).await;
    server.kill().await;

    let at = Instant::now();
    let server = site.start().await;
    let received = receiver.wait_for(2).await;
    // A retry would come after 4 s at least.
    assert!(received[1].arrived_at - at < Duration::from_secs(4), "{:?}", received[1].arrived_at - at);
    assert_eq!(received[1].expect_header("webhook-id"), event["id"].as_str().unwrap());
    assert_eq!(received[1].expect_header("x-wl-attempt"), "1");
    until_all_are_finished(&api(&server)).await;
}

//! The feed keeps what somebody listens for, within its bounds, and says when it could not.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;

use domain::endpoint::{Endpoint, EndpointState, Subscription};
use domain::id::EndpointId;
use domain::limits::FEED_EVENTS_MAX;
use domain::scope::Owner;
use domain::secret::{SecretText, Secrets};
use domain::time::Timestamp;
use hoopoe_store::feed::{Feed, Happened, Heard, Listener};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn changed(number: u128) -> Happened {
    let endpoint = Endpoint {
        id: EndpointId::from_bits(number),
        owner: Owner::Location("loc".parse().unwrap()),
        url: "https://hooks.example.com/in".into(),
        description: String::new(),
        subscription: Subscription::All,
        headers: Vec::new(),
        retry_schedule: None,
        skip_own_events: false,
        state: EndpointState::Enabled { since: NOW },
        secrets: Secrets::new(SecretText::new("s".into())),
        created_at: NOW,
        updated_at: NOW,
    };
    Happened::Changed { endpoint: Arc::new(endpoint), failing: None }
}

/// The numbers of the endpoints heard of; `Err`: where it goes on after a loss.
fn heard(listener: &Listener, from: u64) -> Result<Vec<u128>, u64> {
    match listener.hear(from, 10) {
        Heard::Events(events) => Ok(events.iter().map(|event| event.endpoint().id.bits()).collect()),
        Heard::Lost { next } => Err(next),
    }
}

#[tokio::test]
async fn whoever_listens_hears_everything_in_order_and_each_from_where_he_was() {
    let feed = Arc::new(Feed::default());
    feed.put([changed(0)]);
    assert!(!feed.is_wanted());
    let mut listener = feed.listen();
    let start = listener.next();
    assert_eq!(heard(&listener, start), Ok(vec![]), "nothing from before");
    feed.put((1..=3).map(changed));
    listener.wait_for(start).await;
    assert_eq!(heard(&listener, start), Ok(vec![1, 2, 3]));
    assert_eq!(heard(&listener, start + 2), Ok(vec![3]));
    let second = feed.listen();
    assert_eq!(heard(&second, start), Ok(vec![1, 2, 3]), "what is kept can be resumed from");
    drop(listener);
    feed.put([changed(4)]);
    assert_eq!(heard(&second, start + 3), Ok(vec![4]));
}

#[tokio::test]
async fn a_number_that_is_not_kept_any_more_or_never_was_is_lost() {
    let feed = Arc::new(Feed::default());
    let listener = feed.listen();
    let start = listener.next();
    feed.put((0..FEED_EVENTS_MAX as u128 + 5).map(changed));
    let next = start + FEED_EVENTS_MAX as u64 + 5;
    assert_eq!(heard(&listener, start + 4), Err(next));
    assert_eq!(heard(&listener, start + 5).unwrap()[0], 5);
    assert_eq!(heard(&listener, next), Ok(vec![]));
    assert_eq!(heard(&listener, next + 1), Err(next));
}

#[tokio::test]
async fn between_two_listeners_that_follow_each_other_nothing_is_lost() {
    let feed = Arc::new(Feed::default());
    let listener = feed.listen();
    let start = listener.next();
    drop(listener);
    assert!(feed.is_wanted(), "he may come back");
    feed.put([changed(1)]);
    assert_eq!(heard(&feed.listen(), start), Ok(vec![1]));
}

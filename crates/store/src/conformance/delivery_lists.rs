//! Listings of deliveries: finished and unfinished ones in one order, their pages, their filters.

use std::collections::HashSet;

use domain::attempt::Attempt;
use domain::delivery::{Delivery, EndReason, Status};
use domain::endpoint::Endpoint;
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use domain::retry::Verdict;
use domain::scope::Scope;

use super::stage::{DAY_S, Draft, NOW, Stage, at, location};
use crate::deliveries::DeliveryFilter;
use crate::events::EventFilter;
use crate::page::{PageRequest, Span};

/// What the log shows of deliveries in every status but `waiting`, over three days; oldest first.
async fn some_of_each(stage: &Stage, endpoints: &[&Endpoint]) -> Vec<Delivery> {
    let mut made = Vec::new();
    for n in 0..36_usize {
        let now = at(n as i64 * DAY_S / 12);
        let endpoint = endpoints[n % endpoints.len()];
        let place = ["one", "two"][n / 2 % 2];
        let draft = Draft::at(now).of(location(place)).of_type(["ContactCreate", "NoteCreate"][n / 3 % 2]);
        let held = n % 6 != 0;
        let draft = if held { draft.held_for(endpoint) } else { draft.queued_for(endpoint) };
        let delivery = stage.send(draft).await.delivery();
        match n % 6 {
            0 | 1 => {}
            2 => drop(stage.record_at(&delivery, Verdict::RetryAt(at(9 * DAY_S)), now).await),
            3 => drop(stage.record_at(&delivery, Verdict::Succeeded, now).await),
            4 => drop(stage.record_at(&delivery, Verdict::Ended(EndReason::Exhausted), now).await),
            _ => drop(stage.cancel_delivery(&Scope::Platform, delivery.id, now, None).await.unwrap()),
        }
        made.push(stage.shown(delivery.id).await.0);
    }
    let statuses: HashSet<_> = made.iter().map(|delivery| delivery.status).collect();
    assert_eq!(statuses.len(), 6);
    made
}

async fn two_endpoints(stage: &Stage) -> [std::sync::Arc<Endpoint>; 2] {
    [stage.endpoint(&location("one")).await, stage.endpoint(&location("two")).await]
}

pub async fn deliveries_are_listed_newest_first_however_long_the_page(stage: &mut Stage) {
    let [one, two] = two_endpoints(stage).await;
    let made = some_of_each(stage, &[&one, &two]).await;
    let newest_first: Vec<_> = made.iter().rev().map(|delivery| delivery.id).collect();
    for limit in [1, 5, 7, 35, 36, 37, 200] {
        let listed = stage.deliveries_in(&Scope::Platform, DeliveryFilter::default(), limit).await;
        assert_eq!(listed, newest_first, "pages of {limit}");
    }
    let page = PageRequest { limit: 50, before: None };
    let listed = stage.list_deliveries(&Scope::Platform, DeliveryFilter::default(), page).await.unwrap();
    let listed = listed.rows.iter().map(|listed| &listed.delivery);
    assert!(listed.eq(made.iter().rev()), "a listed delivery is shown as it is alone");
}

pub async fn beside_a_list_stands_the_last_attempt_of_each(stage: &mut Stage) {
    let [one, two] = two_endpoints(stage).await;
    let made = some_of_each(stage, &[&one, &two]).await.len();
    let three = stage.endpoint(&location("three")).await;
    let twice = stage.send(Draft::at(NOW).of(location("three")).held_for(&three)).await.delivery();
    stage.record_at(&twice, Verdict::RetryAt(at(1)), NOW).await;
    let again = stage.claim_one(&three, at(1)).await;
    stage.record_at(&again, Verdict::RetryAt(at(9 * DAY_S)), at(1)).await;
    let page = PageRequest { limit: 200, before: None };
    let listed = stage.list_deliveries(&Scope::Platform, DeliveryFilter::default(), page).await.unwrap();
    assert_eq!(listed.rows.len(), made + 1);
    for listed in &listed.rows {
        let (_, attempts) = stage.shown(listed.delivery.id).await;
        assert_eq!(listed.last_attempt, attempts.last().map(Attempt::head), "{listed:?}");
    }
    let begun = listed.rows.iter().filter(|listed| listed.last_attempt.is_some()).count();
    assert!((1..listed.rows.len()).contains(&begun), "some have none yet");
    assert!(listed.rows.iter().any(|listed| listed.last_attempt.is_some_and(|last| last.number == 2)));
}

pub async fn filters_of_deliveries_hold_alone_and_together(stage: &mut Stage) {
    let [one, two] = two_endpoints(stage).await;
    let made = some_of_each(stage, &[&one, &two]).await;
    let some_event = made[20].event_id;
    let span = Span { since: Some(at(DAY_S)), until: Some(at(2 * DAY_S)) };
    let statuses = Status::ALL.iter().copied().map(Some).chain([None]);
    let mut filters = Vec::new();
    for status in statuses {
        for endpoint_id in [None, Some(one.id)] {
            for location_id in [None, Some("two".parse().unwrap())] {
                for type_name in [None, Some("NoteCreate".into())] {
                    for span in [Span::default(), span] {
                        let (location_id, type_name) = (location_id.clone(), type_name.clone());
                        filters.push(DeliveryFilter {
                            endpoint_id,
                            event_id: None,
                            location_id,
                            type_name,
                            status,
                            span,
                        });
                    }
                }
            }
        }
    }
    for event_id in [some_event, stage.ids.event(at(9 * DAY_S))] {
        filters.push(DeliveryFilter { event_id: Some(event_id), ..Default::default() });
        let status = Some(Status::Succeeded);
        filters.push(DeliveryFilter { event_id: Some(event_id), status, ..Default::default() });
    }
    for filter in filters {
        let expected: Vec<_> =
            made.iter().rev().filter(|one| fits(one, &filter)).map(|delivery| delivery.id).collect();
        let listed = stage.deliveries_in(&Scope::Platform, filter.clone(), 2).await;
        assert_eq!(listed, expected, "{filter:?}");
    }
}

fn fits(delivery: &Delivery, filter: &DeliveryFilter) -> bool {
    let made_at = delivery.created_at();
    filter.endpoint_id.is_none_or(|id| id == delivery.endpoint_id)
        && filter.event_id.is_none_or(|id| id == delivery.event_id)
        && (filter.location_id.is_none() || filter.location_id == delivery.location_id)
        && (filter.type_name.is_none() || filter.type_name.as_deref() == Some(&*delivery.type_name))
        && filter.status.is_none_or(|status| status == delivery.status)
        && filter.span.since.is_none_or(|since| made_at >= since)
        && filter.span.until.is_none_or(|until| made_at < until)
}

pub async fn since_is_inclusive_and_until_exclusive_for_deliveries(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut ids = Vec::new();
    for n in 0..4 {
        let delivery = stage.send(Draft::at(NOW.plus_millis(n)).held_for(&endpoint)).await.delivery();
        if n % 2 == 0 {
            stage.record_at(&delivery, Verdict::Succeeded, NOW).await;
        }
        ids.push(delivery.id);
    }
    for since in 0..=4 {
        for until in 0..=4 {
            let moment = |ms: usize| Some(NOW.plus_millis(ms as i64));
            let span = Span { since: moment(since), until: moment(until) };
            let mut expected = ids.get(since..until).unwrap_or_default().to_vec();
            expected.reverse();
            let filter = DeliveryFilter { span, ..Default::default() };
            assert_eq!(stage.deliveries_in(&Scope::Platform, filter, 1).await, expected, "{span:?}");
        }
    }
}

pub async fn a_cursor_of_deliveries_neither_repeats_nor_skips_what_changes(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut made = Vec::new();
    for n in 0..12 {
        made.push(stage.send(Draft::at(at(n)).held_for(&endpoint)).await.delivery());
    }
    let (mut seen, mut before) = (Vec::new(), None);
    for n in 0.. {
        assert!(n < 9, "the listing does not end");
        let page = PageRequest { limit: 2, before };
        let listed = stage.list_deliveries(&Scope::Platform, DeliveryFilter::default(), page).await.unwrap();
        seen.extend(listed.rows.iter().map(|listed| listed.delivery.id));
        before = listed.next;
        if before.is_none() {
            break;
        }
        // One that was shown, and one that was not yet, end; a new one comes.
        stage.record_at(&made[11 - n], Verdict::Succeeded, at(100)).await;
        stage.record_at(&made[n], Verdict::RetryAt(at(200)), at(100)).await;
        stage.send(Draft::at(at(300)).held_for(&endpoint)).await;
    }
    assert_eq!(seen, made.iter().rev().map(|delivery| delivery.id).collect::<Vec<_>>());
}

pub async fn a_cursor_within_a_status_keeps_what_stays_in_it(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut made = Vec::new();
    for n in 0..12 {
        made.push(stage.send(Draft::at(at(n)).held_for(&endpoint)).await.delivery());
    }
    let filter = DeliveryFilter { status: Some(Status::Delivering), ..Default::default() };
    let first = PageRequest { limit: 4, before: None };
    let first = stage.list_deliveries(&Scope::Platform, filter.clone(), first).await.unwrap();
    // The one that the cursor stands on leaves the status, as does one that is still to come.
    stage.record_at(&made[8], Verdict::Succeeded, at(100)).await;
    stage.record_at(&made[5], Verdict::Ended(EndReason::Gone), at(100)).await;
    let rest = PageRequest { limit: 50, before: first.next };
    let rest = stage.list_deliveries(&Scope::Platform, filter, rest).await.unwrap();
    let seen: Vec<_> = first.rows.iter().chain(&rest.rows).map(|listed| listed.delivery.id).collect();
    let expected = [11, 10, 9, 8, 7, 6, 4, 3, 2, 1, 0].map(|n: usize| made[n].id);
    assert_eq!((seen, rest.next), (expected.to_vec(), None));
}

/// Whoever looks for a needle gets pages that are short or empty, and a cursor on.
pub async fn a_listing_that_finds_little_goes_on_to_its_end(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let count = PAGE_ROWS_EXAMINED_MAX + 2_000;
    // Close together where a page ends that has looked at as many rows as it may.
    let is_rare = |n: usize| n == 0 || n == count - 1 || (n.is_multiple_of(7) && (1_500..2_700).contains(&n));
    let mut needles = Vec::new();
    for from in (0..count).step_by(1_000) {
        let make = |n| {
            let type_name = if is_rare(n) { "NoteCreate" } else { "ContactCreate" };
            Draft::at(at(n as i64 / 50)).of_type(type_name).queued_for(&endpoint).make(&stage.ids)
        };
        let batch: Vec<_> = (from..from + 1_000).map(make).collect();
        needles.extend(batch.iter().filter(|one| &*one.event.type_name == "NoteCreate").cloned());
        stage.publish(batch, None).await.unwrap();
    }
    needles.reverse();
    assert!(needles.len() < 200, "one page would hold them all");
    let type_name = Some("NoteCreate".into());
    for limit in [40, 200] {
        for undelivered_only in [false, true] {
            let filter = EventFilter { type_name: type_name.clone(), undelivered_only, ..Default::default() };
            let events = stage.events_in(&Scope::Platform, filter, limit).await;
            assert!(events.iter().eq(needles.iter().map(|one| &one.event.id)), "{events:?}");
        }
        let filter = DeliveryFilter { type_name: type_name.clone(), ..Default::default() };
        let deliveries = stage.deliveries_in(&Scope::Platform, filter, limit).await;
        assert!(deliveries.iter().eq(needles.iter().map(|one| &one.deliveries[0].id)), "{deliveries:?}");
    }
}

pub async fn an_events_deliveries_come_oldest_first(stage: &mut Stage) {
    let mut draft = Draft::at(NOW);
    for _ in 0..12 {
        draft = draft.held_for(&*stage.endpoint(&location("loc")).await);
    }
    let sent = stage.send(draft).await;
    stage.send(Draft::at(at(1))).await;
    for delivery in sent.deliveries.iter().step_by(2) {
        stage.record_at(delivery, Verdict::Succeeded, at(1)).await;
    }
    let shown = stage.deliveries_of(&Scope::Platform, sent.event.id).await.unwrap();
    let ids: Vec<_> = sent.deliveries.iter().map(|delivery| delivery.id).collect();
    assert_eq!(shown.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), ids);
    for (n, delivery) in shown.iter().enumerate() {
        let expected = if n % 2 == 0 { Status::Succeeded } else { Status::Delivering };
        assert_eq!(delivery.status, expected);
    }
}

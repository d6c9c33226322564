//! Listings of events: their order, their pages, their filters. What each caller sees is `worlds`, what is undelivered
//! is `undelivered`.

use domain::delivery::Trigger;
use domain::event::{Event, Visibility};
use domain::id::EventId;
use domain::retry::Verdict;
use domain::scope::Scope;

use super::assert_fails;
use super::stage::{DAY_S, Draft, NOW, Stage, at, location};
use crate::events::EventFilter;
use crate::page::{PageRequest, Span};

const ALL: EventFilter = EventFilter {
    location_id: None,
    type_name: None,
    span: Span { since: None, until: None },
    undelivered_only: false,
};

/// Twelve events over four days, some of them of one millisecond; oldest first.
async fn twelve(stage: &Stage) -> Vec<EventId> {
    let mut ids = Vec::new();
    for n in 0..12 {
        let draft = Draft::at(at(DAY_S * (n / 3))).payload(format!("{{\"n\":{n}}}"));
        ids.push(stage.send(draft).await.event.id);
    }
    ids
}

pub async fn events_are_listed_newest_first_however_long_the_page(stage: &mut Stage) {
    assert_eq!(stage.events_seen(&Scope::Platform).await, []);
    let mut ids = twelve(stage).await;
    ids.reverse();
    for limit in [1, 2, 3, 5, 11, 12, 13, 200] {
        assert_eq!(stage.events_in(&Scope::Platform, ALL, limit).await, ids, "pages of {limit}");
    }
}

pub async fn a_listed_event_is_complete(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let sent = stage.send(Draft::at(NOW).of(location("loc")).held_for(&endpoint)).await;
    let page = PageRequest { limit: 50, before: None };
    let listed = stage.list_events(&Scope::Platform, ALL, page).await.unwrap();
    assert_eq!(listed.rows, [sent.event]);
    assert_eq!(listed.next, None);
}

pub async fn events_of_one_millisecond_are_listed_by_id(stage: &mut Stage) {
    let batch: Vec<_> = (0..30).map(|_| Draft::at(NOW).make(&stage.ids)).collect();
    let mut ids: Vec<_> = batch.iter().map(|one| one.event.id).collect();
    // Stored in another order than made.
    for one in batch.into_iter().rev() {
        stage.publish(vec![one], None).await.unwrap();
    }
    ids.reverse();
    assert_eq!(stage.events_in(&Scope::Platform, ALL, 7).await, ids);
}

pub async fn a_cursor_of_events_neither_repeats_nor_skips_while_new_ones_come(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut made = Vec::new();
    for n in 0..9 {
        made.push(stage.send(Draft::at(at(n)).held_for(&endpoint)).await);
    }
    let (mut seen, mut before) = (Vec::new(), None);
    for n in 0.. {
        assert!(n < 9, "the listing does not end");
        let page = PageRequest { limit: 2, before };
        let listed = stage.list_events(&Scope::Platform, ALL, page).await.unwrap();
        seen.extend(listed.rows.iter().map(|event| event.id));
        before = listed.next;
        if before.is_none() {
            break;
        }
        stage.send(Draft::at(at(100 + n))).await;
        stage.record_at(&made[n as usize].delivery(), Verdict::Succeeded, at(100)).await;
    }
    let newest_first: Vec<_> = made.iter().rev().map(|sent| sent.event.id).collect();
    assert_eq!(seen, newest_first);
}

pub async fn since_is_inclusive_and_until_exclusive_for_events(stage: &mut Stage) {
    let mut ids = Vec::new();
    // The edge of a day lies between the second and the third.
    let midnight = "2023-11-15T00:00:00Z".parse::<domain::time::Timestamp>().unwrap();
    for ms in [-2, -1, 0, 1] {
        ids.push(stage.send(Draft::at(midnight.plus_millis(ms))).await.event.id);
    }
    let span = |since: Option<i64>, until: Option<i64>| {
        let moment = |ms| midnight.plus_millis(ms);
        EventFilter { span: Span { since: since.map(moment), until: until.map(moment) }, ..ALL }
    };
    for (since, until, expected) in [
        (None, None, 0..4),
        (Some(-2), None, 0..4),
        (Some(-1), None, 1..4),
        (Some(0), None, 2..4),
        (Some(2), None, 4..4),
        (None, Some(-2), 0..0),
        (None, Some(0), 0..2),
        (None, Some(1), 0..3),
        (Some(-1), Some(1), 1..3),
        (Some(0), Some(0), 0..0),
        (Some(1), Some(-1), 0..0),
    ] {
        let expected: Vec<_> = ids[expected].iter().rev().copied().collect();
        let listed = stage.events_in(&Scope::Platform, span(since, until), 1).await;
        assert_eq!(listed, expected, "{since:?} to {until:?}");
    }
}

pub async fn filters_of_events_hold_alone_and_together(stage: &mut Stage) {
    let places = [Some("one"), Some("two"), None];
    let types = ["ContactCreate", "NoteCreate"];
    let mut made = Vec::new();
    for n in 0..24_usize {
        let (place, type_name) = (places[n % 3], types[n / 3 % 2]);
        let mut draft = Draft::at(at(n as i64 * DAY_S / 6)).of_type(type_name);
        if let Some(place) = place {
            draft = draft.of(location(place));
        }
        made.push((place, type_name, stage.send(draft).await.event));
    }
    let (since, until) = (at(DAY_S), at(3 * DAY_S));
    for place in [None, Some("one"), Some("two"), Some("elsewhere")] {
        for type_name in [None, Some("ContactCreate"), Some("NoteCreate"), Some("Unheard")] {
            for span in [Span::default(), Span { since: Some(since), until: Some(until) }] {
                let fits = |(of, name, event): &&(Option<&str>, &str, Event)| {
                    (place.is_none() || *of == place)
                        && type_name.is_none_or(|wanted| wanted == *name)
                        && (span.since.is_none() || (since..until).contains(&event.created_at()))
                };
                let expected: Vec<_> = made.iter().rev().filter(fits).map(|(_, _, event)| event.id).collect();
                let location_id = place.map(|id| id.parse().unwrap());
                let type_name = type_name.map(Into::into);
                let filter = EventFilter { location_id, type_name, span, undelivered_only: false };
                let listed = stage.events_in(&Scope::Platform, filter.clone(), 2).await;
                assert_eq!(listed, expected, "{filter:?}");
            }
        }
    }
}

pub async fn events_of_tests_are_hidden(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut publication = Draft::at(NOW).of(location("loc")).held_for(&endpoint).make(&stage.ids);
    publication.event.visibility = Visibility::TestOnly;
    let mut delivery = super::stage::Sent::new(&publication, crate::queue::Claim(0)).delivery();
    delivery.trigger = Trigger::Test;
    let record = stage.outcome(&delivery, Verdict::RetryAt(at(5)), NOW);
    stage.record_test(publication.event.clone(), record, None).await.unwrap();
    for scope in [Scope::Platform, location("loc")] {
        assert_fails!(stage.event(&scope, publication.event.id).await, NotFound);
        for undelivered_only in [false, true] {
            let filter = EventFilter { undelivered_only, ..ALL };
            assert_eq!(stage.events_in(&scope, filter, 50).await, []);
        }
    }
}

//! Whose world is whose: platform, company, location and app see exactly their own, and the rest is not found.

use domain::event::SkipReason;
use domain::id::EventId;
use domain::retry::Verdict;
use domain::scope::Scope;

use super::assert_fails;
use super::stage::{Draft, NOW, Stage, app, at, company, location};
use crate::deliveries::DeliveryFilter;
use crate::endpoints::{EndpointFilter, Rotation};
use crate::events::EventFilter;
use crate::page::PageRequest;

const PAGE: PageRequest = PageRequest { limit: 50, before: None };

fn everyone() -> Vec<Scope> {
    let others = [company("co"), company("other"), location("in"), location("out"), app("app"), app("other")];
    std::iter::once(Scope::Platform).chain(others).collect()
}

pub async fn endpoints_are_seen_by_their_own_world_only(stage: &mut Stage) {
    stage.register_location("in", Some("co")).await;
    stage.register_location("out", None).await;
    let mut ids = Vec::new();
    for whose in [location("in"), location("out"), company("co"), app("app")] {
        ids.push(stage.endpoint(&whose).await.id);
    }
    let [inside, outside, of_company, of_app] = ids[..] else { panic!() };
    for scope in everyone() {
        let expected = match &scope {
            Scope::Platform => vec![of_app, of_company, outside, inside],
            Scope::Company(id) if id.as_str() == "co" => vec![of_company, inside],
            Scope::Location(id) if id.as_str() == "in" => vec![inside],
            Scope::Location(_) => vec![outside],
            Scope::App(id) if id.as_str() == "app" => vec![of_app],
            Scope::Company(_) | Scope::App(_) => vec![],
        };
        let listed = stage.list_endpoints(&scope, EndpointFilter::default(), PAGE).await.unwrap();
        assert_eq!(listed.rows.iter().map(|one| one.id).collect::<Vec<_>>(), expected, "{scope:?}");
        for id in &ids {
            match expected.contains(id) {
                true => assert_eq!(stage.store().endpoint(&scope, *id).await.unwrap().id, *id),
                false => assert_fails!(stage.store().endpoint(&scope, *id).await, NotFound),
            }
        }
    }
}

pub async fn a_foreign_endpoint_cannot_be_touched(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("in")).await;
    let id = endpoint.id;
    for scope in [location("out"), company("co"), app("app")] {
        assert_fails!(stage.update_endpoint(&scope, id, Default::default(), at(1), None).await, NotFound);
        assert_fails!(stage.delete_endpoint(&scope, id, at(1)).await, NotFound);
        let secret = domain::secret::SecretText::new("whsec_new".into());
        let rotation = Rotation { secret, grace_seconds: 60, now: at(1) };
        assert_fails!(stage.rotate_secret(&scope, id, rotation, None).await, NotFound);
        assert_fails!(stage.promote_secret(&scope, id, at(1), None).await, NotFound);
        let theirs = stage.new_endpoint(&location("in"));
        let (their_id, limit) = (theirs.id, 1_000);
        assert_fails!(stage.create_endpoint(&scope, theirs, limit, None).await, NotFound);
        assert!(stage.routes().endpoint(their_id).is_none());
    }
    assert_eq!(stage.store().endpoint(&Scope::Platform, id).await.unwrap(), endpoint);
}

pub async fn events_are_seen_by_their_own_world_only(stage: &mut Stage) {
    stage.register_location("in", Some("co")).await;
    let of_app = stage.endpoint(&app("app")).await;
    let of_company = stage.endpoint(&company("co")).await;
    let inside = stage.send(Draft::at(NOW).of(location("in"))).await.event.id;
    let outside = stage.send(Draft::at(NOW).of(location("out")).held_for(&of_app)).await.event.id;
    let of_co = stage.send(Draft::at(NOW).of(company("co")).held_for(&of_company)).await.event.id;
    // Whom else an event names is data.
    let naming = |whose: Scope| Draft::at(NOW).of(whose);
    let location_s = naming(location("out")).of(company("co")).of(app("other"));
    let location_s = stage.send(location_s.skipping(&of_app, SkipReason::MissingScope)).await.event.id;
    let company_s = stage.send(naming(company("other")).of(location("in")).of(app("app"))).await.event.id;
    let app_s = stage.send(naming(app("app")).of(location("in")).of(company("co"))).await.event.id;
    let all = [inside, outside, of_co, location_s, company_s, app_s];
    for scope in everyone() {
        let expected = match &scope {
            Scope::Platform => vec![app_s, company_s, location_s, of_co, outside, inside],
            Scope::Company(id) if id.as_str() == "co" => vec![of_co, inside],
            Scope::Company(_) => vec![company_s],
            Scope::Location(id) if id.as_str() == "in" => vec![inside],
            Scope::Location(_) => vec![location_s, outside],
            // Not the location's that it lacks the scope for, nor its own that it was not sent.
            Scope::App(id) if id.as_str() == "app" => vec![outside],
            Scope::App(_) => vec![],
        };
        assert_eq!(stage.events_seen(&scope).await, expected, "{scope:?}");
        assert_eq!(stage.events_in(&scope, EventFilter::default(), 1).await, expected, "{scope:?}");
        // A filter by location asks what the event names, within the same world.
        let in_filter = EventFilter { location_id: Some("in".parse().unwrap()), ..Default::default() };
        let naming_in = |id: &EventId| [inside, company_s, app_s].contains(id);
        let filtered: Vec<_> = expected.iter().copied().filter(naming_in).collect();
        assert_eq!(stage.events_in(&scope, in_filter, 50).await, filtered, "{scope:?}");
        for id in all {
            match expected.contains(&id) {
                true => assert_eq!(stage.event(&scope, id).await.unwrap().id, id),
                false => assert_fails!(stage.event(&scope, id).await, NotFound),
            }
        }
    }
}

pub async fn a_filter_never_widens_a_world(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("in")).await;
    stage.send(Draft::at(NOW).of(location("in")).held_for(&endpoint)).await;
    let location_id = Some("in".parse().unwrap());
    for scope in [location("out"), company("other"), app("app")] {
        let events = EventFilter { location_id: location_id.clone(), ..Default::default() };
        assert_eq!(stage.events_in(&scope, events, 50).await, []);
        let undelivered =
            EventFilter { location_id: location_id.clone(), undelivered_only: true, ..Default::default() };
        assert_eq!(stage.events_in(&scope, undelivered, 50).await, []);
        let of_endpoint = DeliveryFilter { endpoint_id: Some(endpoint.id), ..Default::default() };
        assert_eq!(stage.deliveries_in(&scope, of_endpoint, 50).await, []);
        let of_location = DeliveryFilter { location_id: location_id.clone(), ..Default::default() };
        assert_eq!(stage.deliveries_in(&scope, of_location, 50).await, []);
        let owner = Some(endpoint.owner.clone());
        let endpoints = stage.list_endpoints(&scope, EndpointFilter { owner }, PAGE).await.unwrap();
        assert_eq!(endpoints.rows, []);
    }
}

/// Finished ones and unfinished ones lie in different places.
pub async fn deliveries_are_seen_by_the_world_of_their_endpoint(stage: &mut Stage) {
    stage.register_location("in", Some("co")).await;
    let inside = stage.endpoint(&location("in")).await;
    let of_company = stage.endpoint(&company("co")).await;
    let of_app = stage.endpoint(&app("app")).await;
    for verdict in [None, Some(Verdict::Succeeded)] {
        let draft = Draft::at(NOW).of(location("in"));
        let sent = stage.send(draft.held_for(&inside).held_for(&of_company).held_for(&of_app)).await;
        for delivery in &sent.deliveries {
            if let Some(verdict) = verdict {
                stage.record_at(delivery, verdict, NOW).await;
            }
        }
        let [one, two, three] = [0, 1, 2].map(|n: usize| sent.deliveries[n].id);
        for scope in everyone() {
            let expected = match &scope {
                Scope::Platform => vec![three, two, one],
                Scope::Company(id) if id.as_str() == "co" => vec![two, one],
                Scope::Location(id) if id.as_str() == "in" => vec![one],
                Scope::App(id) if id.as_str() == "app" => vec![three],
                _ => vec![],
            };
            let filter = DeliveryFilter { event_id: Some(sent.event.id), ..Default::default() };
            assert_eq!(stage.deliveries_in(&scope, filter, 50).await, expected, "{scope:?}");
            let mut listed = stage.deliveries_seen(&scope).await;
            listed.retain(|id| [one, two, three].contains(id));
            assert_eq!(listed, expected, "{scope:?}");
            let of_event = stage.deliveries_of(&scope, sent.event.id).await.unwrap_or_default();
            let oldest_first: Vec<_> = expected.iter().rev().copied().collect();
            assert_eq!(of_event.iter().map(|one| one.id).collect::<Vec<_>>(), oldest_first, "{scope:?}");
            for id in [one, two, three] {
                match expected.contains(&id) {
                    true => assert_eq!(stage.delivery(&scope, id).await.unwrap().0.id, id),
                    false => assert_foreign(stage, &scope, id).await,
                }
            }
        }
    }
}

async fn assert_foreign(stage: &Stage, scope: &Scope, id: domain::id::DeliveryId) {
    assert_fails!(stage.delivery(scope, id).await, NotFound);
    assert_fails!(stage.cancel_delivery(scope, id, NOW, None).await, NotFound);
    let new_id = stage.ids.delivery(NOW);
    assert_fails!(stage.retry_delivery(scope, id, new_id, NOW, None).await, NotFound);
    assert_fails!(stage.delivery(&Scope::Platform, new_id).await, NotFound);
}

pub async fn the_log_outlives_the_endpoint_in_the_same_worlds(stage: &mut Stage) {
    stage.register_location("in", Some("co")).await;
    let inside = stage.endpoint(&location("in")).await;
    let of_app = stage.endpoint(&app("app")).await;
    let sent = stage.send(Draft::at(NOW).of(location("in")).held_for(&inside).held_for(&of_app)).await;
    for delivery in &sent.deliveries {
        stage.record_at(delivery, Verdict::Succeeded, NOW).await;
    }
    for endpoint in [&inside, &of_app] {
        stage.delete_endpoint(&Scope::Platform, endpoint.id, at(1)).await.unwrap();
    }
    for when in ["at once", "after a restart"] {
        let [one, two] = [0, 1].map(|n: usize| sent.deliveries[n].id);
        assert_eq!(stage.deliveries_seen(&Scope::Platform).await, [two, one], "{when}");
        assert_eq!(stage.deliveries_seen(&location("in")).await, [one], "{when}");
        assert_eq!(stage.deliveries_seen(&company("co")).await, [one], "{when}");
        assert_eq!(stage.deliveries_seen(&app("app")).await, [two], "{when}");
        assert_eq!(stage.events_seen(&app("app")).await, [sent.event.id], "{when}");
        assert_eq!(stage.delivery(&app("app"), two).await.unwrap().0.id, two);
        assert_fails!(stage.delivery(&app("other"), two).await, NotFound);
        stage.restart(at(2)).await;
    }
}

/// Their ids are the platform's own strings, and nothing keeps them apart but their kind.
pub async fn one_id_as_location_company_and_app_is_three_worlds(stage: &mut Stage) {
    stage.register_location("same", Some("same")).await;
    let mut ids = Vec::new();
    for whose in [location("same"), company("same"), app("same")] {
        let endpoint = stage.endpoint(&whose).await;
        let sent = stage.send(Draft::at(NOW).of(whose).held_for(&endpoint)).await;
        ids.push((endpoint.id, sent.event.id, sent.delivery().id));
    }
    for finished in [false, true] {
        for (scope, mine) in [(location("same"), &[0][..]), (company("same"), &[1, 0]), (app("same"), &[2])] {
            let endpoints = stage.list_endpoints(&scope, EndpointFilter::default(), PAGE).await.unwrap();
            let mine: Vec<_> = mine.iter().map(|n: &usize| ids[*n]).collect();
            assert!(endpoints.rows.iter().map(|one| one.id).eq(mine.iter().map(|one| one.0)), "{scope:?}");
            assert!(
                stage.events_seen(&scope).await.into_iter().eq(mine.iter().map(|one| one.1)),
                "{scope:?}"
            );
            let deliveries = stage.deliveries_seen(&scope).await;
            assert!(deliveries.into_iter().eq(mine.iter().map(|one| one.2)), "{scope:?} {finished}");
        }
        for (_, _, id) in &ids {
            if !finished {
                stage.cancel_delivery(&Scope::Platform, *id, NOW, None).await.unwrap();
            }
        }
    }
}

/// More than a backend would ask for one by one.
pub async fn a_large_company_sees_exactly_its_many_locations(stage: &mut Stage) {
    let mut sent = Vec::new();
    for n in 0..260 {
        let id = format!("loc{n}");
        let mine = n % 20 != 0;
        stage.register_location(&id, Some(if mine { "co" } else { "other" })).await;
        let endpoint = stage.endpoint(&location(&id)).await;
        let publication = Draft::at(at(n)).of(location(&id)).queued_for(&endpoint).make(&stage.ids);
        stage.publish(vec![publication.clone()], None).await.unwrap();
        sent.push((mine, publication.event.id, publication.deliveries[0].id));
    }
    let seen = || sent.iter().rev().filter(|(mine, _, _)| *mine);
    assert!(seen().count() > 200);
    let events: Vec<_> = seen().map(|(_, event_id, _)| *event_id).collect();
    let deliveries: Vec<_> = seen().map(|(_, _, id)| *id).collect();
    for limit in [50, 200] {
        assert_eq!(stage.events_in(&company("co"), EventFilter::default(), limit).await, events);
        assert_eq!(stage.deliveries_in(&company("co"), DeliveryFilter::default(), limit).await, deliveries);
        let undelivered = EventFilter { undelivered_only: true, ..Default::default() };
        assert_eq!(stage.events_in(&company("co"), undelivered, limit).await, events);
    }
    assert_eq!(stage.events_seen(&company("other")).await.len(), 13);
    assert_eq!(stage.deliveries_seen(&company("other")).await.len(), 13);
}

pub async fn a_location_that_changes_its_company_changes_worlds(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("in")).await;
    let sent = stage.send(Draft::at(NOW).of(location("in")).held_for(&endpoint)).await;
    let id = sent.delivery().id;
    for (registered, co, other) in [(None, 0, 0), (Some("co"), 1, 0), (Some("other"), 0, 1), (None, 0, 0)] {
        stage.register_location("in", registered).await;
        for (scope, sees) in [(company("co"), co), (company("other"), other), (location("in"), 1)] {
            assert_eq!(stage.events_seen(&scope).await.len(), sees, "{scope:?} {registered:?}");
            assert_eq!(stage.deliveries_seen(&scope).await.len(), sees, "{scope:?} {registered:?}");
            assert_eq!(stage.delivery(&scope, id).await.is_ok(), sees == 1, "{scope:?} {registered:?}");
            let listed = stage.list_endpoints(&scope, EndpointFilter::default(), PAGE).await.unwrap();
            assert_eq!(listed.rows.len(), sees, "{scope:?} {registered:?}");
        }
    }
}

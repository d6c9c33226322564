//! Sessions: opened once by a code, found by their token, gone at once when revoked.

use domain::api_key::{ApiKey, Permission};
use domain::id::SessionId;
use domain::location::Location;
use domain::scope::Scope;
use domain::session::Session;
use domain::time::Timestamp;

use super::assert_fails;
use super::stage::{NOW, Stage, all_rows, app, at, company, location};
use crate::maintenance::Swept;
use crate::sessions::LoginCode;

/// Sessions of one owner.
const LIMIT: usize = 9;

fn new_session(stage: &Stage, scope: Scope) -> Session {
    Session {
        id: stage.ids.session(NOW),
        scope,
        granted_by: Scope::Platform,
        permissions: vec![Permission::Manage, Permission::View],
        expires_at: at(3_600),
        opened_at: None,
        last_used_at: None,
    }
}

fn code(hash: u8) -> LoginCode {
    LoginCode { hash: [hash; 32], expires_at: at(60) }
}

fn known(stage: &Stage, token: u8) -> Option<Session> {
    stage.session_by_hash(&[token; 32]).map(|known| known.value.clone())
}

async fn seen_by(stage: &Stage, scope: &Scope, now: Timestamp) -> Vec<SessionId> {
    let page = |request| stage.list_sessions(scope, now, request);
    all_rows(2, page, |session: &Session| session.id.bits()).await.iter().map(|session| session.id).collect()
}

pub async fn a_session_is_opened_once_by_its_code_and_found_by_its_token(stage: &mut Stage) {
    let new = new_session(stage, location("loc"));
    let made = stage.create_session(&Scope::Platform, new.clone(), code(1), LIMIT, None).await.unwrap();
    assert_eq!((made, known(stage, 7)), (new.clone(), None));
    assert_fails!(stage.open_session([2; 32], [7; 32], at(1)).await, NotFound);
    assert_fails!(stage.session_of_code([2; 32], at(1)).await, NotFound);
    assert_eq!(stage.session_of_code([1; 32], at(1)).await.unwrap(), new);
    let opened = stage.open_session([1; 32], [7; 32], at(1)).await.unwrap();
    assert_eq!(opened, Session { opened_at: Some(at(1)), last_used_at: Some(at(1)), ..new });
    assert_eq!(known(stage, 7), Some(opened.clone()));
    assert_fails!(stage.open_session([1; 32], [8; 32], at(2)).await, NotFound);
    assert_fails!(stage.session_of_code([1; 32], at(2)).await, NotFound);
    stage.crash(at(3)).await;
    assert_eq!(known(stage, 7).map(|session| session.id), Some(opened.id), "after a crash");
    assert_eq!(known(stage, 8), None);
    assert_fails!(stage.open_session([1; 32], [8; 32], at(4)).await, NotFound);
}

pub async fn a_code_that_is_too_old_opens_nothing(stage: &mut Stage) {
    for (n, opens_at) in [59, 60, 61].into_iter().enumerate() {
        let n = n as u8;
        stage
            .create_session(&Scope::Platform, new_session(stage, app("app")), code(n), LIMIT, None)
            .await
            .unwrap();
        let opened = stage.open_session([n; 32], [n; 32], at(opens_at)).await;
        assert_eq!(opened.is_ok(), opens_at < 60, "{opens_at} s: {opened:?}");
    }
    let short = Session { expires_at: at(30), ..new_session(stage, app("app")) };
    stage.create_session(&Scope::Platform, short, code(9), LIMIT, None).await.unwrap();
    assert_fails!(stage.open_session([9; 32], [9; 32], at(30)).await, NotFound);
}

pub async fn a_revoked_session_is_gone_at_once_and_for_good(stage: &mut Stage) {
    let mut ids = Vec::new();
    for n in [1, 2, 3] {
        let session = new_session(stage, location("loc"));
        ids.push(session.id);
        stage.create_session(&Scope::Platform, session, code(n), LIMIT, None).await.unwrap();
    }
    for n in [1, 2] {
        stage.open_session([n; 32], [n; 32], at(1)).await.unwrap();
    }
    stage.delete_session(&location("loc"), ids[0]).await.unwrap();
    stage.delete_session(&location("loc"), ids[2]).await.unwrap();
    for when in ["at once", "after a restart"] {
        assert_eq!(known(stage, 1), None, "{when}");
        assert!(known(stage, 2).is_some(), "{when}");
        assert_fails!(stage.open_session([3; 32], [3; 32], at(2)).await, NotFound);
        assert_fails!(stage.delete_session(&Scope::Platform, ids[0]).await, NotFound);
        assert_eq!(seen_by(stage, &Scope::Platform, at(2)).await, [ids[1]], "{when}");
        stage.restart(at(2)).await;
    }
}

pub async fn sessions_are_seen_and_revoked_by_their_own_world_only(stage: &mut Stage) {
    stage.register_location("in", Some("co")).await;
    let scopes = [Scope::Platform, location("in"), location("out"), company("co"), app("app")];
    let mut ids = Vec::new();
    for (n, scope) in scopes.iter().enumerate() {
        let session = new_session(stage, scope.clone());
        ids.push(session.id);
        stage.create_session(&Scope::Platform, session, code(n as u8), LIMIT, None).await.unwrap();
    }
    let [_, inside, outside, of_company, of_app] = ids[..] else { panic!() };
    let newest_first: Vec<_> = ids.iter().rev().copied().collect();
    assert_eq!(seen_by(stage, &Scope::Platform, NOW).await, newest_first);
    assert_eq!(seen_by(stage, &location("in"), NOW).await, [inside]);
    assert_eq!(seen_by(stage, &location("out"), NOW).await, [outside]);
    assert_eq!(seen_by(stage, &company("co"), NOW).await, [of_company, inside]);
    assert_eq!(seen_by(stage, &app("app"), NOW).await, [of_app]);
    assert_eq!(seen_by(stage, &Scope::Platform, at(3_600)).await, [], "those that have ended");
    for id in ids {
        assert_fails!(stage.delete_session(&location("other"), id).await, NotFound);
    }
    assert_fails!(stage.delete_session(&location("in"), of_company).await, NotFound);
    stage.delete_session(&company("co"), inside).await.unwrap();
}

pub async fn nobody_makes_a_session_for_another_world(stage: &mut Stage) {
    for mine in [location("loc"), company("co"), app("app")] {
        for theirs in [Scope::Platform, location("other"), company("other"), app("other")] {
            let session = new_session(stage, theirs);
            assert_fails!(stage.create_session(&mine, session, code(1), LIMIT, None).await, NotFound);
        }
    }
    assert_eq!(seen_by(stage, &Scope::Platform, NOW).await, []);
}

pub async fn each_owner_has_as_many_sessions_as_the_limit_says(stage: &mut Stage) {
    for (n, scope) in [location("loc"), app("loc")].into_iter().enumerate() {
        let make = |hash: u8| {
            let session = new_session(stage, scope.clone());
            stage.create_session(&Scope::Platform, session, code(hash + 9 * n as u8), 2, None)
        };
        make(0).await.unwrap();
        make(1).await.unwrap();
        assert_fails!(make(2).await, SessionLimit { max: 2 });
    }
    let later = Session { id: stage.ids.session(at(3_600)), ..new_session(stage, location("loc")) };
    let later = Session { expires_at: at(9_000), ..later };
    stage.create_session(&Scope::Platform, later, code(40), 2, None).await.unwrap();
}

pub async fn sessions_that_have_ended_are_swept(stage: &mut Stage) {
    let long = Session { expires_at: at(9_000), ..new_session(stage, location("loc")) };
    let kept = long.id;
    for (n, session) in [new_session(stage, location("loc")), long].into_iter().enumerate() {
        let n = n as u8;
        stage.create_session(&Scope::Platform, session, code(n), LIMIT, None).await.unwrap();
        stage.open_session([n; 32], [n; 32], at(1)).await.unwrap();
    }
    while stage.sweep(at(-9), at(3_600)).await.unwrap() == Swept::More {}
    assert_eq!((known(stage, 0), known(stage, 1).map(|session| session.id)), (None, Some(kept)));
    assert_eq!(seen_by(stage, &Scope::Platform, NOW).await, [kept], "also at a time when it had not ended");
}

/// Keys too, which are given in the same way.
pub async fn what_a_company_gave_ends_when_the_location_leaves_it(stage: &mut Stage) {
    let given = [Scope::Platform, company("co"), company("other"), location("loc")];
    for (round, leave) in ["to another company", "out of all", "forgotten"].into_iter().enumerate() {
        stage.register_location("loc", Some("co")).await;
        for (n, granted_by) in given.iter().enumerate() {
            for (whose, scope) in [location("loc"), location("elsewhere")].into_iter().enumerate() {
                let hash = (round * 50 + n * 2 + whose) as u8;
                let session = Session { granted_by: granted_by.clone(), ..new_session(stage, scope.clone()) };
                stage.create_session(&Scope::Platform, session, code(hash), 99, None).await.unwrap();
                stage.open_session([hash; 32], [hash; 32], at(1)).await.unwrap();
                let key = super::api_keys::new_key(stage, scope, hash);
                let key = ApiKey { granted_by: granted_by.clone(), ..key };
                stage.create_api_key(&Scope::Platform, key, 99, None).await.unwrap();
            }
        }
        let id = "loc".parse().unwrap();
        // Only its name changes: it stays where it is.
        let named = Location { id, name: Some("new".into()), company_id: Some("co".parse().unwrap()) };
        stage.put_location(&Scope::Platform, named.clone(), NOW).await.unwrap();
        let alive = |stage: &Stage, n: usize, whose: usize| {
            let hash = [(round * 50 + n * 2 + whose) as u8; 32];
            let [key, session] =
                [stage.api_key_by_hash(&hash).is_some(), stage.session_by_hash(&hash).is_some()];
            assert_eq!(key, session, "{leave} {n} {whose}");
            key
        };
        assert!((0..4).all(|n| alive(stage, n, 0) && alive(stage, n, 1)));
        match round {
            0 => drop(stage.register_location("loc", Some("other")).await),
            1 => drop(stage.register_location("loc", None).await),
            _ => stage.delete_location(&Scope::Platform, &named.id).await.unwrap(),
        }
        for when in ["at once", "after a crash"] {
            let lives: Vec<bool> = (0..4).map(|n| alive(stage, n, 0)).collect();
            assert_eq!(lives, [true, false, true, true], "{leave} {when}");
            assert!((0..4).all(|n| alive(stage, n, 1)), "{leave} {when}: of another location");
            stage.crash(at(2)).await;
        }
    }
}

//! Payloads in, verdicts out.

use std::time::{Duration, Instant};

use domain::event::EventScope;
use domain::limits::PAYLOAD_DEPTH_MAX;
use expect_test::{Expect, expect};
use hoopoe_catalogue::{Catalogue, Inspected, PayloadFault, Validate};
use proptest::prelude::*;

thread_local! {
    static CATALOGUE: Catalogue = Catalogue::builtin();
}

fn inspect(payload: &[u8], validate: Validate) -> Result<Inspected, PayloadFault> {
    CATALOGUE.with(|catalogue| catalogue.inspect(payload, validate))
}

/// The verdict in a few lines: what is needed to see that it is the right one.
fn verdict(payload: &[u8], validate: Validate) -> String {
    let told = |faults: Vec<hoopoe_catalogue::Fault>| {
        faults.into_iter().map(|fault| format!("\n{}: {}", fault.pointer, fault.detail)).collect::<String>()
    };
    match inspect(payload, validate) {
        Err(PayloadFault::DuplicateKey { pointers }) => format!("duplicate {}", pointers.join(" ")),
        Err(PayloadFault::InvalidPayload { errors }) => format!("invalid{}", told(errors)),
        Err(fault) => fault.to_string(),
        Ok(inspected) => format!(
            "ok {} {:?} {:?} {:?}{}",
            inspected.scope.as_str(),
            inspected.location_id,
            inspected.company_id,
            inspected.app_id,
            told(inspected.warnings)
        ),
    }
}

fn check(payload: &str, expected: Expect) {
    expected.assert_eq(&verdict(payload.as_bytes(), Validate::Reject));
}

/// A valid payload with one member more.
fn with_member(member: &str) -> String {
    format!(r#"{{"type":"ContactCreate","locationId":"loc1","id":"c1",{member}}}"#)
}

#[test]
fn syntax_faults_say_where_and_what() {
    check("", expect!["line 1, column 1: the body is empty; a JSON object was expected"]);
    check(" \n ", expect!["line 2, column 2: the body is empty; a JSON object was expected"]);
    check("{\n  \"a\": 1,\n}", expect!["line 3, column 1: a member's name in double quotes was expected"]);
    check(r#"{"a":1"#, expect!["line 1, column 7: the JSON ends too early"]);
    check(r#"{"a" 1}"#, expect!["line 1, column 6: `:` was expected after a member's name"]);
    check(
        r#"{"a":1 "b":2}"#,
        expect!["line 1, column 8: `,` or `}` was expected after a member of an object"],
    );
    check("[1 2]", expect!["line 1, column 4: `,` or `]` was expected after an item of an array"]);
    check("{} {}", expect!["line 1, column 4: nothing may follow the JSON value"]);
    check(
        "\u{FEFF}{}",
        expect!["line 1, column 1: JSON does not begin with a byte order mark; leave it out"],
    );
    check(
        "nul",
        expect!["line 1, column 1: a JSON value was expected; the only words are true, false and null"],
    );
    check("{\"a\":\"\t\"}", expect!["line 1, column 7: control characters in a string must be escaped"]);
    check(r#"{"a":"\x"}"#, expect!["line 1, column 8: this escape sequence is not one of JSON's"]);
    check(r#"{"a":"\u12g4"}"#, expect!["line 1, column 11: four hexadecimal digits were expected"]);
    check("01", expect!["line 1, column 2: a number does not begin with 0"]);
    check("-", expect!["line 1, column 2: the JSON ends too early"]);
    check("1.x", expect!["line 1, column 3: a digit was expected"]);
}

#[test]
fn invalid_utf8_is_invalid_json_at_the_byte_that_breaks_it() {
    let payload = b"{\"type\":\"ContactCreate\",\"name\":\"\xFF\"}";
    expect!["line 1, column 33: this is not UTF-8; JSON is always UTF-8"]
        .assert_eq(&verdict(payload, Validate::Off));
}

#[test]
fn only_objects_with_a_known_type_are_payloads() {
    check("[]", expect!["a payload is a JSON object, not an array"]);
    check("\"x\"", expect!["a payload is a JSON object, not a string"]);
    check("null", expect!["a payload is a JSON object, not null"]);
    check("{}", expect!["the payload has no `type`"]);
    check(
        r#"{"type":5}"#,
        expect![[r#"
            invalid
            /type: must be a string that names an event type, not a number"#]],
    );
    check(
        r#"{"type":"contactCreated"}"#,
        expect!["there is no event type `contactCreated`; did you mean `ContactCreate`?"],
    );
    check(r#"{"type":"install "}"#, expect!["there is no event type `install `; did you mean `AppInstall`?"]);
    check(r#"{"type":"Weather"}"#, expect!["there is no event type `Weather`"]);
    check(r#"{"type":""}"#, expect!["there is no event type ``"]);
}

#[test]
fn an_unknown_type_is_echoed_only_in_part() {
    let verdict = verdict(format!(r#"{{"type":"{}"}}"#, "é".repeat(9_000)).as_bytes(), Validate::Reject);
    assert_eq!(verdict, format!("there is no event type `{}`", "é".repeat(100)));
}

#[test]
fn duplicate_keys_are_found_at_every_depth() {
    check(r#"{"type":"ContactCreate","type":"ContactCreate"}"#, expect!["duplicate /type"]);
    check(
        r#"{"a":[{"b":{"c/d":1,"c\/d":2,"c/d":3}}],"\u0061":0,"~":1,"~":2}"#,
        expect!["duplicate /a/0/b/c~1d /a /~0"],
    );
    check(r#"{"a":1,"A":2,"b":{"a":1},"c":{"a":1}}"#, expect!["the payload has no `type`"]);
}

#[test]
fn half_a_surrogate_pair_is_read_and_kept_apart_from_others() {
    for text in [r"\ud83d", r"\ude00", r"\ud83d\ud83d\ude00", r"\ud83dx", r"\ude00\ud83d"] {
        check(&with_member(&format!(r#""name":"{text}""#)), expect!["ok location Some(loc1) None None"]);
    }
    check(
        r#"{"\ud83d":1,"\ud83e":1,"\ud83d\ude00":1,"\ud83d\ude01":1}"#,
        expect!["the payload has no `type`"],
    );
    check(r#"{"\ud83d\ud83e":1,"\ud83d\ud83f":1}"#, expect!["the payload has no `type`"]);
    check(r#"{"\ud83d":1,"\uD83D":1,"\ud83d\ude00":1,"😀":1}"#, expect!["duplicate /􍠽 /😀"]);
}

#[test]
fn duplicates_among_many_members_are_found_and_told_up_to_a_hundred() {
    let members: Vec<String> = (0..300).map(|n| format!(r#""m{n}":0,"m{n}":1"#)).collect();
    match inspect(format!("{{{}}}", members.join(",")).as_bytes(), Validate::Off) {
        Err(PayloadFault::DuplicateKey { pointers }) => {
            assert_eq!((pointers.len(), pointers[99].as_str()), (100, "/m99"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_faults_of_a_payload_come_in_one_answer_each_once() {
    check(
        r#"{"type":"ContactCreate","id":7,"dnd":"no","tags":["a",1],"customFields":[{"value":1},"x"]}"#,
        expect![[r#"
            invalid
            /locationId: is required: it says which location the event belongs to
            /id: must be a string, not a number
            /dnd: must be a boolean, not a string
            /tags/1: must be a string, not a number
            /customFields/0/id: is required
            /customFields/1: must be an object, not a string"#]],
    );
    check(
        r#"{"type":"LocationCreate","id":"x"}"#,
        expect![[r#"
            invalid
            /companyId: is required: it says which company the event belongs to
            /locationId: is required"#]],
    );
}

#[test]
fn at_most_a_hundred_faults_are_told() {
    let tags = vec!["0"; 5_000].join(",");
    match inspect(with_member(&format!(r#""tags":[{tags}]"#)).as_bytes(), Validate::Reject) {
        Err(PayloadFault::InvalidPayload { errors }) => assert_eq!(errors.len(), 100),
        other => panic!("{other:?}"),
    }
}

#[test]
fn constraints_are_told_in_words() {
    check(
        r#"{"type":"InboundMessage","locationId":"loc1","callDuration":-1}"#,
        expect![[r#"
            invalid
            /callDuration: must be at least 0"#]],
    );
    check(
        r#"{"type":"UserCreate","locationId":"loc1","id":"u","role":"king","permissions":{"a":1}}"#,
        expect![[r#"
            invalid
            /role: must be one of "admin", "user"
            /permissions/a: must be a boolean, not a number"#]],
    );
    check(
        r#"{"type":"AppInstall","appId":"a"}"#,
        expect![[r#"
            invalid
            : must have `locationId` or `companyId`"#]],
    );
}

#[test]
fn a_scope_id_is_1_to_64_plain_characters() {
    let payload = |id: &str| format!(r#"{{"type":"ContactCreate","locationId":{id},"id":"c1"}}"#);
    let longest = "aZ0_-".repeat(13)[..64].to_owned();
    assert!(inspect(payload(&format!("\"{longest}\"")).as_bytes(), Validate::Reject).is_ok());
    assert!(inspect(payload(r#""\u0061""#).as_bytes(), Validate::Reject).is_ok());
    for bad in ["\"\"", &format!("\"{longest}x\""), "\"a b\"", "\"é\"", "\"a\\u0000\""] {
        assert_eq!(
            verdict(payload(bad).as_bytes(), Validate::Reject),
            "invalid\n/locationId: must be 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`",
            "{bad}"
        );
    }
    check(
        &payload("null"),
        expect![[r#"
        invalid
        /locationId: must be a string, not null"#]],
    );
}

#[test]
fn a_user_without_a_location_is_the_companys() {
    check(r#"{"type":"UserCreate","companyId":"com1","id":"u"}"#, expect!["ok company None Some(com1) None"]);
    check(
        r#"{"type":"UserCreate","locationId":"loc1","companyId":"com1","id":"u"}"#,
        expect!["ok location Some(loc1) Some(com1) None"],
    );
    check(
        r#"{"type":"UserCreate"}"#,
        expect![[r#"
            invalid
            /companyId: is required where there is no `locationId`
            /id: is required"#]],
    );
}

#[test]
fn ids_beside_the_scopes_own_are_data() {
    check(&with_member(r#""companyId":"not an id","appId":5"#), expect!["ok location Some(loc1) None None"]);
}

#[test]
fn an_alias_stands_for_its_type() {
    let inspected =
        inspect(br#"{"type":"INSTALL","appId":"a","locationId":"loc1"}"#, Validate::Reject).unwrap();
    CATALOGUE.with(|catalogue| assert_eq!(catalogue.get(inspected.event_type).name(), "AppInstall"));
    assert_eq!(inspected.scope, EventScope::App);
}

#[test]
fn warn_and_off_let_schema_faults_pass_but_not_scope_faults() {
    let unschematic = br#"{"type":"ContactCreate","locationId":"loc1","id":1}"#;
    expect![[r#"
        ok location Some(loc1) None None
        /id: must be a string, not a number"#]]
    .assert_eq(&verdict(unschematic, Validate::Warn));
    expect!["ok location Some(loc1) None None"].assert_eq(&verdict(unschematic, Validate::Off));
    for validate in [Validate::Warn, Validate::Off] {
        expect![[r#"
            invalid
            /locationId: is required: it says which location the event belongs to"#]]
        .assert_eq(&verdict(br#"{"type":"ContactCreate","id":1}"#, validate));
        expect!["the payload has no `type`"].assert_eq(&verdict(b"{}", validate));
        expect!["duplicate /a"].assert_eq(&verdict(br#"{"a":1,"a":1}"#, validate));
    }
}

#[test]
fn formats_are_annotation_and_unnamed_fields_pass() {
    check(
        &with_member(r#""email":"nobody","dateAdded":"yesterday","website":"::","more":{"x":[null]}"#),
        expect!["ok location Some(loc1) None None"],
    );
}

#[test]
fn numbers_have_no_bounds() {
    let numbers = ["1e999", "-1e999", "1e-999", "12345678901234567890123", "-0", "0.1e+1", "1E400"];
    for number in numbers {
        let payload = with_member(&format!(r#""customFields":[{{"id":"f","value":{number}}}],"x":{number}"#));
        assert_eq!(
            verdict(payload.as_bytes(), Validate::Reject),
            "ok location Some(loc1) None None",
            "{number}"
        );
        let duration = number.strip_prefix('-').unwrap_or(number);
        let payload = format!(r#"{{"type":"InboundMessage","locationId":"l","callDuration":{duration}}}"#);
        assert!(inspect(payload.as_bytes(), Validate::Reject).is_ok(), "{number}");
    }
    check(
        r#"{"type":"InboundMessage","locationId":"l","callDuration":-1e999}"#,
        expect![[r#"
            invalid
            /callDuration: must be at least 0"#]],
    );
}

#[test]
fn nesting_ends_at_64_levels_and_never_in_an_overflow() {
    // The object around it is the first level.
    let nested = |depth: usize| with_member(&format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    let deepest = nested(PAYLOAD_DEPTH_MAX - 1);
    check(&deepest, expect!["ok location Some(loc1) None None"]);
    let too_deep = nested(PAYLOAD_DEPTH_MAX);
    check(&too_deep, expect!["line 1, column 122: arrays and objects nest deeper than 64 levels"]);
    let siblings = with_member(&format!(r#""x":[{}]"#, vec!["[{}]"; 100].join(",")));
    check(&siblings, expect!["ok location Some(loc1) None None"]);
    for bomb in ["[", r#"{"a":"#, r#"[{"a":"#] {
        assert!(matches!(
            inspect(bomb.repeat(200_000).as_bytes(), Validate::Reject),
            Err(PayloadFault::InvalidJson { .. })
        ));
    }
}

#[test]
fn a_megabyte_of_anything_takes_no_more_than_linear_time() {
    let many_members: Vec<String> = (0..80_000).map(|n| format!(r#""member{n}":{n}"#)).collect();
    let members = with_member(&many_members.join(","));
    let bad_permissions = format!(
        r#"{{"type":"UserCreate","locationId":"l","id":"u","permissions":{{{}}}}}"#,
        many_members.join(",")
    );
    let escapes = with_member(&format!(r#""name":"{}""#, r"\u00e9\n".repeat(130_000)));
    let long_name = format!(r#"{{"type":"{}"}}"#, "ContactCreate".repeat(80_000));
    let repeated = format!("{{{}}}", vec![r#""a":0"#; 160_000].join(","));
    for payload in [members, bad_permissions, escapes, long_name, repeated] {
        assert!(payload.len() >= 900_000);
        let started = Instant::now();
        let _ = inspect(payload.as_bytes(), Validate::Reject);
        // Quadratic work on 80,000 members takes minutes; linear work, unoptimised, well under a second.
        assert!(started.elapsed() < Duration::from_secs(10), "{:?} {}", started.elapsed(), &payload[..60]);
    }
}

/// Text that is nearly JSON: what a generator of random bytes would never reach.
fn nearly_json() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"a\"",
        "\"type\"",
        "\"ContactCreate\"",
        "\"locationId\"",
        "0",
        "-1",
        "1.5",
        "1e5",
        "e",
        ".",
        "+",
        "true",
        "false",
        "null",
        "\\u00e9",
        "\\ud83d",
        "\\ude00",
        " ",
        "\n",
        "\u{1}",
        "é",
        "\"id\":\"x\"",
        "{\"a\":1}",
        "[1,2]",
        "\"\\n\"",
    ]);
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((".{0,4}", inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn is_syntax_fault(text: &str) -> bool {
    matches!(inspect(text.as_bytes(), Validate::Reject), Err(PayloadFault::InvalidJson { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = inspect(&bytes, Validate::Warn);
    }

    #[test]
    fn it_agrees_with_an_independent_parser_about_what_json_is(text in nearly_json()) {
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        prop_assert_eq!(is_syntax_fault(&text), theirs.is_err(), "{} {:?}", text, theirs);
    }

    #[test]
    fn whatever_a_writer_of_json_writes_is_read(value in json_value()) {
        prop_assert!(!is_syntax_fault(&value.to_string()));
        prop_assert!(!is_syntax_fault(&serde_json::to_string_pretty(&value).unwrap()));
    }

    #[test]
    fn any_value_in_any_field_gets_a_verdict(value in json_value(), field in "[a-z]{1,3}|tags|customFields|id|locationId") {
        let payload = format!(r#"{{"type":"ContactCreate",{}:{value}}}"#, serde_json::Value::from(field));
        let verdict = inspect(payload.as_bytes(), Validate::Reject);
        prop_assert!(!matches!(verdict, Err(PayloadFault::InvalidJson { .. })), "{:?}", verdict);
    }
}

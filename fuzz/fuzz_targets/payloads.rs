//! Looking at a published payload, against serde_json: what is JSON, which keys stand twice, what `type` and the scope ids
//! say. Reject, warn and off agree on all of it.
#![no_main]

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use catalogue::{Catalogue, Inspected, PayloadFault, Validate};
use domain::limits::PAYLOAD_DEPTH_MAX;
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::builtin);

fuzz_target!(|bytes: &[u8]| {
    let off = CATALOGUE.inspect(bytes, Validate::Off);
    let seen = match serde_json::from_slice::<Seen>(bytes) {
        Ok(seen) if seen.depth <= PAYLOAD_DEPTH_MAX => seen,
        Err(fault) if is_beyond_serde(&fault.to_string()) => return agrees_on_the_grammar(bytes, &off),
        Ok(_) | Err(_) => {
            assert!(matches!(off, Err(PayloadFault::InvalidJson { .. })), "{off:?}");
            return;
        }
    };
    match &off {
        Err(PayloadFault::InvalidJson { .. }) => panic!("serde_json takes it: {off:?}"),
        Err(PayloadFault::NotAnObject { .. }) => assert!(seen.members.is_none()),
        Err(PayloadFault::DuplicateKey { pointers }) => assert!(seen.repeats && !pointers.is_empty()),
        _ => assert!(seen.members.is_some() && !seen.repeats),
    }
    let member =
        |name: &str| seen.members.as_ref()?.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    match (&off, member("type")) {
        (Err(PayloadFault::MissingType), found) => assert!(found.is_none()),
        (Err(PayloadFault::UnknownType { .. }), Some(Some(name))) => assert!(CATALOGUE.find(name).is_none()),
        (Ok(inspected), Some(Some(name))) => {
            assert_eq!(CATALOGUE.find(name).map(|known| known.index()), Some(inspected.event_type));
            let text = |name| member(name).cloned().flatten();
            let id = text("locationId").and_then(|id| id.parse().ok());
            assert_eq!(inspected.location_id, id);
        }
        (Ok(_), found) => panic!("accepted without a type: {found:?}"),
        _ => {}
    }
    match (CATALOGUE.inspect(bytes, Validate::Warn), CATALOGUE.inspect(bytes, Validate::Reject)) {
        (warned, Ok(strict)) => {
            assert_eq!((warned.as_ref(), off.as_ref()), (Ok(&strict), Ok(&strict)));
        }
        (Ok(warned), Err(rejected)) => {
            assert_eq!(rejected, PayloadFault::InvalidPayload { errors: warned.warnings });
            assert!(off.is_ok());
        }
        (Err(_), Err(_)) => assert!(off.is_err()),
    }
});

/// JSON by its grammar (RFC 8259), of which serde_json's values cannot hold everything: `1e999`, and half a surrogate pair.
fn is_beyond_serde(fault: &str) -> bool {
    ["number out of range", "lone leading surrogate", "unexpected end of hex escape"]
        .iter()
        .any(|known| fault.starts_with(known))
}

fn agrees_on_the_grammar(bytes: &[u8], off: &Result<Inspected, PayloadFault>) {
    let text = std::str::from_utf8(bytes).ok();
    let is_json = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    let may_be_deep = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > PAYLOAD_DEPTH_MAX;
    let is_refused = matches!(off, Err(PayloadFault::InvalidJson { .. }));
    assert!(is_json != is_refused || is_json && may_be_deep, "{off:?}");
}

/// What serde_json makes of a value.
#[derive(Debug, Default)]
struct Seen {
    /// Levels of arrays and objects.
    depth: usize,
    /// Some object names a member twice.
    repeats: bool,
    /// Of the outermost object: names, and values that are strings.
    members: Option<Vec<(String, Option<String>)>>,
    text: Option<String>,
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen::default())
    }
    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::default())
    }
    fn visit_u64<E>(self, _: u64) -> Result<Seen, E> {
        Ok(Seen::default())
    }
    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::default())
    }
    fn visit_str<E>(self, text: &str) -> Result<Seen, E> {
        Ok(Seen { text: Some(text.to_owned()), ..Seen::default() })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Seen, A::Error> {
        let mut all = Seen { depth: 1, ..Seen::default() };
        while let Some(item) = items.next_element::<Seen>()? {
            all.hold(&item);
        }
        Ok(all)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Seen, A::Error> {
        let mut all = Seen { depth: 1, ..Seen::default() };
        let (mut names, mut listed) = (HashSet::new(), Vec::new());
        while let Some((name, value)) = members.next_entry::<String, Seen>()? {
            all.hold(&value);
            all.repeats |= !names.insert(name.clone());
            listed.push((name, value.text));
        }
        all.members = Some(listed);
        Ok(all)
    }
}

impl Seen {
    fn hold(&mut self, inner: &Self) {
        self.depth = self.depth.max(inner.depth + 1);
        self.repeats |= inner.repeats;
    }
}

//! Reads the JSON object of a request body field by field and collects every fault on the way.
//!
//! Strict: a field that nobody asked for is a fault, so is a member named twice at any depth. Values are borrowed as they
//! were written, so that a payload inside a request stays byte for byte.

use std::fmt;
use std::ops::RangeInclusive;

use domain::scope::Owner;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::problem::{Code, Faults, Problem, pointed};

/// The fields that name an owner, and of which kind.
pub(crate) const OWNERS: [(&str, &str); 3] =
    [("locationId", "location"), ("companyId", "company"), ("appId", "app")];

/// A field as it came. What had a fault counts as absent; the fault is noted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Given<T> {
    Absent,
    Null,
    Value(T),
}

impl<T> Given<T> {
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// For a change: `None` leaves as it is, `Some(None)` sets to null.
    pub(crate) fn change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }
}

/// The members of one object that have not been asked for yet, and the faults so far.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    members: Vec<(String, &'a RawValue)>,
    pub(crate) faults: Faults,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// `invalid-json` for what does not parse, `not-an-object`, and `duplicate-key` for a repeated top-level member.
    pub(crate) fn of(body: &'a [u8]) -> Result<Self, Problem> {
        let text: &RawValue = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
        if !text.get().starts_with('{') {
            return Err(not_an_object());
        }
        let Members { members, repeated } =
            serde_json::from_str(text.get()).map_err(|error| not_json(&error))?;
        if !repeated.is_empty() {
            return Err(repeats(repeated));
        }
        Ok(Self { members, faults: Faults::default() })
    }

    /// As [`of`](Self::of), and an empty body, or null, is an empty object.
    pub(crate) fn of_optional(body: &'a [u8]) -> Result<Self, Problem> {
        if matches!(body.trim_ascii(), b"" | b"null") {
            return Ok(Self { members: Vec::new(), faults: Faults::default() });
        }
        Self::of(body)
    }

    /// The value's own bytes.
    pub(crate) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.remove(at).1)
    }

    pub(crate) fn any(&mut self, name: &str) -> Given<Value> {
        let Some(raw) = self.raw(name) else { return Given::Absent };
        let mut repeated = Vec::new();
        let seed = Strict { pointer: format!("/{name}"), repeated: &mut repeated };
        let mut reader = serde_json::Deserializer::from_str(raw.get());
        let value = seed.deserialize(&mut reader);
        for pointer in repeated {
            self.faults.add(Code::DuplicateKey, pointer, REPEATED);
        }
        match value {
            Ok(Value::Null) => Given::Null,
            Ok(value) => Given::Value(value),
            Err(error) => {
                self.fault(name, format!("cannot be read: {error}"));
                Given::Absent
            }
        }
    }

    /// Text of at most `characters_max` characters without NUL, which no database of ours could keep.
    pub(crate) fn text(&mut self, name: &str, characters_max: usize) -> Given<String> {
        self.judged(name, |value| match value {
            Value::String(text) if text.contains('\0') => Err("must not contain the character U+0000".into()),
            Value::String(text) if text.chars().nth(characters_max).is_some() => {
                Err(format!("must have at most {characters_max} characters"))
            }
            Value::String(text) => Ok(text),
            other => Err(format!("must be a string, not {}", kind(&other))),
        })
    }

    pub(crate) fn flag(&mut self, name: &str) -> Given<bool> {
        self.judged(name, |value| {
            value.as_bool().ok_or_else(|| format!("must be true or false, not {}", kind(&value)))
        })
    }

    pub(crate) fn number(&mut self, name: &str, range: RangeInclusive<u32>) -> Given<u32> {
        self.judged(name, |value| {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            number
                .filter(|number| range.contains(number))
                .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }

    pub(crate) fn list(&mut self, name: &str) -> Given<Vec<Value>> {
        self.judged(name, |value| match value {
            Value::Array(items) => Ok(items),
            other => Err(format!("must be an array, not {}", kind(&other))),
        })
    }

    pub(crate) fn object(&mut self, name: &str) -> Given<Map<String, Value>> {
        self.judged(name, |value| match value {
            Value::Object(members) => Ok(members),
            other => Err(format!("must be an object, not {}", kind(&other))),
        })
    }

    /// The field, read by `parse`, which says what is wrong.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Given<T> {
        match self.text(name, usize::MAX - 1) {
            Given::Absent => Given::Absent,
            Given::Null => Given::Null,
            Given::Value(text) => match parse(&text) {
                Ok(value) => Given::Value(value),
                Err(detail) => {
                    self.fault(name, detail);
                    Given::Absent
                }
            },
        }
    }

    fn judged<T>(&mut self, name: &str, judge: impl FnOnce(Value) -> Result<T, String>) -> Given<T> {
        match self.any(name) {
            Given::Absent => Given::Absent,
            Given::Null => Given::Null,
            Given::Value(value) => match judge(value) {
                Ok(value) => Given::Value(value),
                Err(detail) => {
                    self.fault(name, detail);
                    Given::Absent
                }
            },
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| member == name)
    }

    /// Call it before the field is read: says that it is missing or null.
    pub(crate) fn require(&mut self, name: &str) {
        match self.members.iter().find(|(member, _)| member == name) {
            None => self.fault(name, "is required"),
            Some((_, raw)) if raw.get() == "null" => self.fault(name, "is required and cannot be null"),
            Some(_) => {}
        }
    }

    /// Null where a change must not remove a value.
    pub(crate) fn not_null<T>(&mut self, name: &str, given: Given<T>) -> Option<T> {
        if matches!(given, Given::Null) {
            self.fault(name, "cannot be null: leave it out to keep it as it is");
        }
        given.value()
    }

    /// Null where only a value or nothing will do.
    pub(crate) fn or_default<T>(&mut self, name: &str, given: Given<T>, default: T) -> T {
        if matches!(given, Given::Null) {
            self.fault(name, "cannot be null: leave it out for the default");
        }
        given.value().unwrap_or(default)
    }

    /// The one owner that is named. `missing`: what to say where none is.
    pub(crate) fn owner(&mut self, missing: Option<&'static str>) -> Option<Owner> {
        let mut owners = Vec::new();
        let mut faulty = false;
        for (name, kind) in OWNERS {
            let before = self.has(name);
            let detail = "must be 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`";
            let given = self.parsed(name, |id| Owner::from_parts(kind, id).ok_or_else(|| detail.to_owned()));
            faulty |= before && matches!(given, Given::Absent);
            owners.extend(given.value());
        }
        match (owners.len(), missing) {
            (0, Some(missing)) if !faulty => self.fault("locationId", missing),
            (0 | 1, _) => {}
            _ => {
                let second = format!("{}Id", owners[1].kind());
                let detail =
                    "is one owner too many: give exactly one of `locationId`, `companyId` and `appId`";
                self.fault(&second, detail);
            }
        }
        owners.into_iter().next()
    }

    pub(crate) fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.add(Code::InvalidRequest, format!("/{name}"), detail);
    }

    /// # Errors
    /// All faults that were found; every member that nobody asked for is one.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in &self.members {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            self.faults.add(Code::UnknownField, pointer, "is not a field of this request");
        }
        self.faults.finish()
    }
}

const REPEATED: &str = "is named more than once in its object";

fn repeats(pointers: Vec<String>) -> Problem {
    Problem::new(Code::DuplicateKey, "a member is named more than once in its object: keep one of them")
        .with_errors(pointed(pointers, REPEATED))
}

fn not_an_object() -> Problem {
    Problem::new(Code::NotAnObject, "the body of this request is a JSON object: send one")
}

fn not_json(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    let detail = match error.is_eof() {
        true if error.column() == 0 => "the body is empty: send a JSON object".to_owned(),
        true => format!("the body is not JSON: it ends too early, at {place}"),
        false => format!("the body is not JSON: the fault is at {place}"),
    };
    Problem::new(Code::InvalidJson, detail)
}

/// The kind with its article, as sentences name it.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The members of an object in their order, and pointers to those named again.
struct Members<'a> {
    members: Vec<(String, &'a RawValue)>,
    repeated: Vec<String>,
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut read = Members { members: Vec::new(), repeated: Vec::new() };
                let mut seen = std::collections::HashSet::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if !seen.insert(name.clone()) {
                        read.repeated.push(format!("/{name}"));
                    }
                    read.members.push((name, value));
                }
                Ok(read)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Reads a value and notes the members that are named twice in their object.
struct Strict<'r> {
    pointer: String,
    repeated: &'r mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let pointer = format!("{}/{}", self.pointer, items.len());
            match seq.next_element_seed(Strict { pointer, repeated: self.repeated })? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let pointer = format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"));
            let value = map.next_value_seed(Strict { pointer: pointer.clone(), repeated: self.repeated })?;
            if members.insert(name, value).is_some() {
                self.repeated.push(pointer);
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problem that reading `name`, `n` and `tags` of the body ends with, as `code: pointers`.
    fn read(body: &str) -> String {
        let told = |problem: Problem| {
            let view = serde_json::to_value(problem.view("r")).unwrap();
            let pointers: Vec<_> = view["errors"].as_array().into_iter().flatten().collect();
            let pointers: Vec<_> = pointers.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
            format!("{}: {}", problem.code.as_str(), pointers.join(" "))
        };
        let mut fields = match Fields::of(body.as_bytes()) {
            Ok(fields) => fields,
            Err(problem) => return told(problem),
        };
        fields.require("name");
        let _ = (fields.text("name", 3), fields.number("n", 1..=5), fields.object("tags"));
        fields.finish().map_or_else(told, |()| "fine".to_owned())
    }

    #[test]
    fn every_fault_of_a_body_is_named() {
        for (body, told) in [
            (r#"{"name":"abc","n":5,"tags":{}}"#, "fine"),
            (r#" {"name":"äöü"} "#, "fine"),
            ("", "invalid-json: "),
            ("{", "invalid-json: "),
            ("{} {}", "invalid-json: "),
            ("[]", "not-an-object: "),
            ("null", "not-an-object: "),
            (r#"{"name":"a","name":"b"}"#, "duplicate-key: /name"),
            (r#"{"name":"a","tags":{"x":[{"y":1,"y":2}]}}"#, "duplicate-key: /tags/x/0/y"),
            (r#"{}"#, "invalid-request: /name"),
            (r#"{"name":null}"#, "invalid-request: /name"),
            (r#"{"name":"abcd","n":6,"tags":[]}"#, "invalid-request: /name /n /tags"),
            (r#"{"name":"\u0000"}"#, "invalid-request: /name"),
            (r#"{"name":"a","n":1.5}"#, "invalid-request: /n"),
            (r#"{"name":"a","Name":"b","x/y":1}"#, "unknown-field: /Name /x~1y"),
            (r#"{"name":"a","n":0,"x":1}"#, "invalid-request: /n /x"),
            (r#"{"name":"\ud800"}"#, "invalid-request: /name"),
        ] {
            assert_eq!(read(body), told, "{body}");
        }
        assert!(Fields::of(b"{\"name\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_raw_value_keeps_its_bytes() {
        let mut fields = Fields::of(br#"{"payload": {"a" : 1e999,  "b":[ ]} }"#).unwrap();
        assert_eq!(fields.raw("payload").unwrap().get(), r#"{"a" : 1e999,  "b":[ ]}"#);
        fields.finish().unwrap();
    }
}

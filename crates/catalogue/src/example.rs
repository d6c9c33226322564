//! Sample payloads made to measure: with an owner's id put in, and with single fields set.

use domain::event::EventScope;
use domain::scope::Owner;
use serde_json::{Map, Value};

use crate::catalogue::Catalogue;
use crate::event_type::{EventType, TypeIndex, scope_field};

/// Why a field could not be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    #[error("the payload is not a JSON object")]
    NotAnObject,
    #[error("`{0}` is not `name=value` or `name.inner=value`")]
    NoAssignment(String),
    #[error("`{path}` leads through a value that is no object and no array with that item")]
    NoSuchPlace { path: String },
}

impl Catalogue {
    /// The type's example as bytes, with the owner's id wherever the example has an id of that kind.
    ///
    /// The result is a payload that [`Catalogue::inspect`] accepts.
    pub fn example_for(&self, event_type: TypeIndex, owner: &Owner) -> Vec<u8> {
        let event_type = self.get(event_type);
        let mut example: Value =
            serde_json::from_str(event_type.example()).expect("examples are parsed when the catalogue loads");
        if let Value::Object(members) = &mut example {
            put_owner(event_type, members, owner);
        }
        example.to_string().into_bytes()
    }
}

fn put_owner(event_type: &EventType, members: &mut Map<String, Value>, owner: &Owner) {
    let scope = EventScope::of(owner);
    if event_type.scope_else() == Some(scope) {
        // The id of the first scope would win over the one that makes the event the owner's.
        members.shift_remove(scope_field(event_type.scope()));
        members.insert(scope_field(scope).to_owned(), owner.id().into());
        return;
    }
    let Some(sample_id) = members.get(scope_field(scope)).and_then(Value::as_str).map(str::to_owned) else {
        return;
    };
    for value in members.values_mut() {
        replace(value, &sample_id, owner.id());
    }
}

/// The same id may stand in several places (`altId` of invoices, `id` of a location): all of them mean the owner.
fn replace(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => *value = to.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, from, to)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, from, to)),
        _ => {}
    }
}

/// The payload with fields set: each assignment is `name=value` or, for nested ones, `customFields.0.value=x`.
///
/// A value that parses as JSON is that JSON, anything else is a string. Members that are missing are added.
///
/// # Errors
/// The first assignment that has no `=`, no name, or a path through something that holds no members.
pub fn with_fields<S: AsRef<str>>(payload: &[u8], assignments: &[S]) -> Result<Vec<u8>, FieldError> {
    let mut payload: Value = serde_json::from_slice(payload).map_err(|_| FieldError::NotAnObject)?;
    if !payload.is_object() {
        return Err(FieldError::NotAnObject);
    }
    for assignment in assignments {
        let assignment = assignment.as_ref();
        let (path, text) = assignment
            .split_once('=')
            .filter(|(path, _)| !path.split('.').any(str::is_empty))
            .ok_or_else(|| FieldError::NoAssignment(assignment.to_owned()))?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        set(&mut payload, path, value)?;
    }
    Ok(payload.to_string().into_bytes())
}

fn set(payload: &mut Value, path: &str, value: Value) -> Result<(), FieldError> {
    let mut place = payload;
    for step in path.split('.') {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let next = match place {
            Value::Object(members) => Some(members.entry(step).or_insert(Value::Null)),
            Value::Array(items) => step.parse().ok().and_then(|n: usize| items.get_mut(n)),
            _ => None,
        };
        place = next.ok_or_else(|| FieldError::NoSuchPlace { path: path.to_owned() })?;
    }
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_all(payload: &str, assignments: &[&str]) -> Result<String, FieldError> {
        with_fields(payload.as_bytes(), assignments).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_field_is_set_added_or_nested() {
        let payload = r#"{"type":"ContactCreate","tags":[{"id":"a"}]}"#;
        assert_eq!(
            set_all(payload, &["city=Austin", "dnd=true", "n=5", "tags.0.id=b", "a.b=x", "q=\"7\"", "e="])
                .unwrap(),
            r#"{"type":"ContactCreate","tags":[{"id":"b"}],"city":"Austin","dnd":true,"n":5,"a":{"b":"x"},"q":"7","e":""}"#
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused() {
        let nowhere = |path: &str| FieldError::NoSuchPlace { path: path.to_owned() };
        assert_eq!(set_all(r#"{"a":"x"}"#, &["a.b=1"]), Err(nowhere("a.b")));
        assert_eq!(set_all(r#"{"a":[1]}"#, &["a.1=1"]), Err(nowhere("a.1")));
        for assignment in ["city", "=x", "a..b=1", ".a=1"] {
            assert_eq!(set_all("{}", &[assignment]), Err(FieldError::NoAssignment(assignment.to_owned())));
        }
        assert_eq!(set_all("[]", &[]), Err(FieldError::NotAnObject));
    }
}

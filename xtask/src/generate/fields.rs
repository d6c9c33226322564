//! A schema as rows of a table: one row for each field, nested ones by their dotted path. Its tests fail
//! when a schema of the catalogue uses a keyword that this file does not put into words.

use serde_json::{Map, Value};

/// A field of a payload, in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// `customFields[].id`
    pub(super) path: String,
    /// `string (date-time)`
    pub(super) kind: String,
    pub(super) is_required: bool,
    /// The schema's description and its bounds, as sentences.
    pub(super) description: String,
}

/// The fields below `schema` in the schema's order.
pub(super) fn fields(schema: &Value) -> Vec<Field> {
    let mut rows = Vec::new();
    collect(schema, "", &mut rows);
    rows
}

fn collect(schema: &Value, prefix: &str, rows: &mut Vec<Field>) {
    let required: Vec<&str> = strings(schema.get("required")).collect();
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let is_required = required.contains(&name.as_str());
        let items = field.get("items");
        let inner_prefix = if items.is_some() { format!("{path}[]") } else { path.clone() };
        rows.push(Field { path, kind: kind(field), is_required, description: description(field) });
        collect(items.unwrap_or(field), &inner_prefix, rows);
    }
    if let Some(others @ Value::Object(_)) = schema.get("additionalProperties") {
        let path = format!("{prefix}.*");
        rows.push(Field { path, kind: kind(others), is_required: false, description: description(others) });
    }
}

fn kind(field: &Value) -> String {
    let name = match field.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(several @ Value::Array(_)) => strings(Some(several)).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    if let Some(items) = field.get("items") {
        return format!("{name} of {}", kind(items));
    }
    match field.get("format").and_then(Value::as_str) {
        Some(format) => format!("{name} ({format})"),
        None => name,
    }
}

fn description(field: &Value) -> String {
    let empty = Map::new();
    let keywords = field.as_object().unwrap_or(&empty);
    let mut sentences: Vec<String> = Vec::new();
    sentences.extend(keywords.get("description").and_then(Value::as_str).map(str::to_owned));
    sentences.extend(keywords.get("const").map(|value| format!("Always {}.", code(value))));
    sentences.extend(keywords.get("enum").map(|values| format!("One of {}.", codes(values))));
    sentences.extend(keywords.get("minimum").map(|least| format!("At least {}.", code(least))));
    sentences.extend(keywords.get("examples").map(|values| format!("For example {}.", codes(values))));
    sentences.join(" ")
}

fn codes(values: &Value) -> String {
    let values: Vec<String> = values.as_array().into_iter().flatten().map(code).collect();
    values.join(", ")
}

fn code(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

pub(super) fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Value, fields};

    #[test]
    fn nested_fields_have_dotted_paths_and_constraints_are_sentences() {
        let schema = serde_json::json!({
            "properties": {
                "type": {"type": "string", "const": "A", "description": "Name."},
                "on": {"type": "string", "format": "date"},
                "many": {"type": "array", "items": {"type": "object", "required": ["k"], "properties": {
                    "k": {"enum": ["x", 1]}
                }}},
                "one": {"type": "object", "properties": {"n": {"type": ["integer", "null"], "minimum": 0}}},
                "flags": {"type": "object", "additionalProperties": {"type": "boolean"}}
            },
            "required": ["type"]
        });
        let rows: String = fields(&schema)
            .iter()
            .map(|f| format!("{} | {} | {} | {}\n", f.path, f.kind, f.is_required, f.description))
            .collect();
        expect_test::expect![[r#"
            type | string | true | Name. Always `A`.
            on | string (date) | false | 
            many | array of object | false | 
            many[].k | any | true | One of `x`, `1`.
            one | object | false | 
            one.n | integer or null | false | At least `0`.
            flags | object | false | 
            flags.* | boolean | false | 
        "#]]
        .assert_eq(&rows);
    }

    #[test]
    fn every_keyword_of_the_catalogue_is_put_into_words() {
        const KNOWN: [&str; 14] = [
            "$schema",
            "title",
            "description",
            "type",
            "properties",
            "items",
            "required",
            "enum",
            "const",
            "format",
            "examples",
            "minimum",
            "anyOf",
            "additionalProperties",
        ];
        let mut used = BTreeSet::new();
        for event_type in catalogue::Catalogue::builtin().types() {
            keywords(&serde_json::from_str(event_type.schema()).unwrap(), &mut used);
        }
        let unknown: Vec<&String> =
            used.iter().filter(|keyword| !KNOWN.contains(&keyword.as_str())).collect();
        assert!(used.len() > 10 && unknown.is_empty(), "{unknown:?}");
    }

    fn keywords(schema: &Value, used: &mut BTreeSet<String>) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            used.insert(keyword.clone());
            match keyword.as_str() {
                "properties" => {
                    value.as_object().into_iter().flatten().for_each(|(_, field)| keywords(field, used))
                }
                "items" | "additionalProperties" => keywords(value, used),
                _ => {}
            }
        }
    }
}

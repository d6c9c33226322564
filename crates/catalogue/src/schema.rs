//! One compiled JSON Schema (2020-12), and its complaints in words that a publisher understands.
//!
//! Nothing remote is ever fetched, `format` is annotation only, patterns run in linear time. The words never
//! repeat the payload's own values, so they may be logged where the payload may not.

use domain::limits::FAULTS_MAX;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonTypeSet, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::fault::Fault;
use crate::json::{Borrowed, Tree, pointer_to};

#[derive(Debug)]
pub(crate) struct Schema(Validator<Borrowed>);

impl Schema {
    pub(crate) fn compile(schema: &Value) -> Result<Self, ValidationError<'static>> {
        jsonschema::options_for::<Borrowed>()
            .offline()
            .should_validate_formats(false)
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map(Self)
    }

    pub(crate) fn accepts(&self, tree: &Tree<'_>) -> bool {
        self.0.is_valid(tree)
    }

    /// Every fault but those at the pointer that is `told` already, at most [`FAULTS_MAX`].
    pub(crate) fn faults(&self, tree: &Tree<'_>, told: Option<&str>) -> Vec<Fault> {
        let mut faults: Vec<Fault> = Vec::new();
        for error in self.0.iter_errors(tree) {
            if told.is_some_and(|told| demands_one_of(&error).any(|pointer| pointer == told)) {
                continue;
            }
            let fault = describe(&error, tree);
            if told != Some(&fault.pointer) && !faults.contains(&fault) {
                faults.push(fault);
            }
            if faults.len() == FAULTS_MAX {
                break;
            }
        }
        faults
    }
}

fn describe(error: &ValidationError<'_>, tree: &Tree<'_>) -> Fault {
    let at = error.instance_path().as_str();
    let (pointer, detail) = match error.kind() {
        ValidationErrorKind::Required { property } => {
            (pointer_to(at, property.as_str().unwrap_or_default()), "is required".to_owned())
        }
        ValidationErrorKind::Type { kind } => (at.to_owned(), type_detail(kind, tree.at(at))),
        ValidationErrorKind::Enum { options } => (at.to_owned(), format!("must be one of {}", list(options))),
        ValidationErrorKind::Constant { expected_value } => {
            (at.to_owned(), format!("must be {expected_value}"))
        }
        ValidationErrorKind::Minimum { limit } => (at.to_owned(), format!("must be at least {limit}")),
        ValidationErrorKind::AnyOf { .. } if demands_one_of(error).next().is_some() => {
            let names: Vec<String> =
                demands_one_of(error).map(|pointer| format!("`{}`", &pointer[1..])).collect();
            (at.to_owned(), format!("must have {}", names.join(" or ")))
        }
        _ => (at.to_owned(), error.masked_with("the value").to_string()),
    };
    Fault { pointer, detail }
}

/// For "one of these members must be there" at the payload's top: the pointers of those members.
fn demands_one_of<'e>(error: &'e ValidationError<'_>) -> impl Iterator<Item = String> + 'e {
    let branches: &[Vec<ValidationError<'static>>] = match error.kind() {
        ValidationErrorKind::AnyOf { context } if error.instance_path().as_str().is_empty() => context,
        _ => &[],
    };
    branches.iter().flatten().filter_map(|inner| match inner.kind() {
        ValidationErrorKind::Required { property } => property.as_str().map(|name| pointer_to("", name)),
        _ => None,
    })
}

fn type_detail(kind: &TypeKind, found: Option<&Tree<'_>>) -> String {
    let wanted = match kind {
        TypeKind::Single(one) => JsonTypeSet::from(*one),
        TypeKind::Multiple(several) => *several,
    };
    let wanted: Vec<&str> = wanted.iter().map(|one| with_article(one.as_str())).collect();
    match found {
        // A number that is no integer: "a number" would say nothing.
        Some(Tree::Number(_)) if wanted.contains(&"an integer") => "must be an integer".to_owned(),
        Some(found) => format!("must be {}, not {}", wanted.join(" or "), found.kind()),
        None => format!("must be {}", wanted.join(" or ")),
    }
}

fn with_article(kind: &str) -> &'static str {
    match kind {
        "null" => "null",
        "boolean" => "a boolean",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a string",
        "array" => "an array",
        _ => "an object",
    }
}

fn list(options: &Value) -> String {
    let options: Vec<String> = options.as_array().into_iter().flatten().map(Value::to_string).collect();
    options.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Schema, Value};
    use crate::json::parse;

    fn accepts(schema: &Value, text: &str) -> bool {
        Schema::compile(schema).unwrap().accepts(&parse(text.as_bytes()).unwrap().root)
    }

    #[test]
    fn numbers_are_judged_by_their_value_whatever_their_size() {
        for whole in ["0", "-0", "1.0", "10e-1", "1e999", "-1e999", "12345678901234567890123"] {
            assert!(accepts(&json!({"type": "integer"}), whole), "{whole}");
        }
        for broken in ["0.5", "1e-1", "15e-1"] {
            assert!(!accepts(&json!({"type": "integer"}), broken), "{broken}");
        }
        assert!(accepts(&json!({"const": 1}), "1.0"));
        assert!(!accepts(&json!({"const": 1}), "\"1\""));
        assert!(accepts(&json!({"maximum": 9}), "-1e999"));
        assert!(!accepts(&json!({"maximum": 9}), "1e999"));
    }

    #[test]
    fn containers_are_compared_by_value_and_names_are_judged_like_strings() {
        assert!(accepts(&json!({"enum": [{"a": [1, null]}]}), r#"{"a":[1.0,null]}"#));
        assert!(!accepts(&json!({"uniqueItems": true}), r#"[{"a":1},{"a":1.0}]"#));
        assert!(accepts(&json!({"propertyNames": {"maxLength": 1}}), r#"{"é":1}"#));
        assert!(!accepts(&json!({"propertyNames": {"maxLength": 1}}), r#"{"éé":1}"#));
    }
}

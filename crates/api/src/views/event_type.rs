//! Event types as shown.

use catalogue::EventType;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::text;

/// An entry of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EventType)]
pub(crate) struct EventTypeView {
    /// The canonical name, as in the payload's `type`.
    #[serde(rename = "type")]
    #[schema(example = "ContactCreate")]
    kind: String,
    title: String,
    category: String,
    summary: String,
    /// `location`, `company` or `app`: which id of a payload decides where its event goes.
    scope: &'static str,
    /// What an app must hold to receive it; null needs nothing.
    #[schema(required)]
    oauth_scope: Option<String>,
    /// Other names that are accepted wherever a type is named.
    aliases: Vec<String>,
    /// What a receiver should know about the payload, in Markdown.
    #[schema(required)]
    notes: Option<String>,
    /// JSON Schema 2020-12 of the payload.
    #[schema(value_type = Object)]
    schema: Option<Box<RawValue>>,
    /// A sample payload.
    #[schema(value_type = Object)]
    example: Option<Box<RawValue>>,
}

impl EventTypeView {
    pub(crate) fn of(event_type: &EventType) -> Self {
        Self {
            kind: text(event_type.name()),
            title: text(event_type.title()),
            category: text(event_type.category()),
            summary: text(event_type.summary()),
            scope: event_type.scope().as_str(),
            oauth_scope: event_type.oauth_scope().map(text),
            aliases: event_type.aliases().to_vec(),
            notes: event_type.notes().map(text),
            schema: serde_json::from_str(event_type.schema()).ok(),
            example: serde_json::from_str(event_type.example()).ok(),
        }
    }
}

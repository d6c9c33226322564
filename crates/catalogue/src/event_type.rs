//! One entry of the catalogue. Names and texts only; the compiled schema beside them is private to the crate.

use domain::endpoint::TypeName;
use domain::event::EventScope;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::catalogue::CatalogueError;
use crate::schema::Schema;

/// Place of a type in its catalogue: cheap to copy and to store in routing tables.
///
/// Valid only for the catalogue that issued it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeIndex(pub(crate) u16);

impl TypeIndex {
    /// The position in catalogue order, from 0.
    pub fn position(self) -> usize {
        usize::from(self.0)
    }
}

/// The payload's field that holds the id of this scope.
pub fn scope_field(scope: EventScope) -> &'static str {
    match scope {
        EventScope::Location => "locationId",
        EventScope::Company => "companyId",
        EventScope::App => "appId",
    }
}

/// A kind of event that can be published: its words, its schema and a sample payload.
#[derive(Debug)]
pub struct EventType {
    index: TypeIndex,
    name: TypeName,
    file: EventTypeFile,
    schema: String,
    example: String,
    pub(crate) compiled: Schema,
}

/// A file of `catalogue/`, field for field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EventTypeFile {
    #[serde(rename = "type")]
    name: String,
    title: String,
    category: String,
    summary: String,
    #[serde(deserialize_with = "scope")]
    scope: EventScope,
    #[serde(default, deserialize_with = "some_scope")]
    scope_else: Option<EventScope>,
    oauth_scope: Option<String>,
    aliases: Vec<String>,
    #[serde(default)]
    notes: Option<String>,
    schema: serde_json::Value,
    example: Box<RawValue>,
}

fn scope<'de, D: Deserializer<'de>>(text: D) -> Result<EventScope, D::Error> {
    let text = String::deserialize(text)?;
    EventScope::parse(&text).ok_or_else(|| serde::de::Error::custom("a scope is location, company or app"))
}

fn some_scope<'de, D: Deserializer<'de>>(text: D) -> Result<Option<EventScope>, D::Error> {
    scope(text).map(Some)
}

impl EventType {
    pub(crate) fn load(index: TypeIndex, text: &str) -> Result<Self, CatalogueError> {
        let file: EventTypeFile = serde_json::from_str(text).map_err(CatalogueError::File)?;
        let compiled = Schema::compile(&file.schema)
            .map_err(|source| CatalogueError::Schema { name: file.name.clone(), source: Box::new(source) })?;
        let schema = file.schema.to_string();
        let example: serde_json::Value =
            serde_json::from_str(file.example.get()).map_err(CatalogueError::File)?;
        let example = example.to_string();
        Ok(Self { index, name: file.name.as_str().into(), file, schema, example, compiled })
    }

    pub fn index(&self) -> TypeIndex {
        self.index
    }

    /// The canonical name, as in the payload's `type`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The canonical name, shared: cloning it copies a pointer.
    pub fn type_name(&self) -> &TypeName {
        &self.name
    }

    /// What it is called on a page: "Contact created".
    pub fn title(&self) -> &str {
        &self.file.title
    }

    pub fn category(&self) -> &str {
        &self.file.category
    }

    /// One sentence: what makes the platform send it.
    pub fn summary(&self) -> &str {
        &self.file.summary
    }

    pub fn scope(&self) -> EventScope {
        self.file.scope
    }

    /// The scope of an event that has no id of [`EventType::scope`]: a user of the agency has a `companyId`
    /// in place of the `locationId`. `None` for all types but `UserCreate`.
    pub fn scope_else(&self) -> Option<EventScope> {
        self.file.scope_else
    }

    /// The OAuth scope that an app needs to receive it; `None` = no scope needed.
    pub fn oauth_scope(&self) -> Option<&str> {
        self.file.oauth_scope.as_deref()
    }

    /// Other names that are accepted wherever a type is named, in the payload's `type` too.
    pub fn aliases(&self) -> &[String] {
        &self.file.aliases
    }

    /// What a receiver should know about the payload, in Markdown.
    pub fn notes(&self) -> Option<&str> {
        self.file.notes.as_deref()
    }

    /// The JSON Schema (2020-12) as compact JSON text.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// A sample payload as compact JSON text; valid against the schema.
    pub fn example(&self) -> &str {
        &self.example
    }
}

//! All event types, by position, by name and by alias.

use std::collections::HashMap;

use crate::embedded::{self, Category};
use crate::event_type::{EventType, TypeIndex};
use crate::suggest;

/// The event types that can be published, in catalogue order. Immutable; share it behind an `Arc`.
#[derive(Debug)]
pub struct Catalogue {
    types: Vec<EventType>,
    by_name: HashMap<Box<str>, TypeIndex>,
}

/// Why a set of files is no catalogue. The built-in one is proved whole by this crate's tests.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("the file is not an event type or index")]
    File(#[source] serde_json::Error),
    #[error("the schema of {name} does not compile")]
    Schema {
        name: String,
        #[source]
        source: Box<jsonschema::ValidationError<'static>>,
    },
    #[error("the index names {0}, which has no file of that name, type or category")]
    Missing(String),
    #[error("the file {0} is not in the index")]
    Unlisted(String),
    #[error("two types are called {0}")]
    Ambiguous(String),
    #[error("more types than an index can number")]
    TooMany,
}

impl Catalogue {
    /// Parses the embedded files and compiles their schemas. Call it once, at start.
    ///
    /// # Panics
    /// Never for a build whose tests pass: the embedded files are checked there.
    pub fn builtin() -> Self {
        Self::load(embedded::index(), embedded::files())
            .expect("the embedded catalogue is whole, as the tests of this crate prove")
    }

    fn load(index: &str, files: &[(&str, &str)]) -> Result<Self, CatalogueError> {
        let categories: Vec<Category> = serde_json::from_str(index).map_err(CatalogueError::File)?;
        let mut texts: HashMap<&str, &str> = files.iter().copied().collect();
        let mut catalogue = Self { types: Vec::with_capacity(files.len()), by_name: HashMap::new() };
        for Category { category, types } in &categories {
            for name in types {
                let text =
                    texts.remove(name.as_str()).ok_or_else(|| CatalogueError::Missing(name.clone()))?;
                catalogue.add(category, name, text)?;
            }
        }
        match texts.into_keys().next() {
            Some(unlisted) => Err(CatalogueError::Unlisted(unlisted.to_owned())),
            None => Ok(catalogue),
        }
    }

    fn add(&mut self, category: &str, name: &str, text: &str) -> Result<(), CatalogueError> {
        let index = TypeIndex(u16::try_from(self.types.len()).map_err(|_| CatalogueError::TooMany)?);
        let event_type = EventType::load(index, text)?;
        if event_type.name() != name || event_type.category() != category {
            return Err(CatalogueError::Missing(name.to_owned()));
        }
        let aliases = event_type.aliases().iter().map(String::as_str);
        for known_as in std::iter::once(name).chain(aliases) {
            if self.by_name.insert(known_as.into(), index).is_some() {
                return Err(CatalogueError::Ambiguous(known_as.to_owned()));
            }
        }
        self.types.push(event_type);
        Ok(())
    }

    /// Every type, in catalogue order.
    pub fn types(&self) -> &[EventType] {
        &self.types
    }

    /// The type of this name or alias; exact, case-sensitive, without allocation.
    pub fn find(&self, name_or_alias: &str) -> Option<&EventType> {
        self.by_name.get(name_or_alias).map(|index| self.get(*index))
    }

    /// The type at this index.
    ///
    /// # Panics
    /// When the index was issued by another, larger catalogue.
    pub fn get(&self, index: TypeIndex) -> &EventType {
        &self.types[index.position()]
    }

    /// The type that a misspelt name probably means: same letters in another case, or a few edits away.
    pub fn suggest(&self, name: &str) -> Option<&EventType> {
        let known = self.by_name.iter().map(|(known_as, index)| (&**known_as, *index));
        suggest::closest(name, known).map(|index| self.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"[{"category": "Pets", "types": ["CatFed"]}]"#;
    const CAT_FED: &str = r#"{"type": "CatFed", "title": "Cat fed", "category": "Pets", "summary": "s",
        "scope": "location", "oauthScope": null, "aliases": [], "schema": {"type": "object"}, "example": {}}"#;

    fn load(index: &str, files: &[(&str, &str)]) -> String {
        match Catalogue::load(index, files) {
            Ok(_) => "loaded".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_index_and_the_files_must_name_the_same_types() {
        assert_eq!(load(INDEX, &[("CatFed", CAT_FED)]), "loaded");
        assert_eq!(
            load(INDEX, &[]),
            "the index names CatFed, which has no file of that name, type or category"
        );
        assert_eq!(
            load(INDEX, &[("CatFed", CAT_FED), ("DogFed", CAT_FED)]),
            "the file DogFed is not in the index"
        );
        let elsewhere = CAT_FED.replace("Pets", "Wild");
        assert_eq!(
            load(INDEX, &[("CatFed", &elsewhere)]),
            "the index names CatFed, which has no file of that name, type or category"
        );
    }

    #[test]
    fn two_types_cannot_share_a_name_or_an_alias() {
        let index = r#"[{"category": "Pets", "types": ["CatFed", "CatLost"]}]"#;
        let lost = CAT_FED.replace(r#""CatFed""#, r#""CatLost""#).replace("[]", r#"["CatFed"]"#);
        assert_eq!(load(index, &[("CatFed", CAT_FED), ("CatLost", &lost)]), "two types are called CatFed");
    }

    #[test]
    fn a_schema_that_is_no_schema_or_refers_elsewhere_does_not_load() {
        for schema in [r#"{"type": 5}"#, r#"{"$ref": "https://schemas.example.com/a.json"}"#] {
            let file = CAT_FED.replace(r#"{"type": "object"}"#, schema);
            assert_eq!(load(INDEX, &[("CatFed", &file)]), "the schema of CatFed does not compile");
        }
    }
}

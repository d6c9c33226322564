//! The files of `catalogue/` as the build found them: the order of the types, and one text per type.

use serde::Deserialize;

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// A category with the names of its types, in the order in which they are shown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Category {
    pub(crate) category: String,
    pub(crate) types: Vec<String>,
}

pub(crate) fn index() -> &'static str {
    INDEX
}

/// File stem and text, sorted by stem.
pub(crate) fn files() -> &'static [(&'static str, &'static str)] {
    FILES
}

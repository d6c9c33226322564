//! What can be wrong with a payload. The API turns these into codes and statuses; nothing here knows HTTP.

use crate::json::{SyntaxFault, Tree};

/// One fault and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// RFC 6901 pointer into the payload. A missing member is named by the place where it should be.
    pub pointer: String,
    /// A sentence's predicate about that place: "must be a string, not a number".
    pub detail: String,
}

/// Why a payload cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadFault {
    /// It does not parse, is not UTF-8, is empty, or nests deeper than `limits::PAYLOAD_DEPTH_MAX`.
    #[error("line {line}, column {column}: {detail}")]
    InvalidJson {
        /// Bytes before the fault.
        offset: usize,
        /// From 1.
        line: usize,
        /// In bytes, from 1.
        column: usize,
        detail: &'static str,
    },
    /// It is JSON, but no object.
    #[error("a payload is a JSON object, not {found}")]
    NotAnObject {
        /// "an array", "a string", …
        found: &'static str,
    },
    /// Objects that name a member twice: receivers disagree about which of the two counts.
    #[error("a member is named more than once in its object")]
    DuplicateKey {
        /// The repeated members, each once, at most [`domain::limits::FAULTS_MAX`].
        pointers: Vec<String>,
    },
    /// There is no member `type`.
    #[error("the payload has no `type`")]
    MissingType,
    /// No type and no alias is called so.
    #[error("{}", unknown_type(name, suggestion.as_deref()))]
    UnknownType {
        /// As it came, cut after 100 characters.
        name: String,
        /// The canonical name that was probably meant.
        suggestion: Option<String>,
    },
    /// Faults against the type's schema, and missing or malformed scope ids.
    #[error("the payload has {} fault(s)", errors.len())]
    InvalidPayload {
        /// Every fault, at most [`domain::limits::FAULTS_MAX`].
        errors: Vec<Fault>,
    },
}

fn unknown_type(name: &str, suggestion: Option<&str>) -> String {
    match suggestion {
        Some(meant) => format!("there is no event type `{name}`; did you mean `{meant}`?"),
        None => format!("there is no event type `{name}`"),
    }
}

impl PayloadFault {
    pub(crate) fn syntax(bytes: &[u8], fault: &SyntaxFault) -> Self {
        let before = &bytes[..fault.offset.min(bytes.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        Self::InvalidJson {
            offset: fault.offset,
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + before.len() - line_start,
            detail: fault.detail,
        }
    }

    pub(crate) fn not_an_object(found: &Tree<'_>) -> Self {
        Self::NotAnObject { found: found.kind() }
    }

    pub(crate) fn one(pointer: &str, detail: impl Into<String>) -> Self {
        Self::InvalidPayload { errors: vec![Fault { pointer: pointer.to_owned(), detail: detail.into() }] }
    }
}

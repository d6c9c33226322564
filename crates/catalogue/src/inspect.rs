//! Looking at a published payload: its type, its scope ids, and everything that is wrong with it.
//!
//! The hot path of publish: one parse of the bytes, one walk of the compiled schema, and no allocation but for
//! the tree and the ids. How the verdict is reached is private, so it can become faster without the callers.

use std::borrow::Cow;
use std::str::FromStr;

use domain::event::EventScope;
use domain::limits::FAULTS_MAX;
use domain::location::{AppId, CompanyId, LocationId, TenantIdFault};

use crate::catalogue::Catalogue;
use crate::event_type::{EventType, TypeIndex, scope_field};
use crate::fault::{Fault, PayloadFault};
use crate::json::{self, Member, Tree};

/// Characters of an unknown type's name that an answer repeats.
const NAME_ECHO_MAX: usize = 100;

/// What becomes of faults against the schema. Syntax, duplicate keys, the type and scope ids are always checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validate {
    /// They refuse the payload.
    #[default]
    Reject,
    /// They are told in [`Inspected::warnings`].
    Warn,
    /// The schema is not asked.
    Off,
}

/// What publish needs to know of an acceptable payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    pub event_type: TypeIndex,
    /// Whose event this one is: the type's scope, or its [`EventType::scope_else`]. That scope's id is there.
    pub scope: EventScope,
    /// Top-level ids as the payload has them. Beside the scope's own they are data: one that is no id is `None`.
    pub location_id: Option<LocationId>,
    pub company_id: Option<CompanyId>,
    pub app_id: Option<AppId>,
    /// Schema faults under [`Validate::Warn`], at most [`FAULTS_MAX`]; else empty.
    pub warnings: Vec<Fault>,
}

impl Catalogue {
    /// Judges the bytes of one payload; they are read, never changed.
    ///
    /// # Errors
    /// The first of these that applies: syntax, not an object, duplicate keys, no type, unknown type; then all
    /// faults against the schema and all faults of scope ids together.
    pub fn inspect(&self, bytes: &[u8], validate: Validate) -> Result<Inspected, PayloadFault> {
        let document = json::parse(bytes).map_err(|fault| PayloadFault::syntax(bytes, &fault))?;
        let Tree::Object(members) = &document.root else {
            return Err(PayloadFault::not_an_object(&document.root));
        };
        if document.has_duplicates {
            return Err(PayloadFault::DuplicateKey {
                pointers: json::duplicates(&document.root, FAULTS_MAX),
            });
        }
        let event_type = self.type_of(members)?;
        let (scope, scope_fault) = judge_scope(event_type, members);
        let mut inspected = Inspected {
            event_type: event_type.index(),
            scope,
            location_id: id(members, EventScope::Location),
            company_id: id(members, EventScope::Company),
            app_id: id(members, EventScope::App),
            warnings: Vec::new(),
        };
        let schema_faults = match validate {
            Validate::Off => Vec::new(),
            Validate::Warn | Validate::Reject => {
                schema_faults(event_type, document.root, scope_fault.as_ref())
            }
        };
        match (validate, scope_fault) {
            (Validate::Reject, None) if schema_faults.is_empty() => Ok(inspected),
            (Validate::Warn | Validate::Off, None) => {
                inspected.warnings = schema_faults;
                Ok(inspected)
            }
            (Validate::Warn | Validate::Off, Some(fault)) => {
                Err(PayloadFault::InvalidPayload { errors: vec![fault] })
            }
            (Validate::Reject, scope_fault) => {
                let errors = scope_fault.into_iter().chain(schema_faults).take(FAULTS_MAX).collect();
                Err(PayloadFault::InvalidPayload { errors })
            }
        }
    }

    fn type_of(&self, members: &[Member<'_>]) -> Result<&EventType, PayloadFault> {
        let name = match json::find(members, "type") {
            None => return Err(PayloadFault::MissingType),
            Some(Tree::String(name)) => name,
            Some(other) => {
                let detail = format!("must be a string that names an event type, not {}", other.kind());
                return Err(PayloadFault::one("/type", detail));
            }
        };
        self.find(name).ok_or_else(|| PayloadFault::UnknownType {
            name: name.chars().take(NAME_ECHO_MAX).collect(),
            suggestion: self.suggest(name).map(|meant| meant.name().to_owned()),
        })
    }
}

/// Whose event it is, and what is wrong with the id that says so.
fn judge_scope(event_type: &EventType, members: &[Member<'_>]) -> (EventScope, Option<Fault>) {
    let first = event_type.scope();
    match (event_type.scope_else(), json::find(members, scope_field(first))) {
        (Some(second), None) => {
            let missing = format!("is required where there is no `{}`", scope_field(first));
            (second, scope_id_fault(second, members, missing))
        }
        _ => {
            let missing = format!("is required: it says which {} the event belongs to", first.as_str());
            (first, scope_id_fault(first, members, missing))
        }
    }
}

fn scope_id_fault(scope: EventScope, members: &[Member<'_>], missing: String) -> Option<Fault> {
    let field = scope_field(scope);
    let detail = match json::find(members, field) {
        None => missing,
        Some(Tree::String(text)) if LocationId::from_str(text).is_ok() => return None,
        Some(Tree::String(_)) => "must be 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`".to_owned(),
        Some(other) => format!("must be a string, not {}", other.kind()),
    };
    Some(Fault { pointer: format!("/{field}"), detail })
}

fn id<Id: FromStr<Err = TenantIdFault>>(members: &[Member<'_>], scope: EventScope) -> Option<Id> {
    match json::find(members, scope_field(scope)) {
        Some(Tree::String(text)) => text.parse().ok(),
        _ => None,
    }
}

/// The schema's complaints without what the scope's fault already says.
fn schema_faults(event_type: &EventType, root: Tree<'_>, scope_fault: Option<&Fault>) -> Vec<Fault> {
    let root = with_canonical_type(root, event_type.name());
    if event_type.compiled.accepts(&root) {
        return Vec::new();
    }
    let told = scope_fault.map(|fault| fault.pointer.as_str());
    event_type.compiled.faults(&root, told)
}

/// An alias in `type` stands for the canonical name, which is the only one that the schema knows.
fn with_canonical_type<'a>(mut root: Tree<'a>, name: &'a str) -> Tree<'a> {
    if let Tree::Object(members) = &mut root
        && let Some((_, value)) = members.iter_mut().find(|(member, _)| member == "type")
        && !matches!(value, Tree::String(text) if text == name)
    {
        *value = Tree::String(Cow::Borrowed(name));
    }
    root
}

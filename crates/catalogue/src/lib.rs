//! The event types as data, their compiled schemas and the validation of payloads.
//!
//! The only crate that knows JSON Schema. It looks at bytes and never re-writes them: what was published is
//! what is stored and sent. It must not know HTTP, tenants or the store.

mod catalogue;
mod embedded;
mod event_type;
mod example;
mod fault;
mod inspect;
mod json;
mod schema;
mod suggest;

pub use catalogue::{Catalogue, CatalogueError};
pub use event_type::{EventType, TypeIndex, scope_field};
pub use example::{FieldError, with_fields};
pub use fault::{Fault, PayloadFault};
pub use inspect::{Inspected, Validate};

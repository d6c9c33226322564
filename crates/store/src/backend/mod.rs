//! What every backend needs below the traits: how values are written in columns, how a listing goes on, what memory
//! holds, how a change is told to the audit log.
//! It knows no SQL but the comparisons of a listing, asks nobody, and decides nothing that `domain` decides.

pub mod alone;
pub mod changes;
pub mod codec;
pub mod columns;
pub mod compared;
pub mod counted;
pub mod days;
pub mod memory;
pub mod merge;
pub mod standing;
pub mod walk;
pub mod worlds;

/// Stored bytes or words that do not read back; names what they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored {0} does not read back")]
pub struct Damaged(pub &'static str);

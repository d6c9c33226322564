//! Checks of the tree (`tidy`) and generated files (`generate`). It reads and writes the working tree and must
//! not be a dependency of anything.

pub mod generate;
pub mod tidy;
mod tree;

pub use tree::{Finding, root};

//! What is this backend's own: its plans, its nodes, its refusals.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

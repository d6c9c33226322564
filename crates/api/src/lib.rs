//! The HTTP API: router, callers, problems, pages, one file per resource.

pub mod engine;

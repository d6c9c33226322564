//! What an operator sees of a running server: log lines and metrics. Neither ever holds a secret or a payload.

mod api_page;
mod engine_page;
pub mod logs;
pub mod metrics;
mod page;
mod store_page;

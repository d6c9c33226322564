//! What an operator sees of a running server: log lines and metrics. Neither ever holds a secret or a payload.

pub mod logs;

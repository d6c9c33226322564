//! Pages of listings: newest first, resumed after a row that was shown.

use domain::time::Timestamp;

/// Which rows to show next. Order is `createdAt`, then id, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// 1 to `PAGE_ROWS_MAX`.
    pub limit: usize,
    /// Only rows strictly older than this id (as bits); the API makes cursors of it and binds them to their filters.
    pub before: Option<u128>,
}

/// One page. It may hold fewer rows than asked for, even none, while `next` says that there are more: a listing looks at
/// `PAGE_ROWS_EXAMINED_MAX` rows at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Continue with this as `before`; `None` at the end.
    pub next: Option<u128>,
}

/// `since` inclusive, `until` exclusive; judged by creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

//! A listing that looks at each row in turn; see `store::backend::walk`. Rows come in chunks that grow, so that a page which
//! is full soon costs little.

use std::pin::Pin;

use store::backend::walk::Walk;
use store::page::{Page, PageRequest};
use tokio_postgres::Row;

use crate::fault::Fault;

const CHUNK_ROWS_MAX: i64 = 2_000;

/// Rows older than the id (as bytes), newest first, at most so many.
pub(crate) type Fetching<'f> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Fault>> + Send + 'f>>;

/// One page. `read` gives a row's place in the order and, if it is to be shown, the row.
pub(crate) async fn page_of<'f, T>(
    request: &PageRequest,
    before: u128,
    fetch: impl Fn([u8; 16], i64) -> Fetching<'f>,
    read: impl Fn(&Row) -> Result<(u128, Option<T>), Fault>,
) -> Result<Page<T>, Fault> {
    let mut walk = Walk::new(request.limit);
    let (mut before, mut rows) = (before, request.limit as i64 + 1);
    loop {
        let chunk = fetch(before.to_be_bytes(), rows).await?;
        for row in &chunk {
            let (place, shown) = read(row)?;
            before = place;
            if walk.is_over_with(place, shown) {
                return Ok(walk.full());
            }
        }
        if (chunk.len() as i64) < rows {
            return Ok(walk.last());
        }
        rows = (4 * rows).min(CHUNK_ROWS_MAX);
    }
}

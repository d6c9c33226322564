//! A listing that looks at each row in turn; see `store::backend::walk`.

use rusqlite::{Row, Rows};
use store::backend::walk::Walk;
use store::page::Page;

use crate::fault::Fault;

/// One page. `read` gives a row's place in the order and, if it is to be shown, the row.
pub(crate) fn page_of<T>(
    mut found: Rows<'_>,
    limit: usize,
    mut read: impl FnMut(&Row<'_>) -> Result<(u128, Option<T>), Fault>,
) -> Result<Page<T>, Fault> {
    let mut walk = Walk::new(limit);
    while let Some(row) = found.next()? {
        let (place, shown) = read(row)?;
        if walk.is_over_with(place, shown) {
            return Ok(walk.full());
        }
    }
    Ok(walk.last())
}

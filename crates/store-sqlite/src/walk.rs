//! A listing that looks at each row in turn, newest first: for what there is little of, or what no index holds together.

use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use rusqlite::{Row, Rows};
use store::page::Page;

use crate::fault::Fault;

/// One page. `read` gives a row's place in the order and, if it is to be shown, the row. After
/// [`PAGE_ROWS_EXAMINED_MAX`] rows the page ends, short or even empty, and says where to go on.
pub(crate) fn page_of<T>(
    mut found: Rows<'_>,
    limit: usize,
    mut read: impl FnMut(&Row<'_>) -> Result<(u128, Option<T>), Fault>,
) -> Result<Page<T>, Fault> {
    let mut rows = Vec::new();
    let mut last_shown = None;
    let mut examined = 0;
    while let Some(row) = found.next()? {
        let (place, shown) = read(row)?;
        examined += 1;
        if let Some(shown) = shown {
            if rows.len() == limit {
                return Ok(Page { rows, next: last_shown });
            }
            rows.push(shown);
            last_shown = Some(place);
        }
        if examined == PAGE_ROWS_EXAMINED_MAX {
            return Ok(Page { rows, next: Some(place) });
        }
    }
    Ok(Page { rows, next: None })
}

//! A listing that looks at each row in turn, newest first: for what there is little of, or what no index holds together.
//! After [`PAGE_ROWS_EXAMINED_MAX`] rows the page ends, short or even empty, and says where to go on.

use domain::limits::PAGE_ROWS_EXAMINED_MAX;

use crate::page::Page;

/// One page, as it grows.
#[derive(Debug)]
pub struct Walk<T> {
    limit: usize,
    rows: Vec<T>,
    last_shown: Option<u128>,
    examined: usize,
}

impl<T> Walk<T> {
    pub fn new(limit: usize) -> Self {
        Self { limit, rows: Vec::new(), last_shown: None, examined: 0 }
    }

    /// The next row: its place in the order and, if it is to be shown, the row. `true`: the page is over.
    pub fn is_over_with(&mut self, place: u128, shown: Option<T>) -> bool {
        self.examined += 1;
        if let Some(shown) = shown {
            if self.rows.len() == self.limit {
                return true;
            }
            self.rows.push(shown);
            self.last_shown = Some(place);
        }
        if self.examined == PAGE_ROWS_EXAMINED_MAX {
            self.last_shown = Some(place);
            return true;
        }
        false
    }

    /// The page that [`is_over_with`](Self::is_over_with) said is over.
    pub fn full(self) -> Page<T> {
        Page { rows: self.rows, next: self.last_shown }
    }

    /// There are no rows left.
    pub fn last(self) -> Page<T> {
        Page { rows: self.rows, next: None }
    }
}

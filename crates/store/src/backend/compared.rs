//! What of a listing's filter a backend compares while it fetches keys, so that what does not fit is passed by and never
//! looked up.

use crate::deliveries::DeliveryFilter;
use crate::events::EventFilter;

/// Columns of a log's row that are compared; their values are bound in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    pub type_name: bool,
    pub status: bool,
}

impl Compared {
    pub const ALL: [Self; 4] = [
        Self { type_name: false, status: false },
        Self { type_name: true, status: false },
        Self { type_name: false, status: true },
        Self { type_name: true, status: true },
    ];

    /// Of ended deliveries: only these have a status that is stored.
    pub fn of_deliveries(filter: &DeliveryFilter) -> Self {
        let status = filter.status.is_some_and(domain::delivery::Status::is_final);
        Self { type_name: filter.type_name.is_some(), status }
    }

    pub fn of_events(filter: &EventFilter) -> Self {
        Self { type_name: filter.type_name.is_some(), status: false }
    }

    /// The selected column. Parameters are written as `mark` and a number, from `first` on.
    pub fn sql(self, mark: char, first: usize) -> String {
        let columns = [("type", self.type_name), ("status", self.status)];
        let compared = columns.iter().filter(|(_, is_compared)| *is_compared);
        let terms =
            compared.enumerate().map(|(place, (column, _))| format!("{column} = {mark}{}", first + place));
        let terms: Vec<String> = terms.collect();
        if terms.is_empty() { "true".to_owned() } else { terms.join(" and ") }
    }
}

//! Orders in which a day's rows are listed other than that of time: events by location, deliveries by endpoint and by
//! location. They are tables of their own, filled in bulk and sorted some time after the rows were stored: one row of an
//! index at a time would touch a page of its own for each event, as soon as there are many endpoints.
//!
//! Every row of a day's table with a key below the tail's has its place in the orders; those from there on, the tail, are few
//! and are looked at one by one. A row that comes below the tail is put in order at once. An order is cut into parts by key,
//! so that a bulk meets few pages however many rows and endpoints the day has; a part's rows are newer than all of the
//! parts before it. `ordered` has the parts, and with the last part's end the beginning of the tail. A place in an order
//! whose row is gone means nothing.

use rusqlite::{Connection, OptionalExtension, params};
use store::backend::compared::Compared;

use crate::days::{Day, Days, day_of, first_key_of, suffix};
use crate::fault::Fault;
use crate::merge::KeyRange;

/// A day's table whose rows are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Events = 0,
    Deliveries = 1,
}

impl Log {
    pub(crate) const ALL: [Self; 2] = [Self::Events, Self::Deliveries];

    fn table(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Deliveries => "deliveries",
        }
    }

    /// As `ordered` has it.
    fn number(self) -> i64 {
        self as i64
    }

    fn orders(self) -> &'static [Order] {
        match self {
            Self::Events => &[Order::EventsIn],
            Self::Deliveries => &[Order::DeliveriesTo, Order::DeliveriesIn],
        }
    }
}

/// What the rows are ordered by, before their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A location, and whose the event is.
    EventsIn,
    /// An endpoint.
    DeliveriesTo,
    /// A location.
    DeliveriesIn,
}

impl Order {
    pub(crate) const ALL: [Self; 3] = [Self::EventsIn, Self::DeliveriesTo, Self::DeliveriesIn];

    fn table(self) -> &'static str {
        match self {
            Self::EventsIn => "events_in",
            Self::DeliveriesTo => "deliveries_to",
            Self::DeliveriesIn => "deliveries_in",
        }
    }

    fn log(self) -> Log {
        match self {
            Self::EventsIn => Log::Events,
            Self::DeliveriesTo | Self::DeliveriesIn => Log::Deliveries,
        }
    }

    fn columns(self) -> &'static str {
        match self {
            Self::EventsIn => "location_id, scope",
            Self::DeliveriesTo => "endpoint_id",
            Self::DeliveriesIn => "location_id",
        }
    }

    /// With the columns' types.
    fn definitions(self) -> &'static str {
        match self {
            Self::EventsIn => "location_id TEXT, scope INTEGER",
            Self::DeliveriesTo => "endpoint_id BLOB",
            Self::DeliveriesIn => "location_id TEXT",
        }
    }

    /// Which rows have a place.
    fn condition(self) -> &'static str {
        match self {
            Self::EventsIn | Self::DeliveriesIn => "location_id IS NOT NULL AND",
            Self::DeliveriesTo => "",
        }
    }

    pub(crate) fn create_sql(self, day: Day) -> String {
        let (table, definitions, columns) = (self.table(), self.definitions(), self.columns());
        format!(
            "CREATE TABLE {table}_{} (part INTEGER, {definitions}, key INTEGER, PRIMARY KEY (part, {columns}, key)) \
             STRICT, WITHOUT ROWID;",
            suffix(day)
        )
    }

    pub(crate) fn drop_sql(self, day: Day) -> String {
        format!("DROP TABLE {}_{};", self.table(), suffix(day))
    }

    /// Removes the first ?1 places.
    pub(crate) fn emptying_sql(self, day: Day) -> String {
        let (table, columns, d) = (self.table(), self.columns(), suffix(day));
        format!(
            "DELETE FROM {table}_{d} WHERE (part, {columns}, key) IN \
             (SELECT part, {columns}, key FROM {table}_{d} ORDER BY part, {columns}, key LIMIT ?1)"
        )
    }

    /// Puts the rows from ?2 up to, but not including, ?3 in order, in part ?1.
    pub(crate) fn fill_sql(self, day: Day) -> String {
        self.put_sql(day, &format!("key >= ?2 AND key < ?3 ORDER BY {}, key", self.columns()))
    }

    /// Puts the row ?2 in order, in part ?1.
    fn place_sql(self, day: Day) -> String {
        self.put_sql(day, "key = ?2")
    }

    fn put_sql(self, day: Day, rows: &str) -> String {
        let (table, columns, condition) = (self.table(), self.columns(), self.condition());
        let (log, d) = (self.log().table(), suffix(day));
        format!(
            "INSERT OR IGNORE INTO {table}_{d} (part, {columns}, key) SELECT ?1, {columns}, key \
             FROM {log}_{d} NOT INDEXED WHERE {condition} {rows}"
        )
    }

    /// A stream of keys below the tail, for `merge`; `condition` fixes the columns and takes `values` values from ?4 on.
    pub(crate) fn keys_sql(self, day: Day, condition: &str, values: usize, compared: Compared) -> String {
        let (table, d, log) = (self.table(), suffix(day), self.log());
        let (fits, rows) = if compared == Compared::default() {
            ("true".to_owned(), String::new())
        } else {
            let columns = if compared.status { "type, status" } else { "type" };
            let rows = format!("(SELECT key AS stored_key, {columns} FROM {}_{d})", log.table());
            (compared.sql('?', 4 + values), format!("CROSS JOIN {rows} ON stored_key = placed.key"))
        };
        format!(
            "SELECT placed.key, placed.key, {fits} \
             FROM ordered CROSS JOIN {table}_{d} AS placed ON placed.part = ordered.first_key {rows} \
             WHERE ordered.day = {day} AND ordered.log = {} AND ordered.first_key < ?1 AND ordered.until_key > ?2 \
             AND {condition} placed.key < ?1 AND placed.key >= ?2 \
             ORDER BY ordered.first_key DESC, placed.key DESC LIMIT ?3",
            log.number()
        )
    }
}

/// A stream of keys in the tail, for `merge`: the rows whose `column` has one of `values` values, from ?4 on. In the order
/// of time, so that going on looks at nothing twice.
pub(crate) fn tail_keys_sql(
    (day, log): (Day, Log),
    (column, values): (&str, usize),
    condition: &str,
    compared: Compared,
) -> String {
    let marks: Vec<_> = (4..4 + values).map(|number| format!("?{number}")).collect();
    format!(
        "SELECT key, key, {} FROM {}_{} NOT INDEXED \
         WHERE {condition} {column} IN ({}) AND key < ?1 AND key >= ?2 ORDER BY key DESC LIMIT ?3",
        compared.sql('?', 4 + values),
        log.table(),
        suffix(day),
        marks.join(", ")
    )
}

/// Repeats the last of the values, so that a statement is written for few numbers of them.
pub(crate) fn padded<T: Clone>(mut values: Vec<T>) -> Vec<T> {
    if let Some(last) = values.last().cloned() {
        values.resize(values.len().next_power_of_two(), last);
    }
    values
}

/// The days, newest first, and where the tail of each one's table begins.
pub(crate) const TAILS: &str = "SELECT day, (SELECT until_key FROM ordered WHERE ordered.day = days.day \
    AND ordered.log = ?1 ORDER BY ordered.first_key DESC LIMIT 1) FROM days ORDER BY day DESC";
pub(crate) const LAST_PART: &str = "SELECT first_key, until_key, rows FROM ordered \
    WHERE day = ?1 AND log = ?2 ORDER BY first_key DESC LIMIT 1";
pub(crate) const PART_OF: &str = "SELECT first_key FROM ordered \
    WHERE day = ?1 AND log = ?2 AND first_key <= ?3 ORDER BY first_key DESC LIMIT 1";
pub(crate) const PUT_PART: &str = "INSERT INTO ordered (day, log, first_key, until_key, rows) \
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (day, log, first_key) DO UPDATE SET until_key = ?4, rows = ?5";
pub(crate) const DELETE_PARTS: &str = "DELETE FROM ordered WHERE day = ?1";

/// What puts one row in each of its orders: ?2, in part ?1.
pub(crate) fn place_sqls(day: Day, log: Log) -> Vec<String> {
    log.orders().iter().map(|order| order.place_sql(day)).collect()
}

pub(crate) fn count_sql(day: Day, log: Log) -> String {
    format!("SELECT count(*) FROM {}_{} NOT INDEXED WHERE key >= ?1", log.table(), suffix(day))
}

/// The key of the row that ?2 rows of the tail from ?1 on come before.
pub(crate) fn key_at_sql(day: Day, log: Log) -> String {
    format!(
        "SELECT key FROM {}_{} NOT INDEXED WHERE key >= ?1 ORDER BY key LIMIT 1 OFFSET ?2",
        log.table(),
        suffix(day)
    )
}

/// A day in a listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListedDay {
    pub day: Day,
    /// What of the listing is in order, and what is in the tail.
    pub ordered: Option<KeyRange>,
    pub tail: Option<KeyRange>,
}

impl ListedDay {
    /// What of the range is in the day.
    pub(crate) fn range_of(&self, range: KeyRange) -> Option<KeyRange> {
        range.within(KeyRange { low: first_key_of(self.day), high: first_key_of(self.day + 1) })
    }
}

/// The days that the range meets, newest first.
pub(crate) fn listed_days(conn: &Connection, log: Log, range: KeyRange) -> Result<Vec<ListedDay>, Fault> {
    let mut select = conn.prepare_cached(TAILS)?;
    let tails = select
        .query_map([log.number()], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)))?
        .collect::<Result<Vec<(Day, _)>, _>>()?;
    let listed = |(day, from): (Day, Option<i64>)| {
        let (low, high) = (first_key_of(day), first_key_of(day + 1));
        let from = from.unwrap_or(low);
        ListedDay {
            day,
            ordered: range.within(KeyRange { low, high: from }),
            tail: range.within(KeyRange { low: from, high }),
        }
    };
    let met = |day: &ListedDay| day.ordered.is_some() || day.tail.is_some();
    Ok(tails.into_iter().map(listed).filter(met).collect())
}

/// When rows are put in order, and how many make a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// What a listing looks at in vain at most, but for what one commit adds. What is beyond it is put in order, and
    /// `bulk_rows` more; the newest stay, since what ends late is put in order one by one.
    pub tail_rows: i64,
    /// What one commit waits for: some 5 ms.
    pub bulk_rows: i64,
    /// A part that has them is followed by another: the pages that a bulk meets, against the places where a listing looks
    /// for an endpoint. With 64 Ki and 10,000 endpoints a bulk writes 1.6 KB per row, with no parts 10 KB at 600,000 rows.
    pub part_rows: i64,
}

pub(crate) const BOUNDS: Bounds = Bounds { tail_rows: 4_096, bulk_rows: 1_536, part_rows: 65_536 };

const _: () = assert!(0 < BOUNDS.bulk_rows && BOUNDS.bulk_rows < BOUNDS.tail_rows);

/// What the writer knows of a table's tail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    /// Rows from this key on are in no order.
    from: i64,
    /// How many those are, or more: what is taken back is not counted off.
    rows: i64,
    /// The last part's first key and its rows.
    part: (i64, i64),
}

impl Tail {
    pub(crate) fn of_new_day(day: Day) -> Self {
        let from = first_key_of(day);
        Self { from, rows: 0, part: (from, 0) }
    }

    pub(crate) fn load(conn: &Connection, day: Day, log: Log) -> Result<Self, Fault> {
        let last = conn.prepare_cached(LAST_PART)?.query_row(params![day, log.number()], |row| {
            Ok(Self { from: row.get(1)?, rows: 0, part: (row.get(0)?, row.get(2)?) })
        });
        let mut tail = last.optional()?.unwrap_or_else(|| Self::of_new_day(day));
        tail.rows = tail.counted(conn, day, log)?;
        Ok(tail)
    }

    fn counted(&self, conn: &Connection, day: Day, log: Log) -> Result<i64, Fault> {
        Ok(conn.query_row(&count_sql(day, log), [self.from], |row| row.get(0))?)
    }
}

/// A row was stored: it is in the tail, or it came late and is put in order at once.
pub(crate) fn stored(conn: &Connection, days: &mut Days, log: Log, key: i64) -> Result<(), Fault> {
    let day = day_of(key);
    let Some(tail) = days.tail_mut(day, log) else { return Err(Fault::Damaged("day")) };
    if key >= tail.from {
        tail.rows += 1;
        return Ok(());
    }
    let part = if key >= tail.part.0 {
        tail.part.0
    } else {
        conn.prepare_cached(PART_OF)?.query_row(params![day, log.number(), key], |row| row.get(0))?
    };
    let sql = days.get(day).ok_or(Fault::Damaged("day"))?;
    for place in &sql.places[log as usize] {
        conn.prepare_cached(place)?.execute([part, key])?;
    }
    Ok(())
}

fn fill(conn: &Connection, (day, log): (Day, Log), part: i64, range: KeyRange) -> Result<(), Fault> {
    for order in log.orders() {
        conn.prepare_cached(&order.fill_sql(day))?.execute(params![part, range.low, range.high])?;
    }
    Ok(())
}

/// By the writer, before it commits: shortens the longest tail that has grown too long, or ends that of a day that is over.
/// One at a time, so that nobody waits long for the commit.
pub(crate) fn put_in_order(conn: &Connection, days: &mut Days) -> Result<(), Fault> {
    let Some((day, log, tail, due)) = due(days) else { return Ok(()) };
    let shorter = shortened(conn, (day, log), tail, days.bounds(), due)?;
    days.set_tail(day, log, shorter);
    Ok(())
}

/// Why a tail is put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    TooLong,
    DayIsOver,
}

/// The newest day's rows come in still; what is left of the others is not to be looked through by every listing.
fn due(days: &Days) -> Option<(Day, Log, Tail, Due)> {
    let newest = days.newest()?;
    let most_rows = |day: Day| if day == newest { days.bounds().tail_rows } else { 0 };
    let due = days.tails().filter(|(day, _, tail)| tail.rows > most_rows(*day));
    let (day, log, tail) = due.max_by_key(|(_, _, tail)| tail.rows)?;
    Some((day, log, tail, if day == newest { Due::TooLong } else { Due::DayIsOver }))
}

fn shortened(
    conn: &Connection,
    (day, log): (Day, Log),
    tail: Tail,
    bounds: Bounds,
    due: Due,
) -> Result<Tail, Fault> {
    let left = if due == Due::DayIsOver { 0 } else { bounds.tail_rows - bounds.bulk_rows };
    let moved = tail.rows - left;
    let until = match due {
        Due::DayIsOver => Some(first_key_of(day + 1)),
        Due::TooLong => conn
            .prepare_cached(&key_at_sql(day, log))?
            .query_row([tail.from, moved], |row| row.get(0))
            .optional()?,
    };
    // So much was taken back that there are not as many.
    let Some(until) = until else { return Ok(Tail { rows: tail.counted(conn, day, log)?, ..tail }) };
    let (first_key, rows) = if tail.part.1 < bounds.part_rows { tail.part } else { (tail.from, 0) };
    let part = (first_key, rows + moved);
    fill(conn, (day, log), first_key, KeyRange { low: tail.from, high: until })?;
    conn.prepare_cached(PUT_PART)?.execute(params![day, log.number(), first_key, until, part.1])?;
    Ok(Tail { from: until, rows: left, part })
}

//! The log's day tables: which exist, how they are made and dropped, and the SQL that names them.
//!
//! A row lives in the tables of the UTC day of its own id; attempts live with their delivery. A day's tables are made
//! and dropped inside the writer's transactions only.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
pub(crate) use store::backend::days::{Day, day_at, day_of, first_key_of, suffix};

use crate::fault::Fault;
use crate::order::{self, BOUNDS, Bounds, Log, Order, Tail};

/// Newest first.
pub(crate) fn all(conn: &Connection) -> Result<Vec<Day>, Fault> {
    let mut select = conn.prepare_cached(DAYS)?;
    let days = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(days)
}

pub(crate) const DAYS: &str = "SELECT day FROM days ORDER BY day DESC";
pub(crate) const DAY_EXISTS: &str = "SELECT 1 FROM days WHERE day = ?1";

pub(crate) fn exists(conn: &Connection, day: Day) -> Result<bool, Fault> {
    let found = conn.prepare_cached(DAY_EXISTS)?.query_row([day], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

/// The statements that the writer runs on one day's tables, written once per day.
#[derive(Debug)]
pub(crate) struct DaySql {
    pub insert_event: String,
    pub insert_delivery: String,
    pub insert_attempt: String,
    pub insert_undelivered: String,
    pub delete_event: String,
    pub delete_undelivered: String,
    pub payload: String,
    /// Of events and of deliveries: what puts one in its orders.
    pub places: [Vec<String>; 2],
}

impl DaySql {
    pub(crate) fn new(day: Day) -> Self {
        let d = suffix(day);
        Self {
            insert_event: format!(
                "INSERT INTO events_{d} (key, salt, type, scope, location_id, company_id, app_id, hidden, considered, \
                 payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
            ),
            insert_delivery: format!(
                "INSERT INTO deliveries_{d} (key, salt, event_key, event_salt, endpoint_id, type, location_id, \
                 trigger, retry_key, retry_salt, status, reason, attempt_count, completed_at, attempt) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
            ),
            insert_attempt: format!(
                "INSERT OR IGNORE INTO attempts_{d} (delivery_key, key, attempt) VALUES (?1, ?2, ?3)"
            ),
            insert_undelivered: format!(
                "INSERT OR IGNORE INTO undelivered_{d} (event_key, endpoint_id, location_id) VALUES (?1, ?2, ?3)"
            ),
            delete_event: format!("DELETE FROM events_{d} WHERE key = ?1"),
            delete_undelivered: format!(
                "DELETE FROM undelivered_{d} WHERE event_key = ?1 AND endpoint_id = ?2"
            ),
            payload: payload_sql(day),
            places: Log::ALL.map(|log| order::place_sqls(day, log)),
        }
    }
}

/// Readers ask it too, on connections that know no `DaySql`.
pub(crate) fn payload_sql(day: Day) -> String {
    format!("SELECT payload FROM events_{} WHERE key = ?1", suffix(day))
}

/// Big columns come last, so that a listing does not walk the pages that they overflow to.
fn tables(day: Day) -> String {
    let d = suffix(day);
    format!(
        "CREATE TABLE events_{d} (
            key INTEGER PRIMARY KEY, salt INTEGER NOT NULL, type TEXT NOT NULL, scope INTEGER NOT NULL,
            location_id TEXT, company_id TEXT, app_id TEXT, hidden INTEGER NOT NULL,
            considered BLOB NOT NULL, payload BLOB NOT NULL) STRICT;
        CREATE INDEX events_{d}_company ON events_{d} (company_id) WHERE company_id IS NOT NULL AND scope = 1;
        CREATE TABLE deliveries_{d} (
            key INTEGER PRIMARY KEY, salt INTEGER NOT NULL, event_key INTEGER NOT NULL, event_salt INTEGER NOT NULL,
            endpoint_id BLOB NOT NULL, type TEXT NOT NULL, location_id TEXT, trigger INTEGER NOT NULL,
            retry_key INTEGER, retry_salt INTEGER, status INTEGER NOT NULL, reason INTEGER,
            attempt_count INTEGER NOT NULL, completed_at INTEGER NOT NULL, attempt BLOB) STRICT;
        CREATE INDEX deliveries_{d}_status ON deliveries_{d} (status) WHERE status <> 4;
        CREATE INDEX deliveries_{d}_endpoint_status ON deliveries_{d} (endpoint_id, status) WHERE status <> 4;
        CREATE INDEX deliveries_{d}_event ON deliveries_{d} (event_key) WHERE trigger <> 0;
        CREATE TABLE attempts_{d} (
            delivery_key INTEGER NOT NULL, key INTEGER NOT NULL, attempt BLOB NOT NULL,
            PRIMARY KEY (delivery_key, key)) STRICT, WITHOUT ROWID;
        CREATE TABLE undelivered_{d} (
            event_key INTEGER NOT NULL, endpoint_id BLOB NOT NULL, location_id TEXT,
            PRIMARY KEY (event_key, endpoint_id)) STRICT, WITHOUT ROWID;
        CREATE INDEX undelivered_{d}_location ON undelivered_{d} (location_id, event_key)
            WHERE location_id IS NOT NULL;"
    )
}

/// What the writer knows of the days. It follows the transaction: after a rollback it is read again.
#[derive(Debug)]
pub(crate) struct Days {
    known: BTreeMap<Day, Known>,
    bounds: Bounds,
    changed: bool,
}

#[derive(Debug)]
struct Known {
    sql: Arc<DaySql>,
    /// Of events and of deliveries.
    tails: [Tail; 2],
}

impl Days {
    pub(crate) fn load(conn: &Connection) -> Result<Self, Fault> {
        let mut known = BTreeMap::new();
        for day in all(conn)? {
            let tails = [Tail::load(conn, day, Log::Events)?, Tail::load(conn, day, Log::Deliveries)?];
            known.insert(day, Known { sql: Arc::new(DaySql::new(day)), tails });
        }
        Ok(Self { known, bounds: BOUNDS, changed: false })
    }

    pub(crate) fn get(&self, day: Day) -> Option<Arc<DaySql>> {
        self.known.get(&day).map(|known| Arc::clone(&known.sql))
    }

    pub(crate) fn get_or_create(&mut self, conn: &Connection, day: Day) -> Result<Arc<DaySql>, Fault> {
        if let Some(sql) = self.get(day) {
            return Ok(sql);
        }
        self.changed = true;
        conn.execute_batch(&tables(day))?;
        conn.execute_batch(&Order::ALL.map(|order| order.create_sql(day)).concat())?;
        conn.execute("INSERT INTO days (day) VALUES (?1)", params![day])?;
        let sql = Arc::new(DaySql::new(day));
        self.known.insert(day, Known { sql: Arc::clone(&sql), tails: [Tail::of_new_day(day); 2] });
        Ok(sql)
    }

    pub(crate) fn newest(&self) -> Option<Day> {
        self.known.last_key_value().map(|(day, _)| *day)
    }

    pub(crate) fn tails(&self) -> impl Iterator<Item = (Day, Log, Tail)> {
        self.known.iter().flat_map(|(day, known)| Log::ALL.map(|log| (*day, log, known.tails[log as usize])))
    }

    pub(crate) fn tail_mut(&mut self, day: Day, log: Log) -> Option<&mut Tail> {
        self.known.get_mut(&day).map(|known| &mut known.tails[log as usize])
    }

    /// After rows were put in order.
    pub(crate) fn set_tail(&mut self, day: Day, log: Log, tail: Tail) {
        self.changed = true;
        if let Some(now) = self.tail_mut(day, log) {
            *now = tail;
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// So that few rows are many.
    #[cfg(test)]
    pub(crate) fn bound(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Only of a day that is empty: dropping a large table would stand in the way of traffic.
    pub(crate) fn drop_day(&mut self, conn: &Connection, day: Day) -> Result<(), Fault> {
        self.changed = true;
        self.known.remove(&day);
        conn.execute_batch(&Order::ALL.map(|order| order.drop_sql(day)).concat())?;
        conn.prepare_cached(order::DELETE_PARTS)?.execute([day])?;
        let d = suffix(day);
        conn.execute_batch(&format!(
            "DROP TABLE undelivered_{d}; DROP TABLE attempts_{d}; DROP TABLE deliveries_{d}; DROP TABLE events_{d};"
        ))?;
        conn.execute("DELETE FROM days WHERE day = ?1", params![day])?;
        Ok(())
    }

    pub(crate) fn committed(&mut self) {
        self.changed = false;
    }

    /// After the transaction, or a part of it, was undone.
    pub(crate) fn rolled_back(&mut self, conn: &Connection) -> Result<(), Fault> {
        if self.changed {
            let changed_before = !conn.is_autocommit();
            *self = Self { bounds: self.bounds, ..Self::load(conn)? };
            // A part was undone; the rest of the transaction may still be.
            self.changed = changed_before;
        }
        Ok(())
    }
}

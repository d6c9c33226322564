//! One connection to the database, with the statements that it has prepared.

use std::collections::HashMap;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::limits::{
    DATABASE_CALL_MS_MAX, DATABASE_CONNECT_MS_MAX, DATABASE_IDLE_MS_MAX, DATABASE_LOCK_MS_MAX,
    DATABASE_NEXT_HOST_MS,
};
use futures::future::select_ok;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Duration, sleep, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Row, Statement};

use crate::fault::Fault;
use crate::tls::Tls;

pub(crate) type Param<'a> = &'a (dyn ToSql + Sync);

/// Where the database is, and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Target {
    /// One for each server that the URL names.
    pub hosts: Vec<Config>,
    pub tls: Tls,
    /// The server that answered last.
    pub latest: Arc<AtomicUsize>,
}

#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    /// What moves its bytes.
    connection: AbortHandle,
}

/// What the server says by itself.
pub(crate) type Told = mpsc::UnboundedSender<AsyncMessage>;

impl Target {
    pub(crate) async fn connect(&self) -> Result<Session, Fault> {
        self.connect_telling(None).await
    }

    /// To the server that may be written. Of several the one that answered last is asked first, and each next one a moment
    /// later: one that is silent keeps nobody from the others.
    pub(crate) async fn connect_telling(&self, told: Option<Told>) -> Result<Session, Fault> {
        let first = self.latest.load(Ordering::Relaxed);
        let attempts = (0..self.hosts.len()).map(|place| {
            let (host, told) = ((first + place) % self.hosts.len(), told.clone());
            Box::pin(async move {
                sleep(Duration::from_millis(place as u64 * DATABASE_NEXT_HOST_MS)).await;
                let session = connect(&self.hosts[host], self.tls.clone(), told).await?;
                self.latest.store(host, Ordering::Relaxed);
                Ok::<_, Fault>(session)
            })
        });
        let connecting = async { select_ok(attempts).await.map(|(session, _)| session) };
        within(DATABASE_CONNECT_MS_MAX, "no connection to the database came about in time", connecting).await
    }
}

async fn connect(config: &Config, tls: Tls, told: Option<Told>) -> Result<Session, Fault> {
    let (client, mut connection) = config.connect(tls).await.map_err(Fault::Connect)?;
    // It ends with its client.
    let moving = tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            // Nobody listens any more: then nobody needs it.
            if let Some(told) = &told {
                let _ = told.send(message);
            }
        }
    });
    let session = Session { client, statements: Mutex::default(), connection: moving.abort_handle() };
    session.run(&settings_sql()).await?;
    Ok(session)
}

/// Bounds that hold also when this process does not come to enforce its own.
fn settings_sql() -> String {
    format!(
        "set default_transaction_isolation = 'read committed'; set statement_timeout = {DATABASE_CALL_MS_MAX}; \
         set lock_timeout = {DATABASE_LOCK_MS_MAX}; set idle_in_transaction_session_timeout = {DATABASE_IDLE_MS_MAX}; \
         set jit = off"
    )
}

impl Session {
    /// Broken: no call on it can succeed any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Ends it in the middle of a call whose answer nobody awaits any more. Left alone it would stay open for as long as that
    /// takes, beside the one that takes its place; and at the server too, where a commit may wait for a standby for ever.
    pub(crate) fn cut(self, tls: Tls) {
        let cancelling = self.client.cancel_token();
        self.connection.abort();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let bound = Duration::from_millis(DATABASE_CONNECT_MS_MAX);
            // Where the server cannot be reached, its own bounds end the call.
            runtime.spawn(async move { timeout(bound, cancelling.cancel_query(tls)).await });
        }
    }

    /// Statements without parameters, unprepared.
    pub(crate) async fn run(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }

    pub(crate) async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query(&statement, params).await?)
    }

    /// The first row, if there is one.
    pub(crate) async fn find(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Fault> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// How many rows it concerned.
    pub(crate) async fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute(&statement, params).await?)
    }

    /// The first column of a statement that cannot be prepared.
    #[cfg(test)]
    pub(crate) async fn text_rows(&self, sql: &str) -> Result<Vec<String>, Fault> {
        let messages = self.client.simple_query(sql).await?;
        let text = |message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                tokio_postgres::SimpleQueryRow::get(&row, 0).map(str::to_owned)
            }
            _ => None,
        };
        Ok(messages.into_iter().filter_map(text).collect())
    }

    async fn statement(&self, sql: &str) -> Result<Statement, Fault> {
        if let Some(known) = self.statements.lock().get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// `why` is told when it takes longer than `ms`.
pub(crate) async fn within<T, E: Into<Fault>>(
    ms: u64,
    why: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Fault> {
    match timeout(Duration::from_millis(ms), work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Fault::Away(why)),
    }
}

//! A real PostgreSQL for tests: the machine's own programs on a directory that goes when it is no longer used.
//!
//! Every test gets a [`Database`] of its own on a cluster that many share: the one that `HOOPOE_TEST_POSTGRES` names (its
//! user may create databases), else one of this target directory, which the first test starts and which ends by itself when
//! nobody has used it for a while. Who wants to break a cluster makes its own ([`Postgres::own`]). The work of starting and
//! ending is in `scripts/throwaway-postgres`.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names the cluster to use: a URL whose user may create databases.
pub const POSTGRES_VARIABLE: &str = "HOOPOE_TEST_POSTGRES";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/throwaway-postgres");

/// A cluster that is this test's alone. Dropped, it is stopped and removed.
#[derive(Debug)]
pub struct Postgres {
    dir: tempfile::TempDir,
    url: String,
}

/// An empty database. Dropped, it is gone, whoever is connected.
#[derive(Debug)]
pub struct Database {
    name: String,
    server: String,
}

impl Postgres {
    /// Starts one, whose commits are synced as they are in service. Takes about a second.
    pub fn own() -> Self {
        // The cluster's user, who is not root, must be able to come to it.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        let dir = tempfile::Builder::new().prefix("hoopoe-pg-").permissions(open).tempdir();
        let dir = dir.expect("a temporary directory");
        let url = script("start", &dir.path().join("cluster"));
        psql(&url, "alter system set synchronous_commit = on");
        psql(&url, "select pg_reload_conf()");
        Self { dir, url }
    }

    /// Ends it as a power cut would.
    pub fn crash(&self) {
        script("crash", &self.dir.path().join("cluster"));
    }

    /// Starts it again, on the same address.
    pub fn start(&self) {
        script("start", &self.dir.path().join("cluster"));
    }

    pub fn database(&self) -> Database {
        Database::on(&self.url)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        script("stop", &self.dir.path().join("cluster"));
    }
}

impl Database {
    /// On the cluster that the tests share.
    pub fn fresh() -> Self {
        Self::on(shared_server())
    }

    fn on(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hoopoe_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let database = Self { name, server: server.to_owned() };
        psql(server, &format!("create database {} template template0", database.name));
        database
    }

    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }

    /// What `psql` prints of these statements, unaligned and without headings.
    pub fn sql(&self, statements: &str) -> String {
        psql(&self.url(), statements)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A cluster that the test has ended takes its databases along.
        let _ = run_psql(&self.server, &format!("drop database if exists {} with (force)", self.name));
    }
}

/// Its URL. The lock says that this process uses the cluster; it ends with the process.
fn shared_server() -> &'static str {
    static SHARED: OnceLock<(String, Option<File>)> = OnceLock::new();
    let (url, _) = SHARED.get_or_init(|| match std::env::var(POSTGRES_VARIABLE) {
        Ok(url) => (url, None),
        Err(_) => {
            let dir = shared_dir();
            let path = PathBuf::from(format!("{}.lock", dir.display()));
            let lock = File::options().create(true).append(true).open(path).expect("a lock file");
            lock.lock_shared().expect("the lock is shared with other tests");
            let url = script("borrow", &dir);
            remove_what_others_left(&url);
            (url, Some(lock))
        }
    });
    url
}

/// Databases of processes that were killed.
fn remove_what_others_left(server: &str) {
    let names =
        psql(server, "select datname from pg_database where datname like 'hoopoe\\_test\\_%' limit 50");
    for name in names.lines() {
        let pid = name.trim_start_matches("hoopoe_test_").split('_').next().unwrap_or_default();
        if Path::new("/proc/self").exists() && !Path::new("/proc").join(pid).exists() {
            let _ = run_psql(server, &format!("drop database if exists {name} with (force)"));
        }
    }
}

/// One per target directory, so that two checkouts are strangers. Short, for a socket lies in it.
fn shared_dir() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    std::env::current_exe().expect("a test has a file").parent().hash(&mut hasher);
    std::env::temp_dir().join(format!("hoopoe-pg-{:08x}", hasher.finish() as u32))
}

/// The URL with another database.
fn with_database(url: &str, name: &str) -> String {
    let (base, options) = url.split_once('?').map_or((url, None), |(base, options)| (base, Some(options)));
    let scheme_end = base.find("://").expect("a URL") + 3;
    let base = base[scheme_end..].find('/').map_or(base, |slash| &base[..scheme_end + slash]);
    options.map_or_else(|| format!("{base}/{name}"), |options| format!("{base}/{name}?{options}"))
}

fn script(verb: &str, dir: &Path) -> String {
    let output = Command::new(SCRIPT).arg(verb).arg(dir).output().expect("bash is on this machine");
    text_of(output, &format!("throwaway-postgres {verb}"))
}

fn psql(url: &str, statements: &str) -> String {
    text_of(run_psql(url, statements), statements)
}

fn run_psql(url: &str, statements: &str) -> Output {
    static BIN: OnceLock<String> = OnceLock::new();
    let bin = BIN.get_or_init(|| script("bin", Path::new("")));
    Command::new(Path::new(bin).join("psql"))
        .args([
            "--no-psqlrc",
            "--quiet",
            "--no-align",
            "--tuples-only",
            "--set=ON_ERROR_STOP=1",
            "--dbname",
            url,
        ])
        .args(["--command", statements])
        .output()
        .expect("psql is beside the server's program")
}

fn text_of(output: Output, doing: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{doing}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_led_to_another_database() {
        for (url, led) in [
            ("postgres://u@h:1/postgres", "postgres://u@h:1/x"),
            ("postgres://u:p@h", "postgres://u:p@h/x"),
            ("postgres://u@h:1/a?sslmode=require", "postgres://u@h:1/x?sslmode=require"),
        ] {
            assert_eq!(with_database(url, "x"), led);
        }
    }

    #[test]
    fn every_database_is_empty_and_goes_when_it_is_dropped() {
        let (one, two) = (Database::fresh(), Database::fresh());
        one.sql("create table t (n int); insert into t values (7)");
        assert_eq!(one.sql("select n from t"), "7");
        assert_eq!(two.sql("select count(*) from pg_class where relname = 't'"), "0");
        let (server, name) = (one.server.clone(), one.name.clone());
        drop(one);
        assert_eq!(psql(&server, &format!("select count(*) from pg_database where datname = '{name}'")), "0");
    }
}

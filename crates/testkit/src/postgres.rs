//! A real PostgreSQL for tests: the machine's own programs on a directory that goes when it is no longer used.
//!
//! Every test gets a [`Database`] of its own on a cluster that many share: the one that `HOOPOE_TEST_POSTGRES` names (its
//! user may create databases), else one of this target directory, which the first test starts and which ends by itself when
//! nobody has used it for a while. Who wants to break a cluster makes its own ([`Postgres::own`]). The work of starting and
//! ending is in `scripts/throwaway-postgres`.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
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

/// Connections that nobody else gets while it lives.
#[derive(Debug)]
pub struct Slots {
    address: SocketAddr,
    held: Vec<TcpStream>,
}

impl Slots {
    fn take_the_rest(&mut self) {
        self.held.extend(std::iter::from_fn(|| take_connection(self.address)));
    }

    /// Ends the connections of this application and takes their places; how many it had.
    pub fn push_out(&mut self, application: &str) -> usize {
        let sql = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = '{application}'"
        );
        let had = ask(&mut self.held[0], &sql).parse().expect("a count");
        self.take_the_rest();
        had
    }
}

impl Postgres {
    /// Starts one, whose commits are synced as they are in service. Takes about a second.
    pub fn own() -> Self {
        let dir = new_dir();
        let url = script("start", &dir.path().join("cluster"));
        psql(&url, "alter system set synchronous_commit = on");
        psql(&url, "select pg_reload_conf()");
        Self { dir, url }
    }

    /// Another one that follows this one and takes its place when it is [promoted](Self::promote). From here on a commit waits
    /// until the standby has it too.
    pub fn standby(&self) -> Self {
        let dir = new_dir();
        let url = script_of("standby", &dir.path().join("cluster"), Some(&self.dir.path().join("cluster")));
        self.wait_for_standbys();
        Self { dir, url }
    }

    /// One that was crashed begins again as the standby of another, at its own address.
    pub fn follow(&self, other: &Self) {
        script_of("standby", &self.dir.path().join("cluster"), Some(&other.dir.path().join("cluster")));
        other.wait_for_standbys();
    }

    fn wait_for_standbys(&self) {
        self.sql("alter system set synchronous_standby_names = '*'");
        self.sql("select pg_reload_conf()");
    }

    /// Takes connections from this network too. Restarts it.
    pub fn open_to(&self, network: &str) {
        self.sql("alter system set listen_addresses = '*'");
        let rules = self.dir.path().join("cluster/data/pg_hba.conf");
        let mut file = File::options().append(true).open(rules).expect("the rules are there");
        writeln!(file, "host all all {network} trust").expect("the file is ours");
        self.crash();
        self.start();
    }

    /// What was a standby may be written.
    pub fn promote(&self) {
        script("promote", &self.dir.path().join("cluster"));
    }

    /// What `psql` prints of these statements on the server's own database.
    pub fn sql(&self, statements: &str) -> String {
        psql(&self.url, statements)
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        address_of(&self.url)
    }

    /// From here on it takes encrypted connections too, with this certificate and its key, both PEM.
    pub fn encrypt(&self, certificate: &str, key: &str) {
        let data_dir = self.dir.path().join("cluster/data");
        let owner = std::fs::metadata(&data_dir).expect("the directory is there");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = data_dir.join(name);
            std::fs::write(&path, text).expect("the directory is ours");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
                .expect("the file is ours");
            std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid()))
                .expect("who may start it may this");
        }
        self.sql("alter system set ssl = on");
        self.sql("select pg_reload_conf()");
    }

    /// Takes every connection that the server has left.
    pub fn take_all_connections(&self) -> Slots {
        let mut slots = Slots { address: self.address(), held: Vec::new() };
        slots.take_the_rest();
        assert!(!slots.held.is_empty(), "there was none left");
        slots
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

/// The cluster's user, who is not root, can come to it.
fn new_dir() -> tempfile::TempDir {
    let open = std::fs::Permissions::from_mode(0o711);
    let dir = tempfile::Builder::new().prefix("hoopoe-pg-").permissions(open).tempdir();
    dir.expect("a temporary directory")
}

/// `None`: the server has none left.
fn take_connection(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("the server runs");
    // Version 3.0 of the protocol, and who asks for what.
    let mut body = vec![0, 3, 0, 0];
    body.extend_from_slice(b"user\0hoopoe\0database\0postgres\0\0");
    let length = u32::try_from(body.len() + 4).expect("it is short");
    stream.write_all(&[&length.to_be_bytes()[..], &body].concat()).expect("the server listens");
    loop {
        match read_message(&mut stream)? {
            (b'Z', _) => return Some(stream),
            (b'E', _) => return None,
            _ => {}
        }
    }
}

/// Its kind and its body; `None` at the end.
fn read_message(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut body = vec![0; length as usize - 4];
    stream.read_exact(&mut body).ok()?;
    Some((head[0], body))
}

/// The one value of the one row.
fn ask(stream: &mut TcpStream, sql: &str) -> String {
    let length = u32::try_from(sql.len() + 5).expect("it is short");
    let message = [b"Q", &length.to_be_bytes()[..], sql.as_bytes(), b"\0"].concat();
    stream.write_all(&message).expect("the server listens");
    let mut value = String::new();
    loop {
        match read_message(stream).expect("the connection is ours") {
            (b'Z', _) => return value,
            // The number of columns, the length of the first.
            (b'D', body) => value = String::from_utf8_lossy(&body[6..]).into_owned(),
            _ => {}
        }
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

    /// Host and port of its server.
    pub fn address(&self) -> SocketAddr {
        address_of(&self.server)
    }

    /// At other addresses, in this order, such as those of a standby or of a [`Proxy`](crate::Proxy).
    pub fn url_at(&self, addresses: &[SocketAddr]) -> String {
        let hosts: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        self.url().replace(&address_of(&self.server).to_string(), &hosts.join(","))
    }

    /// As [`sql`](Self::sql), at the first of these addresses that answers; `None` where none does.
    pub fn try_sql_at(&self, addresses: &[SocketAddr], statements: &str) -> Option<String> {
        let output = run_psql(&self.url_at(addresses), statements);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
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

/// Of a URL such as the script prints.
fn address_of(url: &str) -> SocketAddr {
    let address = url.split_once('@').and_then(|(_, rest)| rest.split('/').next()).expect("host and port");
    address.parse().unwrap_or_else(|_| panic!("{address} is no address"))
}

/// The URL with another database.
fn with_database(url: &str, name: &str) -> String {
    let (base, options) = url.split_once('?').map_or((url, None), |(base, options)| (base, Some(options)));
    let scheme_end = base.find("://").expect("a URL") + 3;
    let base = base[scheme_end..].find('/').map_or(base, |slash| &base[..scheme_end + slash]);
    options.map_or_else(|| format!("{base}/{name}"), |options| format!("{base}/{name}?{options}"))
}

fn script(verb: &str, dir: &Path) -> String {
    script_of(verb, dir, None)
}

fn script_of(verb: &str, dir: &Path, of: Option<&Path>) -> String {
    let output = Command::new(SCRIPT).arg(verb).arg(dir).args(of).output().expect("bash is on this machine");
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

//! Starts: the first one greets, and a start that cannot be says why in one sentence and touches nothing.

use std::collections::BTreeMap;
use std::path::Path;

use testkit::{Finished, Program, Receiver};

use crate::site::{Site, binary, program_over};

const OTHER_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000001";

/// Runs to the end; the one sentence on stderr.
async fn refusal(program: &Program) -> String {
    let Finished { code, stdout, stderr } = program.run(b"").await;
    assert!(matches!(code, Some(1 | 2)), "{code:?} {stdout} {stderr}");
    assert_eq!(stdout, "", "nothing is announced");
    let lines: Vec<_> = stderr.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 1, "one sentence: {stderr}");
    assert!(lines[0].starts_with("hoopoe: ") && !lines[0].contains("backtrace"), "{stderr}");
    lines[0].to_owned()
}

/// Every file with its content, but the lock, which a start may take for a moment.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let named = entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()));
    named
        .filter(|(name, _)| !name.ends_with("lock") && !name.ends_with("-shm") && !name.ends_with("-wal"))
        .collect()
}

/// A data directory that a server has used and left in order.
async fn used(site: &Site) {
    let mut server = site.start().await;
    crate::site::endpoint(&crate::site::api(&server), "loc", "http://127.0.0.1:40000/").await;
    server.signal("TERM").await;
    assert!(server.ended().await.success(), "{}", server.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_prints_a_key_once_and_how_to_use_it() {
    let site = Site::new();
    let program = binary().args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).args([site.data_dir()]);
    let server = program.start().await;
    let stdout = server.stdout();
    let key =
        stdout.split_whitespace().find(|word| word.starts_with("hpk_")).unwrap_or_else(|| panic!("{stdout}"));
    assert!(key.len() >= 36, "{stdout}");
    assert!(stdout.contains("trigger ContactCreate") && stdout.contains(server.base()), "{stdout}");
    assert!(!stdout.contains("--dev"), "{stdout}");
    server.client().with_key(key).get("/v1/endpoints").await.expect(200);
    let client = server.client().with_key(key);
    assert!(!server.kill().await.stderr.contains(key));

    let server = program.start().await;
    assert!(!server.stdout().contains("hpk_"), "{}", server.stdout());
    testkit::Client::new(server.base()).with_key(key).get("/v1/endpoints").await.expect(200);
    drop(client);
    let everything = files(&site.data_dir());
    assert!(
        everything.values().all(|bytes| !bytes.windows(key.len()).any(|window| window == key.as_bytes()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_operator_s_is_not_printed_and_valid_while_it_is_set() {
    let site = Site::new();
    let mut server = site.start().await;
    assert!(!server.stdout().contains("hpk_"), "{}", server.stdout());
    assert!(server.stdout().contains("--dev"), "dev is said loudly");
    server.logged("--dev").await;
    crate::site::api(&server).get("/v1/endpoints").await.expect(200);
    server.kill().await;
    let other = "hpk_another_0123456789abcdefghijklmnopq";
    let server = site.program().env("HOOPOE_PLATFORM_KEY", other).start().await;
    crate::site::api(&server).get("/v1/endpoints").await.expect_problem(401, "unauthorized");
    server.client().with_key(other).get("/v1/endpoints").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_creates_nothing() {
    let (site, other) = (Site::new(), Receiver::start().await);
    let address = other.address().to_string();
    let program = binary().args(["serve", "--listen", &address, "--data-dir"]).args([site.data_dir()]);
    let said = refusal(&program).await;
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
    assert!(!site.data_dir().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_master_key_changes_nothing() {
    let site = Site::new();
    used(&site).await;
    let before = files(&site.data_dir());
    let said = refusal(&site.program().env("HOOPOE_MASTER_KEY", OTHER_KEY)).await;
    assert!(said.contains("master key"), "{said}");
    assert!(files(&site.data_dir()) == before);
    let said = refusal(&site.program().env("HOOPOE_MASTER_KEY", "short")).await;
    assert!(said.contains("HOOPOE_MASTER_KEY") && !said.contains("short;"), "{said}");
    site.start().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_that_is_gone_is_not_made_anew() {
    let site = Site::new();
    used(&site).await;
    let key_file = site.data_dir().join("master.key");
    let key = std::fs::read(&key_file).unwrap();
    std::fs::remove_file(&key_file).unwrap();
    let said = refusal(&site.program()).await;
    assert!(said.contains("master.key") && !key_file.exists(), "{said}");
    std::fs::write(&key_file, key).unwrap();
    site.start().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_a_newer_version_is_left_alone() {
    let site = Site::new();
    used(&site).await;
    let file = site.data_dir().join("hoopoe.db");
    // The schema's version stands at byte 60 of an SQLite file, big-endian.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[60..64].copy_from_slice(&9_999u32.to_be_bytes());
    std::fs::write(&file, &bytes).unwrap();
    let before = files(&site.data_dir());
    let said = refusal(&site.program()).await;
    assert!(said.contains("9999") && said.contains("newer"), "{said}");
    assert!(files(&site.data_dir()) == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_data_directory_is_refused() {
    let site = Site::new();
    std::fs::write(site.data_dir(), "a file").unwrap();
    let said = refusal(&site.program()).await;
    assert!(said.contains("directory"), "{said}");
    assert_eq!(std::fs::read(site.data_dir()).unwrap(), b"a file");
    std::fs::remove_file(site.data_dir()).unwrap();

    std::fs::create_dir(site.data_dir()).unwrap();
    std::fs::write(site.data_dir().join("hoopoe.db"), "not a database, but somebody's work".repeat(200))
        .unwrap();
    let before = files(&site.data_dir());
    let said = refusal(&site.program().env("HOOPOE_MASTER_KEY", OTHER_KEY)).await;
    assert!(said.contains("hoopoe.db"), "{said}");
    assert!(files(&site.data_dir()) == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_directory_serves_one_server() {
    let site = Site::new();
    let server = site.start().await;
    let said = refusal(&site.program()).await;
    assert!(said.contains("another process"), "{said}");
    crate::site::api(&server).get("/readyz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_nobody_knows_is_named() {
    let site = Site::new();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("hoopoe.toml");
    std::fs::write(&config, "lisen = \"127.0.0.1:0\"\n").unwrap();
    let said = refusal(&program_over(&site.data_dir()).args(["--config"]).args([&config])).await;
    assert!(said.contains("lisen") && said.contains("hoopoe.toml"), "{said}");
    assert!(!site.data_dir().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_come_from_the_file_in_the_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hoopoe.toml"), "listen = \"127.0.0.1:0\"\ndata_dir = \"events\"\n")
        .unwrap();
    let server = binary().args(["serve"]).dir(dir.path()).start().await;
    server.client().get("/healthz").await.expect(200);
    assert!(dir.path().join("events/hoopoe.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn help_lists_every_setting() {
    let help = binary().args(["serve", "--help"]).run(b"").await;
    assert_eq!(help.code, Some(0));
    for setting in [
        "--config",
        "--listen",
        "--data-dir",
        "--dev",
        "--metrics-listen",
        "--validate",
        "--endpoints-per-owner",
        "--retry-schedule",
        "--retention-days",
        "--log-format",
        "--log-level",
        "--ca-certificates",
        "HOOPOE_PLATFORM_KEY",
        "HOOPOE_MASTER_KEY",
        "HOOPOE_LISTEN",
        "127.0.0.1:8080",
        "hoopoe-data",
    ] {
        assert!(help.stdout.contains(setting), "no {setting} in {}", help.stdout);
    }
}

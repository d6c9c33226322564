//! The benchmark runs with the real binary, and what it reports adds up. How fast anything is, is not tested here.

use serde_json::Value;
use tempfile::TempDir;
use testkit::{Database, Finished};

use crate::site::binary;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_benchmark_sent_has_arrived_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let limit = bench(&dir, &["limit", "--pairs", "1", "--seconds", "1"]).await;
    for report in reports::<3>(&limit) {
        assert!(number(&report["sent"]) > 0, "{report}");
        assert_eq!(report["sent"], report["received"]);
    }

    let shape = ["--batch", "10", "--fan-out", "2", "--endpoints", "4"];
    let e2e = bench(&dir, &[&["e2e", "--pairs", "1", "--seconds", "1"], &shape[..]].concat()).await;
    let [report] = reports(&e2e);
    assert!(number(&report["accepted"]) > 0, "{report}");
    assert_eq!(number(&report["delivered"]), 2 * number(&report["accepted"]), "{report}");
    assert_eq!(report["repeated"], 0);
    // Every commit was synced before its events were answered.
    assert!(
        (1..=number(&report["accepted"]) + number(&report["delivered"]))
            .contains(&number(&report["commits"]))
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a data directory is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_each_event_is_counted_row_by_row_and_the_database_goes() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::fresh());
    let url = database.url();
    let done =
        bench(&dir, &["e2e", "--pairs", "1", "--seconds", "1", "--batch", "10", "--database-url", &url])
            .await;
    let [embedded, postgres] = reports(&done);
    for report in [&embedded, &postgres] {
        assert!(number(&report["accepted"]) > 0, "{report}");
        assert_eq!(report["accepted"], report["delivered"], "{report}");
    }
    // An event, its delivery while it is held, its delivery in the log; what is made once stands beside them.
    assert!(postgres["rows_inserted_per_event"].as_f64().unwrap() >= 3.0, "{postgres}");
    assert!(postgres["rows_deleted_per_event"].as_f64().unwrap() >= 1.0, "{postgres}");
    assert!(postgres["wal_bytes_per_event"].as_f64().unwrap() > 1_000.0, "{postgres}");
    let left = database.sql("select count(*) from pg_database where datname like 'hoopoe\\_scratch\\_%'");
    assert_eq!(left.trim(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_benchmark_says_which_folder_it_cannot_use() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let done = binary().args(["bench", "limit", "--dir"]).args([&missing]).run(b"").await;
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("missing") && done.stderr.lines().count() == 1, "{}", done.stderr);
}

async fn bench(dir: &TempDir, args: &[&str]) -> Finished {
    let small = ["--connections", "4", "--threads", "1", "--dir"];
    let program = binary().args(["bench"]).args(args).args(small).args([dir.path()]);
    let done = program.run(b"").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    done
}

/// The lines of JSON between the tables.
fn reports<const N: usize>(done: &Finished) -> [Value; N] {
    let lines = done.stdout.lines().filter(|line| line.starts_with('{'));
    let reports: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    reports.try_into().unwrap_or_else(|_| panic!("not {N} reports: {}", done.stdout))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

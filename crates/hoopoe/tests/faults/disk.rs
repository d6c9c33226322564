//! A full disk: publishing is refused, nothing acknowledged is lost, and service resumes when there is space.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Answer, Client, Receiver, eventually};

use crate::ledger::Ledger;
use crate::site::{LOCATION, api, contact, endpoint, program_over, until_all_are_finished};

/// Room for the store's files and some thousand events.
const DISK: &str = "size=12m";

/// A small disk of its own, in memory. Unmounted when dropped.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`: this user may not mount.
    fn mount() -> Option<Self> {
        let disk = Self { dir: tempfile::tempdir().unwrap() };
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(disk.dir.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(disk)
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Takes all the space that is left; deleting the file gives it back.
    fn fill(&self) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        let mut chunk = vec![1; 1 << 20];
        while !chunk.is_empty() {
            while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
            chunk.truncate(chunk.len() / 2);
        }
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.dir.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_events_loses_none_and_is_survived() {
    let Some(disk) = SmallDisk::mount() else {
        println!("SKIPPED: mounting a tmpfs needs root; run this test as root or in a container");
        return;
    };
    let (receiver, ledger) = (Receiver::start().await, Ledger::default());
    let program = program_over(&disk.path().join("data"));
    let server = program.start().await;
    let api = api(&server);
    endpoint(&api, LOCATION, &receiver.url("/hook")).await;
    assert_eq!(ledger.publish_one(&api).await, Some(202));
    // These are still on their way when the disk fills, so that their outcomes cannot be recorded.
    receiver.usually("/hook", Answer::status(500));
    for _ in 0..20 {
        assert_eq!(ledger.publish_one(&api).await, Some(202));
    }
    let ballast = disk.fill();
    let refused = eventually("a publish to be refused", || async {
        let answered = api.post("/v1/events", &contact(LOCATION, 0)).await;
        match answered.status.as_u16() {
            202 => None,
            _ => Some(answered),
        }
    })
    .await;
    let problem = refused.expect_problem(503, "store-unavailable");
    assert!(refused.header("retry-after").is_some(), "{problem}");
    api.get("/v1/events").await.expect(200);
    api.get("/healthz").await.expect(200);
    until_ready_says(&api, 503).await;

    receiver.usually("/hook", Answer::status(200));
    std::fs::remove_file(ballast).unwrap();
    eventually("service to resume", || async { (ledger.publish_one(&api).await == Some(202)).then_some(()) })
        .await;
    until_ready_says(&api, 200).await;
    until_all_are_finished(&api).await;
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
    server.kill().await;
    let server = program.start().await;
    let listed = crate::site::api(&server).get("/v1/events?limit=200").await.expect(200);
    assert!(listed["data"].as_array().unwrap().len() >= ledger.acknowledged());
}

/// What the store last said is told for a second.
async fn until_ready_says(api: &Client, status: u16) {
    eventually("the readiness to be told", || async {
        (api.get("/readyz").await.status.as_u16() == status).then_some(())
    })
    .await;
}

//! The disk that the benchmark's data is on: whether it is one, and how fast it syncs by itself.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::quantiles::Quantiles;

const BLOCK: [u8; 4096] = [0x5a; 4096];
/// As much of the file as is written before it starts over: a log that is reused, as the store's is.
const BLOCKS: u64 = 256;

/// Small writes, each synced, in `dir`: the rate that bounds a store without group commit.
#[derive(Debug)]
pub(super) struct Syncs {
    pub(super) per_s: f64,
    pub(super) durations: Quantiles,
}

/// Writes and syncs 4 KiB for `time`.
///
/// # Errors
/// The folder cannot be written to.
pub(super) fn sync_rate(dir: &Path, time: Duration) -> anyhow::Result<Syncs> {
    let path = dir.join("sync-rate");
    let failed = || format!("{} cannot be written and synced", path.display());
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).open(&path).with_context(failed)?;
    let mut durations_ns = Vec::new();
    let began = Instant::now();
    while began.elapsed() < time {
        let one = Instant::now();
        write_synced(&mut file, durations_ns.len() as u64 % BLOCKS).with_context(failed)?;
        durations_ns.push(one.elapsed().as_nanos() as u64);
    }
    let per_s = durations_ns.len() as f64 / began.elapsed().as_secs_f64();
    std::fs::remove_file(&path).with_context(failed)?;
    Ok(Syncs { per_s, durations: Quantiles::of(&durations_ns) })
}

fn write_synced(file: &mut File, block: u64) -> std::io::Result<()> {
    file.seek(std::io::SeekFrom::Start(block * BLOCK.len() as u64))?;
    file.write_all(&BLOCK)?;
    file.sync_data()
}

/// Whether files in `dir` live in memory, where a sync costs nothing.
#[cfg(target_os = "linux")]
pub(super) fn is_memory(dir: &Path) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    rustix::fs::statfs(dir).is_ok_and(|found| [TMPFS, RAMFS].contains(&(found.f_type as i64)))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_memory(_dir: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syncs_are_counted_and_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let syncs = sync_rate(dir.path(), Duration::from_millis(20)).unwrap();
        assert!(syncs.per_s > 0.0 && syncs.durations.max_ms() > 0.0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(sync_rate(&dir.path().join("missing"), Duration::ZERO).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_told_from_a_disk() {
        assert!(is_memory(Path::new("/dev/shm")) || !Path::new("/dev/shm").exists());
        assert!(!is_memory(Path::new("/proc")));
    }
}

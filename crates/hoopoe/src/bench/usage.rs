//! What a process has used so far, from `/proc`: CPU time, peak memory, bytes written to disk.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Usage {
    /// User and system time of all threads, ended ones too. The kernel tells it in ticks of usually 10 ms.
    pub(super) cpu: Duration,
    /// Memory that is resident now.
    pub(super) resident_bytes: u64,
    /// The most that ever was resident.
    pub(super) peak_bytes: u64,
    /// Handed to the disk, the file system's own share not counted.
    pub(super) written_bytes: u64,
}

impl Usage {
    /// # Errors
    /// The process is gone, or the system has no `/proc` as Linux has it.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            fs::read_to_string(&path)
                .with_context(|| format!("{path} cannot be read; the benchmark needs Linux"))
        };
        let status = read("status")?;
        let kilobytes = |name| number_of(&status, name).map(|kb| kb * 1024);
        Ok(Self {
            cpu: cpu(&read("stat")?).context("/proc/<pid>/stat is not as expected")?,
            resident_bytes: kilobytes("VmRSS:").unwrap_or_default(),
            peak_bytes: kilobytes("VmHWM:").unwrap_or_default(),
            written_bytes: number_of(&read("io")?, "write_bytes:").unwrap_or_default(),
        })
    }

    pub(super) fn of_this_process() -> anyhow::Result<Self> {
        Self::of(std::process::id())
    }

    /// CPU seconds since `before`.
    pub(super) fn cpu_s_since(&self, before: &Self) -> f64 {
        self.cpu.saturating_sub(before.cpu).as_secs_f64()
    }
}

/// The parent of a process of that name on this machine.
pub(super) fn parent_of(pid: u32, name: &str) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, fields) = stat.rsplit_once(") ")?;
    let (_, found) = head.split_once('(')?;
    (found == name).then(|| fields.split(' ').nth(1)?.parse().ok()).flatten()
}

/// CPU time of a process, its children, and those of them that have ended.
pub(super) fn cpu_of_family(parent: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{parent}/stat")).ok()?;
    let mut sum = times(&stat, 4)?;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that ends meanwhile is its parent's.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let is_child = stat.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(1)?.parse().ok());
        if is_child == Some(parent) {
            sum += times(&stat, 2)?;
        }
    }
    Some(sum)
}

/// Fields 14 and 15, counted after the name, which may hold anything but is in parentheses.
fn cpu(stat: &str) -> Option<Duration> {
    times(stat, 2)
}

/// So many fields from 14 on: user and system time, then both of the children that have ended.
fn times(stat: &str, count: usize) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(|field| field.parse::<u64>().ok());
    let ticks: u64 = (0..count).map(|_| times.next().flatten()).sum::<Option<_>>()?;
    let ticks_per_s = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_secs_f64(ticks as f64 / ticks_per_s as f64))
}

fn number_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_and_system_even_when_the_name_holds_parentheses() {
        let ticks = rustix::param::clock_ticks_per_second();
        let stat = format!("7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 {ticks} {} 0 0 20 0 1 0 9", 2 * ticks);
        assert_eq!(cpu(&stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu("7 (a) S 1 2"), None);
    }

    #[test]
    fn a_family_is_a_process_its_children_and_those_that_ended() {
        let own = Usage::of_this_process().unwrap().cpu;
        assert!(cpu_of_family(std::process::id()).unwrap() >= own);
        let ticks = rustix::param::clock_ticks_per_second();
        let stat = format!("7 (a) S 1 7 7 0 -1 0 1 0 0 0 {ticks} {ticks} {ticks} {ticks} 20 0 1 0 9");
        assert_eq!(times(&stat, 4), Some(Duration::from_secs(4)));
        assert_eq!(parent_of(std::process::id(), "another program"), None);
    }

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let io = "rchar: 1\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n";
        assert_eq!(number_of(io, "write_bytes:"), Some(4096));
        assert_eq!(number_of("VmHWM:\t  2048 kB\n", "VmHWM:"), Some(2048));
        assert_eq!(number_of(io, "read_bytes:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_live_process_uses_memory_and_a_gone_one_is_an_error() {
        assert!(Usage::of_this_process().unwrap().peak_bytes > 0);
        assert!(Usage::of(u32::MAX).is_err());
    }
}

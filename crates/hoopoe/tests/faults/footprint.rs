//! What a running server holds of the machine, as Linux tells it.

use testkit::Running;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Footprint {
    pub(crate) memory_bytes: u64,
    pub(crate) memory_peak_bytes: u64,
    pub(crate) descriptors: usize,
}

impl Footprint {
    pub(crate) fn of(server: &Running) -> Self {
        let process = format!("/proc/{}", server.pid());
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        Self {
            memory_bytes: kib("VmRSS:") * 1024,
            memory_peak_bytes: kib("VmHWM:") * 1024,
            descriptors: std::fs::read_dir(format!("{process}/fd")).unwrap().count(),
        }
    }
}

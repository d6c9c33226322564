//! Processes that the benchmark starts: this same executable in another role. Each ends with the benchmark, however that
//! ends: dropped, interrupted, or killed.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// A process that said it is ready.
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) pid: u32,
    pub(super) stdout: BufReader<ChildStdout>,
    /// What followed the awaited words.
    pub(super) told: String,
}

/// How to start one.
pub(super) struct Start<'a> {
    /// For errors: "the server".
    pub(super) what: &'a str,
    pub(super) args: Vec<OsString>,
    pub(super) env: &'a [(&'a str, &'a str)],
    /// Its working directory, so that no file of the user's is read by chance.
    pub(super) dir: &'a Path,
    /// Where its stderr goes.
    pub(super) log: &'a Path,
    /// How the line begins that says it is ready.
    pub(super) ready: &'a str,
}

impl Start<'_> {
    /// Starts it and waits for its line.
    ///
    /// # Errors
    /// It cannot be started or ended instead; with the last line that it wrote to its log.
    pub(super) async fn start(self) -> anyhow::Result<Started> {
        let mut child =
            self.command()?.spawn().with_context(|| format!("{} cannot be started", self.what))?;
        let pid = child.id().with_context(|| format!("{} ended at once", self.what))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        loop {
            line.clear();
            let read = stdout.read_line(&mut line).await;
            if read.with_context(|| format!("{} cannot be read", self.what))? == 0 {
                bail!("{} did not start: {}", self.what, last_line(self.log));
            }
            if let Some(told) = line.strip_prefix(self.ready) {
                return Ok(Started { child, pid, stdout, told: told.trim().to_owned() });
            }
        }
    }

    fn command(&self) -> anyhow::Result<Command> {
        let program = std::env::current_exe().context("the path of this program is not known")?;
        let log = std::fs::File::create(self.log);
        let log = log.with_context(|| format!("{} cannot be created", self.log.display()))?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOOPOE_") {
                command.env_remove(name);
            }
        }
        command
            .args(&self.args)
            .envs(self.env.iter().copied())
            .current_dir(self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }
}

/// What a process said last, for an error.
pub(super) fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("it said nothing").to_owned()
}

/// Turns this process into `hoopoe <args>` that the kernel kills as soon as its parent dies.
///
/// # Errors
/// Only returns with one: the parent is gone already, or the program cannot be started.
#[cfg(target_os = "linux")]
pub(crate) fn become_bound(parent: u32, args: &[OsString]) -> anyhow::Error {
    use std::os::unix::process::CommandExt as _;
    let bind = || -> anyhow::Result<std::convert::Infallible> {
        // Kept over exec (prctl(2), PR_SET_PDEATHSIG).
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        let alive =
            rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get().unsigned_abs() == parent);
        anyhow::ensure!(alive, "the benchmark that started this has ended");
        Err(std::process::Command::new(std::env::current_exe()?).args(args).exec().into())
    };
    match bind() {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn become_bound(_parent: u32, _args: &[OsString]) -> anyhow::Error {
    anyhow::anyhow!("the benchmark runs on Linux alone")
}

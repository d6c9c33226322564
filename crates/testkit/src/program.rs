//! The real binary as a child process: started, read, killed, started again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::{Client, patiently};

/// What the server prints when it is ready, before its base URL.
const READY: &str = "listening on ";

/// A command line with its environment, to be started as often as wished. `HOOPOE_*` of the surroundings never gets in.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    dir: Option<PathBuf>,
}

/// A process that ended.
#[derive(Debug)]
pub struct Finished {
    /// `None`: a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A server that said it is ready. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Printed,
    stderr: Printed,
    base: String,
}

/// What a process printed so far.
#[derive(Debug)]
struct Printed {
    text: Arc<Mutex<String>>,
    /// How many lines there are. Closed with the pipe, which may hold the last of them still when the process has ended.
    lines: watch::Receiver<usize>,
}

impl Program {
    /// `path`: `env!("CARGO_BIN_EXE_hoopoe")` of the calling test.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), args: Vec::new(), env: Vec::new(), dir: None }
    }

    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The process's working directory.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Starts a server and waits until it listens; fails the test with what it printed if it ends instead.
    pub async fn start(&self) -> Running {
        let mut child = self.command().stdin(Stdio::null()).spawn().expect("the binary starts");
        let mut stdout = Printed::of(child.stdout.take().expect("stdout is piped"));
        let mut stderr = Printed::of(child.stderr.take().expect("stderr is piped"));
        if !stdout.wait_for(READY).await {
            let status = patiently("the process to end", child.wait()).await;
            stderr.whole().await;
            panic!("ended at start: {status:?}\n{}\n{}", stdout.text(), stderr.text());
        }
        let base = stdout
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(READY))
            .expect("a line of its own")
            .to_owned();
        Running { child, stdout, stderr, base }
    }

    /// Runs to the end with `stdin`.
    pub async fn run(&self, stdin: &[u8]) -> Finished {
        let mut child = self.command().stdin(Stdio::piped()).spawn().expect("the binary starts");
        let mut pipe = child.stdin.take().expect("stdin is piped");
        // A process that ends before it has read everything closes the pipe.
        let _ = pipe.write_all(stdin).await;
        drop(pipe);
        let output =
            patiently("the process to end", child.wait_with_output()).await.expect("its output is read");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOPOE_"))
        {
            command.env_remove(name);
        }
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

impl Running {
    /// Base URL, such as `http://127.0.0.1:40123`.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn client(&self) -> Client {
        Client::new(&self.base)
    }

    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// Waits until it has said `text` on its stderr, in one line or as part of one.
    pub async fn logged(&mut self, text: &str) {
        assert!(self.stderr.wait_for(text).await, "it ended without `{text}`:\n{}", self.stderr());
    }

    /// SIGKILL: nothing of the process runs any more when this returns.
    pub async fn kill(mut self) -> Finished {
        self.child.kill().await.expect("the process is ours");
        let status = self.ended().await;
        Finished { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }

    /// Sends the signal of that name (`TERM`, `INT`).
    pub async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().await.expect("`kill` exists");
        assert!(status.success(), "the process is there");
    }

    /// Waits until it has ended by itself; all that it printed is there then.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = patiently("the process to end", self.child.wait()).await.expect("it is our child");
        self.stdout.whole().await;
        self.stderr.whole().await;
        status
    }
}

impl Printed {
    fn of(pipe: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let (count, lines) = watch::channel(0);
        let written = text.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut text = written.lock();
                text.push_str(&line);
                text.push('\n');
                drop(text);
                count.send_modify(|count| *count += 1);
            }
        });
        Self { text, lines }
    }

    fn text(&self) -> String {
        self.text.lock().clone()
    }

    /// Waits for the end of the pipe.
    async fn whole(&mut self) {
        patiently("its output to end", async { while self.lines.changed().await.is_ok() {} }).await;
    }

    /// False: the pipe ended before it came.
    async fn wait_for(&mut self, wanted: &str) -> bool {
        let waiting = self.lines.wait_for(|_| self.text.lock().contains(wanted));
        patiently(&format!("`{wanted}` in its output"), waiting).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_has_ended_is_heard_to_its_last_line() {
        let script = "echo listening on nothing; seq 10000 >&2; seq 10000";
        let mut running = Program::new("sh").args(["-c", script]).start().await;
        assert!(running.ended().await.success());
        assert!(running.stdout().ends_with("\n10000\n"), "{}", running.stdout());
        assert!(running.stderr().ends_with("\n10000\n"), "{}", running.stderr());
    }

    #[tokio::test]
    #[should_panic(expected = "why it could not")]
    async fn a_program_that_never_listens_fails_with_what_it_printed() {
        Program::new("sh").args(["-c", "echo why it could not >&2; exit 3"]).start().await;
    }
}

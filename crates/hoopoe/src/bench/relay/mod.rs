//! The bare relay, a process of its own: takes events, writes them to a file that it syncs, answers, and posts each as a signed
//! webhook. That is what no server can leave out that acknowledges only what is on the disk, and nothing else: no HTTP
//! library, no schema, no routing, no log, no second attempt. It ends when stdin does.

mod control;
mod journal;

use std::cell::RefCell;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

pub(in crate::bench) use control::Relay;
use journal::Journal;

use super::listener::{fail, listen};
use super::payload;
use super::request::Composer;
use super::wire::{Wire, framed};

const PROCESS: &str = "relay";
/// What the relay prints when it listens, before its port.
const READY: &str = "relaying on port ";
/// Below the working directory.
const JOURNAL_FILE: &str = "relay-journal";
const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

/// Relays to the receiver at `to` until stdin ends.
///
/// # Errors
/// No port can be had, or the journal cannot be written.
pub(crate) fn run(threads: usize, to: SocketAddr) -> anyhow::Result<()> {
    crate::descriptors::raise_limit();
    let journal = Journal::start(Path::new(JOURNAL_FILE))?;
    let port = listen(PROCESS, threads, move || {
        let composer = Composer::webhook(to);
        let shared = Rc::new(Shared { journal, to, composer, idle: RefCell::default() });
        move |stream| serve(Rc::clone(&shared), stream)
    })?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{READY}{port}")?;
    stdout.flush()?;
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    Ok(())
}

/// What a thread's connections share.
struct Shared {
    journal: Journal,
    to: SocketAddr,
    composer: Composer,
    /// Connections to the receiver that are free.
    idle: RefCell<Vec<Wire>>,
}

async fn serve(shared: Rc<Shared>, stream: TcpStream) {
    if let Err(error) = take(&shared, stream).await {
        fail(PROCESS, &error);
    }
}

/// One connection, until the peer leaves.
async fn take(shared: &Rc<Shared>, mut stream: TcpStream) -> anyhow::Result<()> {
    let mut read = Vec::with_capacity(16 * 1024);
    loop {
        let Some(frame) = framed(&read)? else {
            match stream.read_buf(&mut read).await {
                Ok(1..) => continue,
                Ok(0) | Err(_) => return Ok(()),
            }
        };
        let body = read[frame.body_at..frame.end].to_vec();
        read.drain(..frame.end);
        let sequence = payload::sequence(&body).context("an event has no sequence number")?;
        shared.journal.keep(body).await?;
        stream.write_all(ACCEPTED).await?;
        spawn_local(pass_on(Rc::clone(shared), sequence));
    }
}

async fn pass_on(shared: Rc<Shared>, sequence: u64) {
    if let Err(error) = post(&shared, sequence).await {
        fail(PROCESS, &error);
    }
}

async fn post(shared: &Shared, sequence: u64) -> anyhow::Result<()> {
    let idle = shared.idle.borrow_mut().pop();
    let mut wire = match idle {
        Some(wire) => wire,
        None => Wire::to(shared.to).await?,
    };
    shared.composer.compose(&mut wire.request, sequence);
    let answer = wire.exchange().await?;
    ensure!(shared.composer.accepted(answer.status, answer.body), "the receiver answers {}", answer.status);
    shared.idle.borrow_mut().push(wire);
    Ok(())
}

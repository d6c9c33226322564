//! How the bare processes listen: threads that share nothing, each with a runtime of its own and every so-many-th connection. It
//! costs less per request than threads that share their work.

use std::net::{TcpListener, TcpStream as StdStream};
use std::thread;

use anyhow::Context as _;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc;
use tokio::task::spawn_local;

type Connections = mpsc::UnboundedSender<StdStream>;

/// Listens on a port of 127.0.0.1, which it returns. `served` is called once on each of the `threads` and makes what serves a
/// connection there until it ends. `process` is named where something goes wrong.
///
/// # Errors
/// No port or no thread can be had.
pub(super) fn listen<S, F>(
    process: &'static str,
    threads: usize,
    served: impl FnOnce() -> S + Clone + Send + 'static,
) -> anyhow::Result<u16>
where
    S: Fn(TcpStream) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .with_context(|| format!("the {process} cannot listen on 127.0.0.1"))?;
    let port = listener.local_addr().context("the listener has no address")?.port();
    let threads = (0..threads.max(1)).map(|_| start_thread(process, served.clone()));
    let threads = threads.collect::<anyhow::Result<Vec<_>>>()?;
    thread::Builder::new().name("accept".to_owned()).spawn(move || accept(process, &listener, &threads))?;
    Ok(port)
}

fn start_thread<S, F>(
    process: &'static str,
    served: impl FnOnce() -> S + Send + 'static,
) -> anyhow::Result<Connections>
where
    S: Fn(TcpStream) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let (connections, mut streams) = mpsc::unbounded_channel();
    thread::Builder::new().name(process.to_owned()).spawn(move || {
        let runtime: LocalRuntime =
            match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
                Ok(runtime) => runtime,
                Err(error) => fail(process, &error.into()),
            };
        runtime.block_on(async move {
            let served = served();
            while let Some(stream) = streams.recv().await {
                match prepared(stream) {
                    Ok(stream) => drop(spawn_local(served(stream))),
                    Err(error) => fail(process, &error.into()),
                }
            }
        });
    })?;
    Ok(connections)
}

fn prepared(stream: StdStream) -> std::io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    TcpStream::from_std(stream)
}

/// By turns, so that every thread has its share of the connections.
fn accept(process: &str, listener: &TcpListener, threads: &[Connections]) {
    for thread in threads.iter().cycle() {
        match listener.accept() {
            Ok((stream, _)) => drop(thread.send(stream)),
            // Out of descriptors, most likely; the next try may succeed.
            Err(error) => eprintln!("hoopoe bench {process}: a connection could not be accepted: {error}"),
        }
    }
}

/// The whole process ends, so that the benchmark sees it.
pub(super) fn fail(process: &str, error: &anyhow::Error) -> ! {
    eprintln!("hoopoe bench {process}: {error:#}");
    std::process::exit(1)
}

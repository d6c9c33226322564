//! A customer's server under a test's control: it answers as scripted and remembers every request to the byte.
//!
//! HTTP/1.1 is spoken by hand, so that it can also be spoken badly.

mod answer;
mod connection;
mod request;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use answer::{Answer, Gate};
pub use request::Received;

use crate::patiently;

/// Listens on a free port of 127.0.0.1 and stops when dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    arrived: watch::Sender<usize>,
    /// `true` ends every connection.
    closing: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Received>,
    scripts: HashMap<String, VecDeque<Answer>>,
    usual: HashMap<String, Answer>,
}

impl Receiver {
    /// Answers 200 to everything until told otherwise.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address")).await
    }

    /// At a known address, for a receiver that comes back.
    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next requests to `path` get these answers, in order; afterwards the usual one again.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.shared.state.lock().scripts.entry(path.to_owned()).or_default().extend(answers);
    }

    /// The answer to requests to `path` for which no script is left.
    pub fn usually(&self, path: &str, answer: Answer) {
        self.shared.state.lock().usual.insert(path.to_owned(), answer);
    }

    /// Everything that has arrived, in order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.state.lock().received.clone()
    }

    /// What has arrived after the first `count`.
    pub fn received_after(&self, count: usize) -> Vec<Received> {
        self.shared.state.lock().received.get(count..).unwrap_or_default().to_vec()
    }

    /// How many requests have arrived.
    pub fn count(&self) -> usize {
        *self.shared.arrived.borrow()
    }

    /// Waits until at least `count` requests have arrived; all of them, in order of arrival.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut arrived = self.shared.arrived.subscribe();
        let what = format!("{count} requests at the receiver");
        patiently(&what, arrived.wait_for(|arrived| *arrived >= count))
            .await
            .expect("the sender lives in self");
        self.received()
    }

    /// Waits until some request satisfies `wanted`; the first that does.
    pub async fn wait_for_one(&self, what: &str, wanted: impl Fn(&Received) -> bool) -> Received {
        let mut arrived = self.shared.arrived.subscribe();
        let waiting = async {
            loop {
                arrived.borrow_and_update();
                if let Some(found) = self.shared.state.lock().received.iter().find(|one| wanted(one)) {
                    return found.clone();
                }
                arrived.changed().await.expect("the sender lives in self");
            }
        };
        patiently(what, waiting).await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.closing.send_replace(true);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut closing = shared.closing.subscribe();
            tokio::select! {
                () = connection::serve(stream, &shared) => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
        });
    }
}

impl Shared {
    /// Remembers the request and says how to answer it.
    fn take(&self, received: Received) -> Answer {
        let mut state = self.state.lock();
        let scripted = state.scripts.get_mut(&received.path).and_then(VecDeque::pop_front);
        let answer = scripted.or_else(|| state.usual.get(&received.path).cloned());
        state.received.push(received);
        // Under the lock: of two that arrive at once the lower count would else be the last word, and who waits for the
        // higher one would wait for ever.
        self.arrived.send_replace(state.received.len());
        drop(state);
        answer.unwrap_or_else(|| Answer::status(200))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    const REQUEST: &[u8] = b"POST /a HTTP/1.1\r\nHost: x\r\nX-Two:  2 \r\nContent-Length: 3\r\n\r\nabc";

    async fn answer_to(receiver: &Receiver, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer).await {
            Ok(_) => String::from_utf8(answer).unwrap(),
            Err(error) => error.kind().to_string(),
        }
    }

    #[tokio::test]
    async fn a_request_is_remembered_as_it_came_and_answered_as_scripted() {
        let receiver = Receiver::start().await;
        let scripted = Answer::status(503).header("retry-after", "7").body("later");
        receiver.script("/a", [scripted, Answer::close(), Answer::reset()]);
        let expected = "HTTP/1.1 503 Scripted\r\nretry-after: 7\r\ncontent-length: 5\r\n\r\nlater";
        assert_eq!(answer_to(&receiver, REQUEST).await, expected);
        assert_eq!(answer_to(&receiver, REQUEST).await, "");
        assert_eq!(answer_to(&receiver, REQUEST).await, "connection reset");
        assert!(answer_to(&receiver, REQUEST).await.starts_with("HTTP/1.1 200 "));
        let received = receiver.wait_for(4).await;
        assert_eq!(received[0].headers[1], ("X-Two".to_owned(), "2".to_owned()));
        assert_eq!(received[0].header("x-two"), Some("2"));
        assert_eq!(
            (&received[0].method[..], &received[0].path[..], &received[0].body[..]),
            ("POST", "/a", &b"abc"[..])
        );
    }

    #[tokio::test]
    async fn a_gate_holds_an_answer_and_a_connection_is_kept() {
        let receiver = Receiver::start().await;
        let gate = Gate::default();
        receiver.script("/a", [Answer::status(204).when(&gate)]);
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
        stream.write_all(&[REQUEST, REQUEST].concat()).await.unwrap();
        receiver.wait_for(1).await;
        assert_eq!(receiver.count(), 1, "the second request waits behind the first");
        gate.open();
        receiver.wait_for(2).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 204");
    }
}

//! One connection to the receiver, from its first request to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::book::{Behaviour, Book};
use super::parse::{Class, Parsed, parse};
use crate::bench::clock::now_ns;
use crate::bench::payload;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const FAIL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
const MALFORMED: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const SLOW_MS: u64 = 8_000;

struct Connection {
    stream: TcpStream,
    book: Arc<Book>,
    read: Vec<u8>,
    answers: Vec<u8>,
    /// When the first byte of the request came that is not complete yet.
    began_at_ns: Option<u64>,
}

/// Why a connection ends: the peer left, or nothing more can be said on it.
struct Ended;

/// Serves until the peer leaves.
pub(super) async fn serve(stream: TcpStream, book: Arc<Book>) {
    let read = Vec::with_capacity(16 * 1024);
    let mut connection =
        Connection { stream, book, read, answers: Vec::with_capacity(1024), began_at_ns: None };
    while connection.turn().await.is_ok() {}
}

impl Connection {
    /// One read, and the answers to all requests that it completed.
    async fn turn(&mut self) -> Result<(), Ended> {
        match self.stream.read_buf(&mut self.read).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(Ended),
        }
        let now_ns = now_ns();
        let mut taken = 0;
        let mut began_at_ns = self.began_at_ns.take().unwrap_or(now_ns);
        loop {
            match parse(&self.read[taken..]) {
                Parsed::Incomplete => break,
                Parsed::Malformed => return self.give_up().await,
                Parsed::Request { class, body, length } => {
                    taken += length;
                    let sequence = payload::sequence(body);
                    self.answer(class, sequence, began_at_ns).await?;
                    began_at_ns = now_ns;
                }
            }
        }
        self.read.drain(..taken);
        self.began_at_ns = (!self.read.is_empty()).then_some(began_at_ns);
        self.flush().await
    }

    async fn answer(&mut self, class: Class, sequence: Option<u64>, at_ns: u64) -> Result<(), Ended> {
        self.book.requested();
        let behaviour = match class {
            Class::Ok => Behaviour::Ok,
            Class::Fail => Behaviour::Fail,
            Class::Hang => Behaviour::Hang,
            Class::Slow => Behaviour::Wait(SLOW_MS),
            Class::Switch => return self.answer_switched(sequence, at_ns).await,
        };
        self.behave(behaviour, sequence, at_ns).await
    }

    /// Counts how many are at it at once, until the answer goes out: whoever has it may send the next before this one goes on.
    async fn answer_switched(&mut self, sequence: Option<u64>, at_ns: u64) -> Result<(), Ended> {
        self.book.entered();
        let behaviour = self.book.switch();
        let ended = self.behave(behaviour, sequence, at_ns).await;
        self.book.left(1);
        ended?;
        self.flush().await
    }

    async fn behave(&mut self, behaviour: Behaviour, sequence: Option<u64>, at_ns: u64) -> Result<(), Ended> {
        match behaviour {
            Behaviour::Ok => self.accept(sequence, at_ns),
            Behaviour::Fail => self.answers.extend_from_slice(FAIL),
            Behaviour::Hang => return self.hang().await,
            Behaviour::Wait(ms) => {
                self.flush().await?;
                tokio::time::sleep(Duration::from_millis(ms)).await;
                self.accept(sequence, at_ns);
            }
        }
        Ok(())
    }

    fn accept(&mut self, sequence: Option<u64>, at_ns: u64) {
        match sequence {
            Some(sequence) => self.book.arrived(sequence, at_ns),
            None => self.book.malformed(),
        }
        self.answers.extend_from_slice(OK);
    }

    /// Says nothing until the peer has had enough.
    async fn hang(&mut self) -> Result<(), Ended> {
        self.flush().await?;
        let mut nothing = [0; 1024];
        while matches!(self.stream.read(&mut nothing).await, Ok(1..)) {}
        Err(Ended)
    }

    async fn give_up(&mut self) -> Result<(), Ended> {
        self.book.malformed();
        self.answers.extend_from_slice(MALFORMED);
        self.flush().await?;
        Err(Ended)
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        if self.answers.is_empty() {
            return Ok(());
        }
        let written = self.stream.write_all(&self.answers).await;
        self.answers.clear();
        written.map_err(|_| Ended)
    }
}

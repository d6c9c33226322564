//! A bare HTTP/1.1 client connection, kept alive: the caller builds the whole request, this writes it and reads one answer.
//! Knows `content-length` alone, no other framing, since both ends that it speaks to frame that way.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HEAD_END: &[u8] = b"\r\n\r\n";
const CONTENT_LENGTH: &[u8] = b"content-length:";
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(super) struct Wire {
    stream: TcpStream,
    /// The request, complete.
    pub(super) request: Vec<u8>,
    answer: Vec<u8>,
}

/// An answer, borrowed from its connection until the next exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

impl Wire {
    pub(super) async fn to(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.with_context(|| format!("{address} takes no connection"))?;
        stream.set_nodelay(true).context("TCP_NODELAY cannot be set")?;
        Ok(Self { stream, request: Vec::with_capacity(4096), answer: Vec::with_capacity(4096) })
    }

    /// Sends `request` and waits for the whole answer.
    pub(super) async fn exchange(&mut self) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(&self.request).await.context("the connection broke while sending")?;
        self.answer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.answer).await.context("the connection broke")?;
            if read == 0 {
                bail!("the connection was closed before the answer was complete");
            }
            if let Some(frame) = framed(&self.answer)? {
                let body = &self.answer[frame.body_at..frame.end];
                return Ok(Answer { status: status(&self.answer)?, body });
            }
        }
    }
}

/// Where a message that has come wholly has its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) body_at: usize,
    pub(super) end: usize,
}

/// The message at the start of `bytes`; `None` while it is not complete.
///
/// # Errors
/// Its head names no length, or one beyond what is read.
pub(super) fn framed(bytes: &[u8]) -> anyhow::Result<Option<Frame>> {
    let Some(head_end) = memmem::find(bytes, HEAD_END) else { return Ok(None) };
    let length = content_length(&bytes[..head_end]).context("a message has no content-length")?;
    if length > BODY_BYTES_MAX {
        bail!("a message has {length} bytes; at most {BODY_BYTES_MAX} are read");
    }
    let body_at = head_end + HEAD_END.len();
    let end = body_at + length;
    Ok((bytes.len() >= end).then_some(Frame { body_at, end }))
}

fn status(answer: &[u8]) -> anyhow::Result<u16> {
    let digits = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    digits.context("the answer is not HTTP/1.1")
}

/// The value of `content-length` in a head.
pub(super) fn content_length(head: &[u8]) -> Option<usize> {
    let mut rest = head;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        rest = &rest[end + 1..];
        let name = rest.get(..CONTENT_LENGTH.len());
        if rest.first().is_some_and(|byte| byte | 0x20 == b'c')
            && name.is_some_and(|name| name.eq_ignore_ascii_case(CONTENT_LENGTH))
        {
            let value = &rest[CONTENT_LENGTH.len()..];
            let value = &value[..memchr::memchr(b'\r', value).unwrap_or(value.len())];
            return std::str::from_utf8(value).ok()?.trim().parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_body_is() {
        let answer = b"HTTP/1.1 202 Accepted\r\nserver: x\r\nContent-Length: 5\r\n\r\nhello";
        let found = framed(answer).unwrap().unwrap();
        assert_eq!(found, Frame { body_at: 55, end: 60 });
        assert_eq!((status(answer).unwrap(), &answer[found.body_at..found.end]), (202, &b"hello"[..]));
        for end in 0..answer.len() {
            assert_eq!(framed(&answer[..end]).unwrap(), None, "{end}");
        }
    }

    #[test]
    fn what_is_not_framed_by_a_length_is_refused() {
        for bad in ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "hello\r\n\r\n"] {
            assert!(framed(bad.as_bytes()).is_err(), "{bad}");
        }
        let long = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BODY_BYTES_MAX + 1);
        assert!(framed(long.as_bytes()).is_err());
        assert!(status(b"hello, this is no HTTP").is_err());
    }

    #[test]
    fn the_length_is_read_from_the_header_of_that_name_alone() {
        assert_eq!(content_length(b"POST / HTTP/1.1\r\nx-content-length: 9\r\ncontent-length:12"), Some(12));
        assert_eq!(content_length(b"POST / HTTP/1.1\r\ncontent-type: 12"), None);
        assert_eq!(content_length(b"POST / HTTP/1.1\r\ncontent-length: x"), None);
    }
}

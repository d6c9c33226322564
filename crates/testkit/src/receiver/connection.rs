//! One connection: requests in, scripted reactions out, one after the other.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer::{Act, Answer, Then};
use super::{Received, Shared};

/// Until either side ends it.
pub(super) async fn serve(mut stream: TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let mut buffer = BytesMut::new();
    while let Some(received) = read_request(&mut stream, &mut buffer).await {
        let answer = shared.take(received);
        if react(&mut stream, answer).await == Then::Close {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<Received> {
    let head_length = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        read_more(stream, buffer).await?;
    };
    let head = buffer.split_to(head_length + 4);
    let mut received = Received::parse_head(std::str::from_utf8(&head[..head_length]).ok()?)?;
    let body_length = received.header("content-length").map_or(Some(0), |value| value.parse().ok())?;
    while buffer.len() < body_length {
        read_more(stream, buffer).await?;
    }
    received.body = buffer.split_to(body_length).freeze();
    received.arrived_at = Instant::now();
    Some(received)
}

async fn read_more(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<()> {
    let count = stream.read_buf(buffer).await.ok()?;
    (count > 0).then_some(())
}

async fn react(stream: &mut TcpStream, answer: Answer) -> Then {
    if let Some(gate) = &answer.gate {
        gate.pass().await;
    }
    let (bytes, then) = match answer.act {
        Act::Respond { status, headers, body } => (response(status, &headers, &body), None),
        Act::Raw { bytes, then } => (bytes, Some(then)),
        Act::Reset => {
            let _ = stream.set_zero_linger();
            return Then::Close;
        }
    };
    if stream.write_all(&bytes).await.is_err() || then == Some(Then::Close) {
        return Then::Close;
    }
    if then == Some(Then::Hold) {
        let mut ignored = [0; 1024];
        while stream.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
        return Then::Close;
    }
    Then::Hold
}

fn response(status: u16, headers: &[(String, String)], body: &Bytes) -> Bytes {
    let mut text = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    // RFC 9110 §8.6: no content-length in an answer without content.
    if status != 204 && status != 304 {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    [text.as_bytes(), b"\r\n", body].concat().into()
}

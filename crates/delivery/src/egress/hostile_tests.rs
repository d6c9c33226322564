//! Egress against receivers that mean harm: what one exchange can cost, and what it leaves behind.

use std::io::{Read, Write};
use std::sync::mpsc;

use bytes::Bytes;
use testkit::hostile::{Authority, Hostile, Manners, Over, Then, WaitsFor, answer_head, frame, settings};
use testkit::{ManualClock, Receiver};

use super::tests::{dev_settings, egress_with, outgoing, send};
use super::*;

const DATA: u8 = 0;
const PING: u8 = 6;
const END_STREAM: u8 = 1;

fn egress_trusting(authority: &Authority) -> Egress {
    let mut settings = dev_settings();
    settings.extra_root_certificates.push(authority.der().clone());
    egress_with(&settings, &[])
}

async fn hostile(over: Over, first: Vec<u8>, then: Then) -> (Hostile, Egress) {
    let waits_for = if over == Over::Http2 { WaitsFor::Http2Request } else { WaitsFor::Request };
    let manners = Manners { over, waits_for, first: first.into(), then };
    let authority = Authority::new();
    (Hostile::start(Arc::new(manners), &authority).await, egress_trusting(&authority))
}

/// The time of the attempt does not run: what ends the exchange is a bound on bytes.
async fn sent_to(over: Over, first: Vec<u8>, endless: impl Into<Bytes>) -> (Exchange, Hostile, Egress) {
    let (hostile, egress) = hostile(over, first, Then::Endless(endless.into())).await;
    let exchange = send(&egress, &hostile.url()).await;
    (exchange, hostile, egress)
}

#[tokio::test]
async fn what_comes_before_an_answer_is_bounded() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n";
    let pings = frame(PING, 0, 0, &[7; 8]);
    let table = [
        (Over::Tcp, Vec::new(), Bytes::from(interim)),
        (Over::Http2, settings(&[]), Bytes::from(settings(&[]))),
        (Over::Http2, settings(&[]), Bytes::from(pings)),
        (Over::Http2, settings(&[]), Bytes::from(answer_head(103, 0))),
    ];
    for (over, first, endless) in table {
        let (exchange, hostile, _egress) = sent_to(over, first, endless.clone()).await;
        assert!(matches!(exchange.result, Err(Failure::Protocol(_))), "{endless:?}: {:?}", exchange.result);
        hostile.ended(1).await;
        assert_eq!(hostile.connections(), 1, "a fresh connection is not tried again");
    }
    let (exchange, _hostile, _egress) = sent_to(Over::Tcp, Vec::new(), interim).await;
    let why = "it sent too much before its answer".to_owned();
    assert_eq!(exchange.result, Err(Failure::Protocol(why)));
}

#[tokio::test]
async fn a_body_that_hides_its_length_is_cut() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let table = [
        (Over::Tcp, [&chunked[..], b"1;"].concat(), Bytes::from("a")),
        (Over::Tcp, chunked.clone(), Bytes::from("1;a=b\r\nx\r\n")),
        (Over::Tcp, [&chunked[..], b"0\r\n"].concat(), Bytes::from("x-a: b\r\n")),
        (Over::Http2, [settings(&[]), answer_head(200, 0)].concat(), Bytes::from(frame(DATA, 0, 1, &[]))),
    ];
    for (over, first, endless) in table {
        let (exchange, hostile, egress) = sent_to(over, first, endless.clone()).await;
        assert_eq!(exchange.result, Ok(200), "{endless:?}");
        assert!(exchange.response.unwrap().truncated, "{endless:?}");
        hostile.ended(1).await;
        assert_eq!(egress.pool.idle(), 0);
    }
}

#[tokio::test]
async fn a_kept_connection_that_does_not_keep_quiet_is_closed() {
    let first = [settings(&[]), answer_head(200, END_STREAM)].concat();
    let (exchange, hostile, _egress) = sent_to(Over::Http2, first, frame(PING, 0, 0, &[7; 8])).await;
    assert_eq!(exchange.result, Ok(200));
    hostile.ended(1).await;
}

#[tokio::test]
async fn a_second_answer_is_never_taken_for_the_next_requests() {
    let receiver = Receiver::start().await;
    let twice =
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 500 Smuggled\r\ncontent-length: 0\r\n\r\n";
    receiver.script("/", [testkit::Answer::raw_then_hang(twice), testkit::Answer::status(201)]);
    let egress = egress_with(&dev_settings(), &[]);
    assert_eq!(send(&egress, &receiver.url("/")).await.result, Ok(200));
    assert_eq!(send(&egress, &receiver.url("/")).await.result, Ok(201));
    assert_eq!(receiver.count(), 2);
}

/// One thread, which does nothing between the two requests: the runtime has had no chance to see what came in.
#[tokio::test]
async fn bytes_that_came_before_a_request_are_not_its_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (go, told) = mpsc::channel();
    let (tell, has_come) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        answer(&mut first, 200);
        told.recv().unwrap();
        first.write_all(b"HTTP/1.1 500 Smuggled\r\ncontent-length: 0\r\n\r\n").unwrap();
        tell.send(()).unwrap();
        let (mut second, _) = listener.accept().unwrap();
        answer(&mut second, 201);
        // Nothing of the second request went over the first connection.
        assert!(matches!(first.read(&mut [0; 64]), Ok(0) | Err(_)));
    });
    let egress = egress_with(&dev_settings(), &[]);
    assert_eq!(send(&egress, &url).await.result, Ok(200));
    assert_eq!(egress.pool.idle(), 1);
    go.send(()).unwrap();
    has_come.recv().unwrap();
    assert_eq!(send(&egress, &url).await.result, Ok(201));
    serving.join().unwrap();
}

#[tokio::test]
async fn a_banner_is_not_told_as_a_closed_connection() {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    tokio::io::AsyncWriteExt::write_all(&mut theirs, b"220 mail ESMTP\r\n").await.unwrap();
    let peer = Peer { remote: "127.0.0.1:8025".parse().unwrap(), meter: Arc::new(socket::Meter::new()) };
    let mut connection = Http1::open(ours, peer).await.ok().unwrap();
    // The connection's task meets the banner.
    assert!(!connection.becomes_ready().await);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_real_time());
    let progress = Arc::new(Progress::new(clock));
    let broken = connection.send(&outgoing("http://127.0.0.1:8025/", "{}"), &progress).await.err().unwrap();
    assert_eq!(broken.failure, Failure::Protocol("it sent something before it was asked".to_owned()));
}

#[tokio::test]
async fn a_flood_lets_others_have_their_turn() {
    use tokio::io::AsyncRead;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    listener.accept().unwrap().0.write_all(&[b'x'; 64 * 1024]).unwrap();
    stream.readable().await.unwrap();
    let mut socket = Socket::new(stream);
    let (mut read, mut space) = (0, [0; 4096]);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        let mut buffer = tokio::io::ReadBuf::new(&mut space);
        match std::pin::Pin::new(&mut socket).poll_read(&mut cx, &mut buffer) {
            std::task::Poll::Ready(read_now) => read_now.unwrap(),
            std::task::Poll::Pending => break,
        }
        read += buffer.filled().len();
    }
    assert_eq!(read, 16 * 1024, "though there was more");
}

fn answer(socket: &mut std::net::TcpStream, status: u16) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n{}") {
        let mut piece = [0; 1024];
        let count = socket.read(&mut piece).unwrap();
        request.extend(&piece[..count]);
    }
    write!(socket, "HTTP/1.1 {status} Ok\r\ncontent-length: 0\r\n\r\n").unwrap();
}

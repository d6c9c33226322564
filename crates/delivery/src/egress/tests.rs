//! Egress against real sockets and receivers that misbehave.

use std::collections::HashMap;

use bytes::Bytes;
use domain::limits::{ATTEMPT_TIMEOUT_MS, RESPONSE_BYTES_MAX};
use http::{HeaderMap, HeaderValue};
use testkit::{Answer, ManualClock, Receiver, patiently};

use super::*;

/// Names as the test has them.
#[derive(Default)]
pub(super) struct GivenNames(HashMap<String, Vec<IpAddr>>);

impl Names for GivenNames {
    fn look_up<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, Failure>> {
        let answer = self.0.get(name).cloned();
        Box::pin(async move { answer.ok_or_else(|| Failure::Dns("there is no such name".to_owned())) })
    }
}

pub(super) fn dev_settings() -> Settings {
    let mut settings = Settings::new("Hoopoe/0".to_owned(), 1);
    settings.address_policy = AddressPolicy::dev();
    settings.url_policy = UrlPolicy::Dev;
    settings
}

pub(super) fn egress_with(settings: &Settings, names: &[(&str, &[&str])]) -> Egress {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let names = names.iter().map(|(name, ips)| ((*name).to_owned(), parse(ips))).collect();
    Egress::with_names(settings, Box::new(GivenNames(names))).unwrap()
}

fn dev() -> Egress {
    egress_with(&dev_settings(), &[])
}

pub(super) fn outgoing(url: &str, body: impl Into<Bytes>) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert("x-wl-event", HeaderValue::from_static("ContactCreate"));
    Outgoing { target: Arc::new(Target::parse(url).unwrap()), headers, body: body.into() }
}

/// With a clock that stands still: only what the receiver does ends the exchange.
pub(super) async fn send(egress: &Egress, url: &str) -> Exchange {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_real_time());
    let deadline_at = clock.now().plus_millis(ATTEMPT_TIMEOUT_MS);
    patiently("the exchange", exchange(egress, &clock, &outgoing(url, "{}"), deadline_at)).await
}

/// The clock reaches the deadline once the receiver has the request.
async fn send_until_timeout(egress: &Egress, receiver: &Receiver, body: Bytes) -> Exchange {
    let manual = ManualClock::at_real_time();
    let clock: Arc<dyn Clock> = Arc::new(manual.clone());
    let outgoing = outgoing(&receiver.url("/"), body);
    let deadline_at = clock.now().plus_millis(ATTEMPT_TIMEOUT_MS);
    let until_timeout = async {
        receiver.wait_for(1).await;
        manual.advance_to(deadline_at);
    };
    patiently("the timeout", async {
        tokio::join!(exchange(egress, &clock, &outgoing, deadline_at), until_timeout).0
    })
    .await
}

async fn answered_with(answer: Answer) -> (Exchange, Egress) {
    let receiver = Receiver::start().await;
    receiver.usually("/", answer);
    let egress = dev();
    (send(&egress, &receiver.url("/")).await, egress)
}

fn protocol_fault(exchange: &Exchange) -> &str {
    match &exchange.result {
        Err(Failure::Protocol(why)) => why,
        other => panic!("expected a protocol fault, got {other:?}"),
    }
}

#[tokio::test]
async fn the_request_arrives_as_it_was_built() {
    let receiver = Receiver::start().await;
    let answer = Answer::status(202).header("x-a", "b").header("retry-after", "7").body("thanks");
    receiver.usually("/in?a=b", answer.clone());
    receiver.usually("/in", answer);
    let exchange = send(&dev(), &receiver.url("/in?a=b")).await;

    let request = receiver.wait_for(1).await.remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/in?a=b"));
    assert_eq!(request.body, "{}");
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["host", "x-wl-event", "content-length"]);
    assert_eq!(request.expect_header("host"), receiver.address().to_string());

    assert_eq!(exchange.result, Ok(202));
    assert_eq!(exchange.remote_address, Some(receiver.address()));
    assert_eq!(exchange.retry_after.as_deref(), Some("7"));
    let response = exchange.response.unwrap();
    assert_eq!((response.body, response.truncated), (Bytes::from("thanks"), false));
    assert_eq!(response.headers.iter().next(), Some(("x-a", "b")));
    assert!(exchange.timings.connect_ms.is_some() && exchange.timings.wait_ms.is_some());
    assert_eq!((exchange.timings.dns_ms, exchange.timings.tls_ms), (None, None));
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_whole_answer() {
    let receiver = Receiver::start().await;
    let egress = dev();
    for is_first in [true, false, false] {
        let exchange = send(&egress, &receiver.url("/")).await;
        assert_eq!(exchange.result, Ok(200));
        assert_eq!(exchange.timings.connect_ms.is_some(), is_first);
        assert_eq!(egress.pool.idle(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let receiver = Receiver::start().await;
    receiver.usually("/", Answer::status(302).header("location", "/elsewhere"));
    assert_eq!(send(&dev(), &receiver.url("/")).await.result, Ok(302));
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_receiver_that_hangs_times_out_while_we_wait() {
    let receiver = Receiver::start().await;
    receiver.usually("/", Answer::hang());
    let egress = dev();
    let exchange = send_until_timeout(&egress, &receiver, "{}".into()).await;
    assert_eq!(exchange.result, Err(Failure::Timeout(Phase::Waiting)));
    assert_eq!(exchange.timings.wait_ms, Some(ATTEMPT_TIMEOUT_MS as u32));
    assert_eq!(exchange.remote_address, Some(receiver.address()));
    assert_eq!((egress.pool.idle(), exchange.response), (0, None));
}

#[tokio::test]
async fn a_body_that_does_not_end_decides_nothing() {
    let receiver = Receiver::start().await;
    receiver.usually("/", Answer::raw_then_hang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"));
    let egress = dev();
    let manual = ManualClock::at_real_time();
    let clock: Arc<dyn Clock> = Arc::new(manual.clone());
    let (outgoing, deadline_at) = (outgoing(&receiver.url("/"), "{}"), clock.now().plus_millis(10_000));
    let progress = Arc::new(Progress::new(Arc::clone(&clock)));
    let until_body = async {
        while progress.body_bytes() < 3 {
            tokio::task::yield_now().await;
        }
    };
    let running = egress.exchange(&outgoing, &progress);
    patiently("the head of the body", futures::future::select(running, Box::pin(until_body))).await;
    manual.advance_to(deadline_at);
    let exchange = progress.finish(None);
    assert_eq!(exchange.result, Ok(200));
    let response = exchange.response.unwrap();
    assert_eq!((response.body, response.truncated), (Bytes::from("abc"), true));
    assert_eq!(egress.pool.idle(), 0);
}

#[tokio::test]
async fn an_endless_body_is_cut_and_its_connection_dropped() {
    let endless = [b"HTTP/1.1 500 Oops\r\n\r\n".to_vec(), vec![b'x'; RESPONSE_BYTES_MAX + 1]].concat();
    let (exchange, egress) = answered_with(Answer::raw_then_hang(endless)).await;
    assert_eq!(exchange.result, Ok(500));
    let response = exchange.response.unwrap();
    assert_eq!((response.body.len(), response.truncated), (RESPONSE_BYTES_MAX, true));
    assert_eq!(egress.pool.idle(), 0);
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_kept_whole() {
    let (exchange, egress) = answered_with(Answer::status(200).body(vec![b'x'; RESPONSE_BYTES_MAX])).await;
    let response = exchange.response.unwrap();
    assert_eq!((response.body.len(), response.truncated), (RESPONSE_BYTES_MAX, false));
    assert_eq!(egress.pool.idle(), 1);
}

#[tokio::test]
async fn answers_in_every_framing_are_read() {
    let table = [
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "abc"),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.0 200 OK\r\n\r\nold", "old"),
    ];
    for (raw, body) in table {
        let (exchange, _egress) = answered_with(Answer::raw(raw)).await;
        assert_eq!(exchange.result, Ok(200), "{raw:?}");
        let response = exchange.response.unwrap();
        assert_eq!((response.body, response.truncated), (Bytes::from(body), false), "{raw:?}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_fault() {
    let long_line = format!("HTTP/1.1 200 OK\r\nx-a: {}\r\n\r\n", "a".repeat(200_000));
    let many_lines = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-a: b\r\n".repeat(1_000));
    let table = [
        ("SSH-2.0-OpenSSH_9.9\r\n".to_owned(), "it could not be read as HTTP"),
        ("HTTP/1.1 2".to_owned(), "the connection was closed before the answer came"),
        (String::new(), "the connection was closed before the answer came"),
        ("HTTP/1.1 200 OK\r\nbad header\r\n\r\n".to_owned(), "it could not be read as HTTP"),
        (long_line, "its headers are too large"),
        (many_lines, "its headers are too large"),
    ];
    for (raw, why) in table {
        let (exchange, egress) = answered_with(Answer::raw(raw.clone())).await;
        assert_eq!(protocol_fault(&exchange), why, "{:.60?}", raw);
        assert_eq!(egress.pool.idle(), 0);
    }
    let (exchange, _egress) = answered_with(Answer::reset()).await;
    assert_eq!(protocol_fault(&exchange), "the connection was reset before the answer came");
}

#[tokio::test]
async fn a_kept_connection_that_went_stale_costs_no_attempt() {
    let receiver = Receiver::start().await;
    receiver.script("/", [Answer::status(200), Answer::close(), Answer::status(201)]);
    let egress = dev();
    assert_eq!(send(&egress, &receiver.url("/")).await.result, Ok(200));
    assert_eq!(send(&egress, &receiver.url("/")).await.result, Ok(201));
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn only_a_kept_connection_without_a_byte_of_an_answer_is_tried_again() {
    let receiver = Receiver::start().await;
    receiver
        .script("/", [Answer::close(), Answer::status(200), Answer::raw("HTTP/1.1 2"), Answer::status(200)]);
    let egress = dev();
    assert!(send(&egress, &receiver.url("/")).await.result.is_err(), "a fresh connection");
    assert_eq!(send(&egress, &receiver.url("/")).await.result, Ok(200));
    assert!(send(&egress, &receiver.url("/")).await.result.is_err(), "a broken answer");
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn nobody_listening_is_a_connect_failure() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let exchange = send(&dev(), &format!("http://{address}/")).await;
    assert_eq!(exchange.result, Err(Failure::Connect("the connection was refused".to_owned())));
    assert_eq!(exchange.remote_address, Some(address));
}

#[tokio::test]
async fn strict_rules_let_no_packet_leave() {
    let receiver = Receiver::start().await;
    let port = receiver.address().port();
    let mut settings = dev_settings();
    settings.address_policy = AddressPolicy::strict();
    let names: &[(&str, &[&str])] = &[("hooks.example.com", &["127.0.0.1"])];
    let egress = egress_with(&settings, names);
    for (url, for_good) in [(receiver.url("/"), true), (format!("http://hooks.example.com:{port}/"), false)] {
        let exchange = send(&egress, &url).await;
        assert_eq!(exchange.result, Err(Failure::Blocked { for_good }), "{url}");
        assert_eq!(exchange.remote_address, None, "a refused address is not shown");
    }
    settings = dev_settings();
    settings.url_policy = UrlPolicy::Strict;
    let exchange = send(&egress_with(&settings, names), &receiver.url("/")).await;
    assert!(matches!(exchange.result, Err(Failure::Connect(_))), "plain http: {:?}", exchange.result);
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn the_next_address_is_tried_when_the_first_refuses() {
    let receiver = Receiver::start().await;
    let port = receiver.address().port();
    let names: &[(&str, &[&str])] = &[("hooks.example.com", &["127.0.0.2", "127.0.0.1"])];
    let egress = egress_with(&dev_settings(), names);
    let exchange = send(&egress, &format!("http://hooks.example.com:{port}/")).await;
    assert_eq!(exchange.result, Ok(200));
    assert_eq!(exchange.remote_address, Some(receiver.address()));
    assert!(exchange.timings.dns_ms.is_some());
    let host = format!("hooks.example.com:{port}");
    assert_eq!(receiver.wait_for(1).await[0].expect_header("host"), host);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_failure() {
    let exchange = send(&dev(), "https://nowhere.example.com/").await;
    assert_eq!(exchange.result, Err(Failure::Dns("there is no such name".to_owned())));
}

#[tokio::test]
async fn a_large_body_goes_out_whole() {
    let receiver = Receiver::start().await;
    let body = Bytes::from(vec![b'x'; 256 * 1024]);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_real_time());
    let deadline_at = clock.now().plus_millis(ATTEMPT_TIMEOUT_MS);
    let outgoing = outgoing(&receiver.url("/"), body.clone());
    let egress = dev();
    let exchange = patiently("the exchange", exchange(&egress, &clock, &outgoing, deadline_at)).await;
    assert_eq!(exchange.result, Ok(200));
    assert_eq!(receiver.wait_for(1).await[0].body, body);
}

#[test]
fn a_refused_connection_is_the_receivers_and_a_want_of_sockets_is_ours() {
    use std::io::{Error, ErrorKind};
    let [v4, v6] = ["127.0.0.1", "::1"].map(|ip| ip.parse::<IpAddr>().unwrap());
    for ours in
        [Error::from_raw_os_error(23), Error::from_raw_os_error(24), ErrorKind::AddrNotAvailable.into()]
    {
        assert!(is_of_this_machine(&ours, v4), "{ours}");
    }
    assert!(!is_of_this_machine(&ErrorKind::AddrNotAvailable.into(), v6));
    for theirs in [ErrorKind::ConnectionRefused, ErrorKind::TimedOut, ErrorKind::HostUnreachable] {
        assert!(!is_of_this_machine(&theirs.into(), v4), "{theirs}");
    }
}

//! The kinds of hostile receivers, as tables.

use bytes::Bytes;

use super::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS, PING, RST_STREAM, SETTINGS, UNHEARD_OF, WINDOW_UPDATE, answer_head, frame,
    settings,
};
use super::kinds::{Kind, kind, protocol, refused, succeeded, timeout};
use super::{Certificate, Manners, Over, Then, WaitsFor, kinds};

const WAITING: &str = "while waiting for the answer";
const OK: &str = "HTTP/1.1 200 OK\r\n";

fn manners(waits_for: WaitsFor, first: impl Into<Bytes>, then: Then) -> Manners {
    Manners { over: Over::Tcp, waits_for, first: first.into(), then }
}

/// Over TCP, once a whole request has come.
fn after(first: impl Into<Bytes>, then: Then) -> Manners {
    manners(WaitsFor::Request, first, then)
}

fn endless(bytes: impl Into<Bytes>) -> Then {
    Then::Endless(bytes.into())
}

fn trickle(bytes: &'static str) -> Then {
    Then::Trickle(bytes.into())
}

/// Those that say nothing, or break off.
pub(super) fn silence() -> Vec<Kind> {
    let at_once = |then| manners(WaitsFor::Nothing, "", then);
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    vec![
        kind("never accepts", at_once(Then::NeverAccept), timeout("while connecting")),
        kind("never reads", at_once(Then::Deaf), timeout(WAITING)),
        kind("never answers", after("", Then::Hang), timeout(WAITING)),
        kind("resets at once", at_once(Then::Reset), kinds::reset_early(&["protocol", "connect"])),
        kind("resets after the request", after("", Then::Reset), protocol("was reset")),
        kind("closes at once", at_once(Then::Close), protocol("the connection was")),
        kind("closes half", after("", Then::HalfClose), protocol("was closed")),
        kind("closes in the status line", after("HTTP/1.1 2", Then::HalfClose), protocol("was closed")),
        kind("resets in the status line", after("HTTP/1.1 2", Then::Reset), protocol("was reset")),
        kind("continues and hangs", after(interim, Then::Hang), timeout(WAITING)),
        kind("a head byte by byte", after("", trickle("HTTP/1.1 200 OK\r\nx: ")), timeout(WAITING)),
        kind("headers byte by byte", after(OK, trickle("x-a: b\r\n")), timeout(WAITING)),
        kind("interim answers byte by byte", after("", trickle("HTTP/1.1 103 H\r\n\r\n")), timeout(WAITING)),
    ]
}

/// Those that answer with too much or with what cannot be read, before the body.
pub(super) fn heads() -> Vec<Kind> {
    let with = |headers: &str| format!("{OK}{headers}\r\n\r\n");
    let unreadable = protocol("it could not be read as HTTP");
    // Before it was asked, or not readable: whichever is noticed first.
    let unasked = protocol("is not valid HTTP: it ");
    let too_large = protocol("its headers are too large");
    let endless_after = |first: &'static str, bytes: &'static str| after(first, endless(bytes));
    vec![
        kind("a header without end", endless_after("HTTP/1.1 200 OK\r\nx: ", "a"), too_large),
        kind("headers without end", endless_after(OK, "x-a: b\r\n"), too_large),
        kind("a status line without end", endless_after("HTTP/1.1 200 ", "O"), too_large),
        kind(
            "interim answers without end",
            endless_after("", "HTTP/1.1 100 Continue\r\n\r\n"),
            protocol("too much"),
        ),
        kind(
            "hints without end",
            endless_after("", "HTTP/1.1 103 H\r\nlink: <x>\r\n\r\n"),
            protocol("too much"),
        ),
        kind("empty lines without end", endless_after("", "\r\n"), protocol("")),
        kind("a banner", manners(WaitsFor::Nothing, "220 mail ESMTP\r\n", Then::Hang), unasked),
        kind("noise", manners(WaitsFor::Nothing, "", endless(&[0x9d, 0, 0xff, 7][..])), unasked),
        kind("HTTP/2 unasked", after(settings(&[]), Then::Hang), unreadable),
        kind("two lengths", after(with("content-length: 1\r\ncontent-length: 2"), Then::Hang), unreadable),
        kind("a negative length", after(with("content-length: -1"), Then::Hang), unreadable),
        kind("a control character", after(with("x-a: \u{1}\u{1b}[31m"), Then::Hang), unreadable),
        kind(
            "a switch of protocols",
            after("HTTP/1.1 101 Go\r\nupgrade: x\r\n\r\n", Then::Hang),
            refused(101),
        ),
        kind(
            "a redirect to itself",
            after("HTTP/1.1 308 R\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", Then::Close),
            refused(308),
        ),
        kind(
            "come back never",
            after("HTTP/1.1 503 N\r\nretry-after: 99999999999999999999\r\n\r\n", Then::Close),
            refused(503),
        ),
        kind(
            "an early refusal",
            manners(WaitsFor::Head, "HTTP/1.1 413 L\r\ncontent-length: 9\r\n\r\n", Then::Deaf),
            refused(413),
        ),
    ]
}

/// Those that answer, and whose body is the weapon. The status line has decided.
pub(super) fn bodies() -> Vec<Kind> {
    let ok = |rest: &str| format!("{OK}{rest}");
    let chunked = |rest: &str| format!("{OK}transfer-encoding: chunked\r\n\r\n{rest}");
    let zip = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03";
    let smuggled = "HTTP/1.1 500 S\r\ncontent-length: 0\r\n\r\n";
    vec![
        kind("a body without end", after(ok("\r\n"), endless("x")), succeeded(200)),
        kind("a fault without end", after("HTTP/1.1 500 F\r\n\r\n", endless("x")), refused(500)),
        kind("a body byte by byte", after(ok("\r\n"), trickle("x")), succeeded(200)),
        kind("a body that never comes", after(ok("content-length: 9\r\n\r\n"), Then::Hang), succeeded(200)),
        kind("a body cut short", after(ok("content-length: 9\r\n\r\nabc"), Then::Close), succeeded(200)),
        kind("a body too long", after(ok("content-length: 1\r\n\r\nabc"), Then::Hang), succeeded(200)),
        kind(
            "the largest length",
            after(ok("content-length: 18446744073709551613\r\n\r\n"), endless("x")),
            succeeded(200),
        ),
        kind(
            "two answers",
            after(ok(&format!("content-length: 0\r\n\r\n{smuggled}")), Then::Hang),
            succeeded(200),
        ),
        kind("answers without end", after("", endless("HTTP/1.1 204 N\r\n\r\n")), succeeded(204)),
        kind(
            "nothing, with a body",
            after("HTTP/1.1 204 N\r\ncontent-length: 3\r\n\r\nabc", Then::Hang),
            succeeded(204),
        ),
        kind("not modified, with a body", after("HTTP/1.1 304 N\r\n\r\n", endless("x")), refused(304)),
        kind("a chunk without end", after(chunked("fffffffffffffff\r\n"), endless("x")), succeeded(200)),
        kind(
            "a chunk larger than numbers",
            after(chunked("fffffffffffffffff0\r\n"), endless("x")),
            succeeded(200),
        ),
        kind("a chunk's extension without end", after(chunked("1;"), endless("a")), succeeded(200)),
        kind("chunks of one byte", after(chunked(""), endless("1;a=b\r\nx\r\n")), succeeded(200)),
        kind("trailers without end", after(chunked("0\r\n"), endless("x-a: b\r\n")), succeeded(200)),
        kind(
            "both framings",
            after(ok("transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n"), endless("x")),
            succeeded(200),
        ),
        kind("a bomb", after(&zip[..], endless(&[0xed, 0xc1, 1, 1, 0, 0, 0, 0x80][..])), succeeded(200)),
        kind(
            "no text",
            after(&b"HTTP/1.1 200 \xff\xfe\r\nx-a: \xff\xc3\r\n\r\n\xff\0\x1b"[..], Then::Close),
            succeeded(200),
        ),
    ]
}

/// Those that fail in the handshake, or behave badly after it.
pub(super) fn tls() -> Vec<Kind> {
    let bare = |waits_for, first: &'static [u8], then| Manners {
        over: Over::NoTls,
        ..manners(waits_for, first, then)
    };
    let with = |certificate, inner| Manners { over: Over::Tls(certificate), ..inner };
    let good = |inner| with(Certificate::Good, inner);
    let at_once = WaitsFor::Nothing;
    let no_tls = kinds::tls("does not speak TLS");
    let reset = kinds::reset_early(&["tls", "connect"]);
    vec![
        kind("a handshake that hangs", bare(at_once, b"", Then::Hang), timeout("during the TLS handshake")),
        kind(
            "a handshake that is not read",
            bare(at_once, b"", Then::Deaf),
            timeout("during the TLS handshake"),
        ),
        kind(
            "a handshake byte by byte",
            bare(at_once, b"", trickle("\u{16}\u{3}\u{3}\u{0}\u{20}\u{2}")),
            timeout("during the TLS handshake"),
        ),
        kind("a handshake closed", bare(at_once, b"", Then::HalfClose), kinds::tls("")),
        kind("a handshake reset", bare(at_once, b"", Then::Reset), reset),
        kind("HTTP where TLS should be", bare(at_once, b"HTTP/1.1 400 B\r\n\r\n", Then::Hang), no_tls),
        kind(
            "a handshake message without end",
            bare(at_once, b"\x16\x03\x03\x40\0\x02\xff\xff\xff", endless("\0")),
            kinds::tls(""),
        ),
        kind(
            "warnings without end",
            bare(at_once, b"", endless(&b"\x15\x03\x03\0\x02\x01\x5a"[..])),
            kinds::tls(""),
        ),
        kind(
            "changes of cipher without end",
            bare(at_once, b"", endless(&b"\x14\x03\x03\0\x01\x01"[..])),
            kinds::tls(""),
        ),
        kind(
            "an expired certificate",
            with(Certificate::Expired, after("", Then::Hang)),
            kinds::tls("has expired"),
        ),
        kind(
            "a certificate of its own",
            with(Certificate::SelfSigned, after("", Then::Hang)),
            kinds::tls("known authority"),
        ),
        kind(
            "another's certificate",
            with(Certificate::OtherName, after("", Then::Hang)),
            kinds::tls("another name"),
        ),
        kind("TLS and then silence", good(after("", Then::Hang)), timeout(WAITING)),
        kind("TLS and then deaf", good(manners(at_once, "", Then::Deaf)), timeout(WAITING)),
        kind(
            "TLS and interim answers",
            good(after("", endless("HTTP/1.1 100 C\r\n\r\n"))),
            protocol("too much"),
        ),
        kind("TLS and a body without end", good(after(format!("{OK}\r\n"), endless("x"))), succeeded(200)),
    ]
}

/// Over HTTP/2, from the start or once a request has begun.
fn over_http2(waits_for: WaitsFor, first: &[Vec<u8>], then: Then) -> Manners {
    Manners { over: Over::Http2, ..manners(waits_for, first.concat(), then) }
}

fn after_http2(first: &[Vec<u8>], then: Then) -> Manners {
    over_http2(WaitsFor::Http2Request, first, then)
}

/// Those that speak HTTP/2, in a way.
pub(super) fn http2() -> Vec<Kind> {
    let (over, after, hello, any) = (over_http2, after_http2, || settings(&[]), protocol(""));
    vec![
        kind("h2: never answers", after(&[hello()], Then::Hang), timeout(WAITING)),
        kind("h2: never reads", over(WaitsFor::Nothing, &[], Then::Deaf), timeout("time ran out")),
        kind("h2: goes away", after(&[hello(), frame(GOAWAY, 0, 0, &[0; 8])], Then::Hang), any),
        kind(
            "h2: goes away in a rage",
            after(&[hello(), frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0xb])], Then::Close),
            any,
        ),
        kind(
            "h2: resets the stream",
            after(&[hello(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])], Then::Hang),
            any,
        ),
        kind(
            "h2: refuses the stream",
            after(&[hello(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 7])], Then::Hang),
            any,
        ),
        kind(
            "h2: no window",
            over(WaitsFor::Nothing, &[settings(&[(INITIAL_WINDOW_SIZE, 0)])], Then::Hang),
            timeout("time ran out"),
        ),
        kind(
            "h2: no streams",
            over(WaitsFor::Nothing, &[settings(&[(MAX_CONCURRENT_STREAMS, 0)])], Then::Hang),
            timeout("time ran out"),
        ),
        kind(
            "h2: not HTTP/2",
            over(WaitsFor::Nothing, &[b"HTTP/1.1 200 OK\r\n\r\n".to_vec()], Then::Hang),
            any,
        ),
    ]
}

/// Those that do not stop speaking it.
pub(super) fn http2_floods() -> Vec<Kind> {
    let (after, hello) = (after_http2, || settings(&[]));
    let flood = |bytes: Vec<u8>| after(&[hello()], endless(bytes));
    let (any, too_much) = (protocol(""), protocol("too much"));
    vec![
        kind("h2: settings without end", flood(hello()), too_much),
        kind("h2: pings without end", flood(frame(PING, 0, 0, &[7; 8])), too_much),
        kind("h2: frames of no meaning", flood(frame(UNHEARD_OF, 0, 0, &[0; 64])), too_much),
        kind(
            "h2: continued without end",
            after(
                &[hello(), frame(HEADERS, 0, 1, &[0x88])],
                endless(frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'].repeat(20))),
            ),
            any,
        ),
        kind("h2: interim answers without end", flood(answer_head(103, 0)), any),
        kind("h2: a header bomb", after(&[hello(), bomb()], Then::Hang), any),
        kind("h2: a window too large", flood(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])), any),
        kind(
            "h2: a body without end",
            after(&[hello(), answer_head(200, 0)], endless(frame(DATA, 0, 1, &[b'x'; 1024]))),
            succeeded(200),
        ),
        kind(
            "h2: a body of nothing without end",
            after(&[hello(), answer_head(200, 0)], endless(frame(DATA, 0, 1, &[]))),
            succeeded(200),
        ),
        kind(
            "h2: answers and pings without end",
            after(&[hello(), answer_head(200, END_STREAM)], endless(frame(PING, 0, 0, &[7; 8]))),
            succeeded(200),
        ),
        kind("h2: settings acknowledged without end", flood(frame(SETTINGS, 1, 0, &[])), any),
    ]
}

/// A header of 4 KB that enters the table once and is then named ten thousand times (RFC 7541 §6.1).
fn bomb() -> Vec<u8> {
    let entry = [&[0x40, 1, b'a', 0x7f, 0xa1, 0x1e][..], &[b'b'; 4_000]].concat();
    let block = [&[0x88][..], &entry, &[0xbe; 10_000]].concat();
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)
}

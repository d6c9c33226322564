//! Egress through the real resolver against name servers that are honest, slow, huge or lying. At the addresses that must
//! not be called a listener waits: the kernel completes a connection to it unasked, so that not one can go unnoticed.

use std::io::ErrorKind;
use std::net::TcpListener;

use domain::limits::ATTEMPT_TIMEOUT_MS;
use testkit::{
    AskedOver, ManualClock, Message, NameServer, Question, Receiver, RecordType, Reply, patiently,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tests::{dev_settings, outgoing, send};
use super::*;

const NAME: &str = "hooks.example.com";
/// Opened by the operator in these tests, as if it were public: no test sends a packet to the Internet.
const OUTSIDE: &str = "127.0.0.2";
/// More such addresses, at which nobody listens.
const OUTSIDE_BLOCK: &str = "127.1.0.0/16";

impl Names for Arc<SystemNames> {
    fn look_up<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, Failure>> {
        SystemNames::look_up(self, name)
    }
}

/// Where nobody may connect.
struct Trap {
    listeners: Vec<TcpListener>,
    port: u16,
}

impl Trap {
    fn set() -> Self {
        Self::set_at(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn set_at(loopback: TcpListener) -> Self {
        let port = loopback.local_addr().unwrap().port();
        let mut listeners = vec![loopback];
        // A machine without IPv6 has no such address to protect.
        listeners.extend(TcpListener::bind(format!("[::1]:{port}")));
        listeners.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
        Self { listeners, port }
    }

    fn url(&self) -> String {
        format!("http://{NAME}:{}/", self.port)
    }

    fn assert_untouched(&self, what: &str) {
        for listener in &self.listeners {
            let accepted = listener.accept().map_err(|fault| fault.kind());
            assert_eq!(accepted.err(), Some(ErrorKind::WouldBlock), "{what}: somebody connected");
        }
    }
}

/// Public rules, over plain http.
fn strict() -> Settings {
    let mut settings = dev_settings();
    let opened = [OUTSIDE, OUTSIDE_BLOCK].map(|block| block.parse().unwrap());
    settings.address_policy = AddressPolicy::strict().with_allowed(opened);
    settings
}

fn egress(settings: &Settings, server: &NameServer) -> (Egress, Arc<SystemNames>) {
    let names = Arc::new(SystemNames::of_server(server.address()));
    (Egress::with_names(settings, Box::new(Arc::clone(&names))).unwrap(), names)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The addresses of the family that was asked for.
fn addresses(question: &Question, texts: &[&str]) -> Message {
    let fits = |ip: &IpAddr| ip.is_ipv4() == (question.record_type == RecordType::A);
    texts.iter().map(|text| ip(text)).filter(fits).fold(Message::default(), Message::address)
}

fn asked_for_ipv4(server: &NameServer) -> usize {
    server.asked().iter().filter(|question| question.record_type == RecordType::A).count()
}

/// What one attempt comes to, under public rules; the trap is left alone.
async fn attempt(what: &str, reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Exchange {
    let trap = Trap::set();
    let server = NameServer::start(reply).await;
    let (egress, _) = egress(&strict(), &server);
    let exchange = send(&egress, &trap.url()).await;
    trap.assert_untouched(what);
    assert_eq!(exchange.remote_address, None, "{what}: a refused address is not shown");
    exchange
}

#[tokio::test]
async fn no_packet_leaves_for_an_answer_that_is_refused() {
    let table: &[(&[&str], Refused)] = &[
        (&["127.0.0.1"], Refused::Private),
        (&["::1"], Refused::Private),
        (&["10.0.0.1"], Refused::Private),
        (&["0.0.0.0"], Refused::Never),
        (&["::"], Refused::Never),
        (&["::ffff:127.0.0.1"], Refused::Private),
        (&["::ffff:0.0.0.0"], Refused::Never),
        (&["::127.0.0.1"], Refused::Never),
        (&["64:ff9b::127.0.0.1"], Refused::Private),
        (&["64:ff9b:1::127.0.0.1"], Refused::Never),
        (&["64:ff9b::169.254.169.254"], Refused::Metadata),
        (&["2002:7f00:1::1"], Refused::Never),
        (&["169.254.169.254"], Refused::Metadata),
        (&["168.63.129.16"], Refused::Metadata),
        (&["fd00:ec2::254"], Refused::Metadata),
        (&["100.64.0.1"], Refused::Special),
        (&["fe80::1"], Refused::Metadata),
        // A good one does not excuse a bad one, wherever it stands and whatever its family.
        (&[OUTSIDE, "127.0.0.1"], Refused::Private),
        (&["127.0.0.1", OUTSIDE], Refused::Private),
        (&[OUTSIDE, "::1"], Refused::Private),
        (&[OUTSIDE, "::ffff:127.0.0.1"], Refused::Private),
    ];
    for (answers, refused) in table.iter().copied() {
        let what = format!("{answers:?}");
        let exchange = attempt(&what, move |question| addresses(question, answers).into()).await;
        assert_eq!(exchange.result, Err(Failure::Blocked { for_good: false }), "{what}");
        assert_eq!(exchange.refused, Some(refused), "{what}");
    }
}

#[tokio::test]
async fn one_bad_answer_hidden_among_many_is_found() {
    let exchange = attempt("one of 60", |question| {
        let good =
            (0..59).fold(Message::default(), |message, n| message.address(ip(&format!("127.1.0.{n}"))));
        if question.record_type == RecordType::A { good.address(ip("127.0.0.1")).into() } else { good.into() }
    })
    .await;
    assert_eq!(exchange.result, Err(Failure::Blocked { for_good: false }));
}

#[tokio::test]
async fn thousands_of_answers_are_refused_without_a_connection() {
    let exchange = attempt("thousands", |question| match question.record_type {
        RecordType::A => {
            let address = |n: u16| ip(&format!("127.1.{}.{}", n >> 8, n & 255));
            (0..3_000).map(address).fold(Message::default(), Message::address).address(ip("127.0.0.1")).into()
        }
        _ => Message::default().into(),
    })
    .await;
    assert_eq!(exchange.result, Err(Failure::Dns("the name has too many addresses".to_owned())));
}

#[tokio::test]
async fn a_chain_of_aliases_is_judged_by_where_it_ends() {
    // All in one message, and one step per question.
    let whole = |question: &Question| {
        let chain = Message::default().alias(NAME, "b.example.net").alias("b.example.net", "c.example.org");
        match question.record_type {
            RecordType::A => chain.address_of("c.example.org", ip("127.0.0.1")).into(),
            _ => chain.into(),
        }
    };
    let stepwise = |question: &Question| match question.name.as_str() {
        NAME => Message::default().alias(NAME, "b.example.net").into(),
        "b.example.net" => Message::default().alias("b.example.net", "c.example.org").into(),
        _ => addresses(question, &["127.0.0.1"]).into(),
    };
    for exchange in [attempt("whole", whole).await, attempt("stepwise", stepwise).await] {
        assert_eq!(exchange.result, Err(Failure::Blocked { for_good: false }));
        assert_eq!(exchange.refused, Some(Refused::Private));
    }
}

#[tokio::test]
async fn a_name_of_a_metadata_service_is_not_even_looked_up() {
    let server = NameServer::start(|question| addresses(question, &[OUTSIDE]).into()).await;
    for settings in [strict(), dev_settings()] {
        let (egress, _) = egress(&settings, &server);
        for name in ["metadata.google.internal", "metadata.goog", "metadata.tencentyun.com", "instance-data"]
        {
            let exchange = send(&egress, &format!("http://{name}/latest/")).await;
            assert_eq!(exchange.result, Err(Failure::Blocked { for_good: true }), "{name}");
            assert_eq!(exchange.refused, Some(Refused::MetadataName), "{name}");
        }
    }
    assert_eq!(server.asked(), []);
}

/// Listens outside and at the same port of loopback, and answers outside, closing each time.
async fn outside_and_trap() -> (AbortOnDropHandle<()>, Trap) {
    let (outside, loopback) = loop {
        let outside = tokio::net::TcpListener::bind((OUTSIDE, 0)).await.unwrap();
        let port = outside.local_addr().unwrap().port();
        // Another process may have the port there.
        if let Ok(loopback) = TcpListener::bind(("127.0.0.1", port)) {
            break (outside, loopback);
        }
    };
    let answering = tokio::spawn(async move {
        loop {
            let (mut socket, _) = outside.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"{}") {
                socket.read_buf(&mut request).await.unwrap();
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            socket.write_all(answer).await.unwrap();
        }
    });
    (AbortOnDropHandle::new(answering), Trap::set_at(loopback))
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_at_the_next_look_up_is_judged_anew() {
    let (_answering, trap) = outside_and_trap().await;
    let server = NameServer::start(|question| {
        addresses(question, &[if question.before == 0 { OUTSIDE } else { "127.0.0.1" }]).into()
    })
    .await;
    let (egress, names) = egress(&strict(), &server);
    // Judged and dialled is the one answer of one look-up, though another would already differ.
    for _ in 0..2 {
        let exchange = send(&egress, &trap.url()).await;
        assert_eq!(exchange.result, Ok(200));
        assert_eq!(exchange.remote_address.unwrap().ip(), ip(OUTSIDE));
        assert_eq!(asked_for_ipv4(&server), 1);
    }
    names.forget();
    let exchange = send(&egress, &trap.url()).await;
    assert_eq!(exchange.result, Err(Failure::Blocked { for_good: false }));
    assert_eq!((exchange.refused, exchange.remote_address), (Some(Refused::Private), None));
    assert_eq!(asked_for_ipv4(&server), 2);
    trap.assert_untouched("rebinding");
}

/// A resolver without a memory: every look-up is a question.
struct Forgetful(SystemNames);

impl Names for Forgetful {
    fn look_up<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, Failure>> {
        self.0.forget();
        self.0.look_up(name)
    }
}

#[tokio::test]
async fn an_attempt_asks_once_and_dials_what_it_judged() {
    let (_answering, trap) = outside_and_trap().await;
    let server = NameServer::start(|question| {
        addresses(question, &[if question.before == 0 { OUTSIDE } else { "127.0.0.1" }]).into()
    })
    .await;
    let names = Box::new(Forgetful(SystemNames::of_server(server.address())));
    let egress = Egress::with_names(&strict(), names).unwrap();
    let exchange = send(&egress, &trap.url()).await;
    assert_eq!((exchange.result, asked_for_ipv4(&server)), (Ok(200), 1));
    trap.assert_untouched("rebinding within an attempt");
    assert_eq!(send(&egress, &trap.url()).await.result, Err(Failure::Blocked { for_good: false }));
    trap.assert_untouched("rebinding at the next attempt");
}

#[tokio::test]
async fn an_allowed_name_may_lead_inside_and_its_neighbour_may_not() {
    let receiver = Receiver::start().await;
    let port = receiver.address().port();
    let server = NameServer::start(|question| match question.name.as_str() {
        "meta.corp.example" => addresses(question, &["169.254.169.254"]).into(),
        _ => addresses(question, &["127.0.0.1"]).into(),
    })
    .await;
    let mut settings = strict();
    settings.address_policy = AddressPolicy::strict()
        .with_allowed_names(["hooks.internal", "*.corp.example"].map(|name| name.parse().unwrap()));
    let (egress, _) = egress(&settings, &server);
    for name in ["hooks.internal", "a.corp.example"] {
        assert_eq!(send(&egress, &format!("http://{name}:{port}/")).await.result, Ok(200), "{name}");
    }
    for (name, refused) in [
        ("other.internal", Refused::Private),
        ("corp.example", Refused::Private),
        ("meta.corp.example", Refused::Metadata),
    ] {
        let exchange = send(&egress, &format!("http://{name}:{port}/")).await;
        assert_eq!(exchange.result, Err(Failure::Blocked { for_good: false }), "{name}");
        assert_eq!(exchange.refused, Some(refused), "{name}");
    }
    assert_eq!(receiver.count(), 2);
}

/// Under rules that would let a believed lie through: the lie leads to the trap.
async fn lied_to(what: &str, reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Exchange {
    let trap = Trap::set();
    let server = NameServer::start(reply).await;
    let (egress, _) = egress(&dev_settings(), &server);
    let exchange = send(&egress, &trap.url()).await;
    trap.assert_untouched(what);
    let is_of_dns = matches!(exchange.result, Err(Failure::Dns(_) | Failure::Timeout(Phase::Resolving)));
    assert!(is_of_dns && exchange.remote_address.is_none(), "{what}: {:?}", exchange.result);
    exchange
}

/// The resolver waits for a better answer, so Tokio's time is let run.
#[tokio::test(start_paused = true)]
async fn a_lie_is_not_believed() {
    type Lie = (&'static str, fn(&Question) -> Message);
    let lies: [Lie; 4] = [
        ("the id of another question", |question| addresses(question, &["127.0.0.1"]).with_a_wrong_id()),
        ("the answer to another question", |question| {
            addresses(question, &["127.0.0.1"]).about("evil.example.net")
        }),
        ("the address of another name", |_| {
            Message::default().address_of("evil.example.net", ip("127.0.0.1"))
        }),
        ("an alias of another name", |_| {
            Message::default().alias("a.example.net", NAME).address_of("a.example.net", ip("127.0.0.1"))
        }),
    ];
    for (what, lie) in lies {
        lied_to(what, move |question| lie(question).into()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_a_failure_of_dns() {
    for (what, garbage) in [("nothing", &b""[..]), ("text", b"HTTP/1.1 200 OK\r\n\r\n"), ("zeros", &[0; 400])]
    {
        lied_to(what, move |_| Reply::Bytes(garbage.to_vec())).await;
    }
    let cut = |question: &Question| addresses(question, &["127.0.0.1"]).truncated().into();
    lied_to("cut over TCP as well, or silent there", move |question| match question.over {
        AskedOver::Udp => cut(question),
        AskedOver::Tcp => Reply::Silence,
    })
    .await;
    let exchange = lied_to("no address", |_| Message::default().into()).await;
    assert_eq!(exchange.result, Err(Failure::Dns("the name has no address".to_owned())));
    let exchange = lied_to("no name", |_| Message::no_such_name().into()).await;
    assert_eq!(exchange.result, Err(Failure::Dns("there is no such name".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn aliases_without_end_are_given_up() {
    lied_to("a circle in one message", |_| {
        Message::default().alias(NAME, "b.example.net").alias("b.example.net", NAME).into()
    })
    .await;
    lied_to("a circle of questions", |question| {
        let next = if question.name == NAME { "b.example.net" } else { NAME };
        Message::default().alias(&question.name, next).into()
    })
    .await;
    lied_to("itself", |question| Message::default().alias(&question.name, &question.name).into()).await;
    lied_to("always another", |question| {
        Message::default().alias(&question.name, &format!("a.{}", question.name)).into()
    })
    .await;
}

#[tokio::test]
async fn a_silent_name_server_costs_no_more_than_the_attempts_time() {
    let server = NameServer::start(|_| Reply::Silence).await;
    let (egress, _) = egress(&dev_settings(), &server);
    let manual = ManualClock::at_real_time();
    let clock: Arc<dyn Clock> = Arc::new(manual.clone());
    let deadline_at = clock.now().plus_millis(ATTEMPT_TIMEOUT_MS);
    let outgoing = outgoing("http://hooks.example.com/", "{}");
    let until_timeout = async {
        server.asked_at_least(1).await;
        manual.advance_to(deadline_at);
    };
    let both = async { tokio::join!(exchange(&egress, &clock, &outgoing, deadline_at), until_timeout).0 };
    let exchange = patiently("the timeout", both).await;
    assert_eq!(exchange.result, Err(Failure::Timeout(Phase::Resolving)));
    assert_eq!(exchange.timings.dns_ms, Some(ATTEMPT_TIMEOUT_MS as u32));
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_is_given_up_within_the_attempt() {
    let began_at = tokio::time::Instant::now();
    let exchange = lied_to("silence", |_| Reply::Silence).await;
    assert_eq!(exchange.result, Err(Failure::Dns("its name servers did not answer in time".to_owned())));
    assert!(began_at.elapsed() < Duration::from_millis(ATTEMPT_TIMEOUT_MS as u64));
}

#[tokio::test]
async fn a_socket_that_led_elsewhere_is_not_used() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let progress = Progress::new(Arc::new(ManualClock::at_real_time()));
    let socket = TcpStream::connect(address).await.unwrap();
    let judged = SocketAddr::new(ip(OUTSIDE), address.port());
    let refused = checked(socket, judged, &progress).map(|_| ());
    assert_eq!(refused, Err(Failure::Blocked { for_good: false }));
    assert_eq!(progress.finish(Some(refused)).refused, Some(Refused::OtherPeer));
}

//! A name server that answers whatever the test says, over UDP and TCP at one port: honest, empty, huge or lying. It knows
//! just enough of RFC 1035 for that.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use crate::eventually;

const HEAD_BYTES: usize = 12;
/// Over UDP a longer answer is cut, and asked for again over TCP.
const UDP_BYTES_MAX: usize = 1_232;
const TTL_SECONDS: u32 = 300;
const NO_SUCH_NAME: u16 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordType {
    A,
    Aaaa,
    Other(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedOver {
    Udp,
    Tcp,
}

/// What a resolver asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Lower case, without a dot at its end.
    pub name: String,
    pub record_type: RecordType,
    pub over: AskedOver,
    /// How often this name and type were asked for before.
    pub before: usize,
}

/// What the server says to one question.
#[derive(Debug, Clone)]
pub enum Reply {
    Message(Message),
    /// As they stand.
    Bytes(Vec<u8>),
    Silence,
}

/// An answer, honest unless it was told otherwise.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Owner's name, type, data.
    records: Vec<(Option<String>, u16, Vec<u8>)>,
    code: u16,
    wrong_id: bool,
    about: Option<String>,
    truncated: bool,
}

impl Message {
    pub fn no_such_name() -> Self {
        Self { code: NO_SUCH_NAME, ..Self::default() }
    }

    /// An address of the name that was asked for.
    #[must_use]
    pub fn address(self, ip: IpAddr) -> Self {
        self.record(None, ip)
    }

    /// An address of some other name.
    #[must_use]
    pub fn address_of(self, name: &str, ip: IpAddr) -> Self {
        self.record(Some(name.to_owned()), ip)
    }

    /// `from` is another name of `to`.
    #[must_use]
    pub fn alias(mut self, from: &str, to: &str) -> Self {
        self.records.push((Some(from.to_owned()), 5, encoded(to)));
        self
    }

    /// The id of another question, as one who cannot see the question must guess it.
    #[must_use]
    pub fn with_a_wrong_id(mut self) -> Self {
        self.wrong_id = true;
        self
    }

    /// Repeats another question than the one that was asked.
    #[must_use]
    pub fn about(mut self, name: &str) -> Self {
        self.about = Some(name.to_owned());
        self
    }

    /// Says that there is more than fits.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.truncated = true;
        self
    }

    fn record(mut self, name: Option<String>, ip: IpAddr) -> Self {
        let (number, data) = match ip {
            IpAddr::V4(ip) => (1, ip.octets().to_vec()),
            IpAddr::V6(ip) => (28, ip.octets().to_vec()),
        };
        self.records.push((name, number, data));
        self
    }

    fn bytes(&self, asked: &[u8], question: &Question) -> Vec<u8> {
        let id = u16::from_be_bytes([asked[0], asked[1]]) ^ u16::from(self.wrong_id);
        // An answer, recursion desired and available.
        let flags = 0x8180 | u16::from(self.truncated) << 9 | self.code;
        let name = self.about.as_deref().unwrap_or(&question.name);
        let mut bytes = Vec::new();
        for number in [id, flags, 1, self.records.len() as u16, 0, 0] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(encoded(name));
        bytes.extend([number_of(question.record_type), 1].map(u16::to_be_bytes).concat());
        for (name, number, data) in &self.records {
            // The name that was asked for stands behind the head.
            bytes.extend(name.as_deref().map_or(vec![0xc0, HEAD_BYTES as u8], encoded));
            bytes.extend([*number, 1].map(u16::to_be_bytes).concat());
            bytes.extend(TTL_SECONDS.to_be_bytes());
            bytes.extend((data.len() as u16).to_be_bytes());
            bytes.extend(data);
        }
        bytes
    }
}

impl From<Message> for Reply {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

/// See the module. Dropping it closes its sockets.
pub struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Question>>>,
    tasks: [JoinHandle<()>; 2],
}

type Answering = Arc<dyn Fn(&Question) -> Reply + Send + Sync>;

impl NameServer {
    /// On a free port of 127.0.0.1. `reply` is asked once for every question.
    pub async fn start(reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Self {
        let (tcp, udp) = bind().await;
        let address = tcp.local_addr().expect("a bound socket has an address");
        let desk = Desk { asked: Arc::default(), reply: Arc::new(reply) };
        let asked = Arc::clone(&desk.asked);
        let tasks = [tokio::spawn(desk.clone().serve_udp(udp)), tokio::spawn(desk.serve_tcp(tcp))];
        Self { address, asked, tasks }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn asked(&self) -> Vec<Question> {
        self.asked.lock().clone()
    }

    /// What was asked, once it is so many questions.
    pub async fn asked_at_least(&self, count: usize) -> Vec<Question> {
        eventually("questions to the name server", || async {
            Some(self.asked()).filter(|asked| asked.len() >= count)
        })
        .await
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Debug for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The same port for both, which another process may take in between.
async fn bind() -> (TcpListener, UdpSocket) {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = tcp.local_addr().expect("a bound socket has an address");
        if let Ok(udp) = UdpSocket::bind(address).await {
            return (tcp, udp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

#[derive(Clone)]
struct Desk {
    asked: Arc<Mutex<Vec<Question>>>,
    reply: Answering,
}

impl Desk {
    async fn serve_udp(self, socket: UdpSocket) {
        let mut space = [0; 4_096];
        while let Ok((count, from)) = socket.recv_from(&mut space).await {
            if let Some(reply) = self.reply_to(&space[..count], AskedOver::Udp) {
                let _ = socket.send_to(&reply, from).await;
            }
        }
    }

    async fn serve_tcp(self, listener: TcpListener) {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(self.clone().serve_connection(socket));
        }
    }

    async fn serve_connection(self, mut socket: TcpStream) {
        while let Ok(count) = socket.read_u16().await {
            let mut asked = vec![0; usize::from(count)];
            if socket.read_exact(&mut asked).await.is_err() {
                return;
            }
            if let Some(reply) = self.reply_to(&asked, AskedOver::Tcp) {
                let framed = [&(reply.len() as u16).to_be_bytes()[..], &reply].concat();
                if socket.write_all(&framed).await.is_err() {
                    return;
                }
            }
        }
    }

    fn reply_to(&self, bytes: &[u8], over: AskedOver) -> Option<Vec<u8>> {
        let question = self.note(bytes, over)?;
        match (self.reply)(&question) {
            Reply::Silence => None,
            Reply::Bytes(bytes) => Some(bytes),
            Reply::Message(message) => {
                let reply = message.bytes(bytes, &question);
                let fits = over == AskedOver::Tcp || reply.len() <= UDP_BYTES_MAX;
                let cut = || Message { truncated: true, ..Message::default() }.bytes(bytes, &question);
                Some(if fits { reply } else { cut() })
            }
        }
    }

    fn note(&self, bytes: &[u8], over: AskedOver) -> Option<Question> {
        let (name, record_type) = question(bytes)?;
        let mut asked = self.asked.lock();
        let same = asked.iter().filter(|known| known.name == name && known.record_type == record_type);
        let question = Question { before: same.count(), name, record_type, over };
        asked.push(question.clone());
        Some(question)
    }
}

/// Name and type of the one question.
fn question(bytes: &[u8]) -> Option<(String, RecordType)> {
    let mut rest = bytes.get(HEAD_BYTES..)?;
    let mut labels = Vec::new();
    loop {
        let (length, after) = rest.split_first()?;
        if *length == 0 {
            rest = after;
            break;
        }
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        rest = after;
    }
    let record_type = match u16::from_be_bytes([*rest.first()?, *rest.get(1)?]) {
        1 => RecordType::A,
        28 => RecordType::Aaaa,
        other => RecordType::Other(other),
    };
    Some((labels.join("."), record_type))
}

fn number_of(record_type: RecordType) -> u16 {
    match record_type {
        RecordType::A => 1,
        RecordType::Aaaa => 28,
        RecordType::Other(number) => number,
    }
}

fn encoded(name: &str) -> Vec<u8> {
    let label = |label: &str| [&[label.len() as u8], label.as_bytes()].concat();
    name.split('.').flat_map(label).chain([0]).collect()
}

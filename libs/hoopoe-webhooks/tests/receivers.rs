//! The complete receivers of `docs/receivers/authentication.md`, run as they stand on the page.
//!
//! Each is written to a folder of its own, started on a free port and sent good and bad requests. A language whose
//! runtime is not at hand is skipped with a printed line; the one in Rust always runs.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hoopoe_webhooks::{Secret, Signer};

const PAGE: &str = include_str!("../../../docs/receivers/authentication.md");
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const PREVIOUS: &str = "an older secret, in raw mode";
const STRANGER: &str = "whsec_c3RyYW5nZXIgc3RyYW5nZXIgc3RyYW5nZXIgc3RyYW5nZXI=";
const BODY: &str = r#"{"type": "ContactCreate", "firstName": "Zoë 👋", "note": "a\/b\u00e9"}"#;
const STANDARD: &str = "/hooks/standard";
const X_WL: &str = "/hooks/x-wl";

#[test]
fn the_receiver_for_node_refuses_what_it_should() {
    try_receiver("js", "receiver.cjs", &["node", "--version"], |_| command(&["node", "receiver.cjs"]));
}

#[test]
fn the_receiver_for_python_refuses_what_it_should() {
    try_receiver("python", "receiver.py", &["python3", "--version"], |_| {
        command(&["python3", "receiver.py"])
    });
}

#[test]
fn the_receiver_for_go_refuses_what_it_should() {
    try_receiver("go", "receiver.go", &["go", "version"], |folder| {
        build(folder, &["go", "build", "-o", "receiver", "receiver.go"]);
        Command::new(folder.join("receiver"))
    });
}

#[test]
fn the_receiver_for_php_refuses_what_it_should() {
    // PHP's own server announces itself on standard error.
    try_receiver("php", "receiver.php", &["php", "--version"], |_| {
        command(&["sh", "-c", "exec php -S 127.0.0.1:0 receiver.php 2>&1"])
    });
}

#[test]
fn the_receiver_for_ruby_refuses_what_it_should() {
    try_receiver("ruby", "receiver.rb", &["ruby", "-rwebrick", "-v"], |_| command(&["ruby", "receiver.rb"]));
}

#[test]
fn the_receiver_for_java_refuses_what_it_should() {
    try_receiver("java", "Receiver.java", &["java", "--version"], |_| command(&["java", "Receiver.java"]));
}

#[test]
fn the_receiver_for_dotnet_refuses_what_it_should() {
    const PROJECT: &str = r#"<Project Sdk="Microsoft.NET.Sdk.Web"><PropertyGroup>
        <TargetFramework>net8.0</TargetFramework><RollForward>Major</RollForward>
        <ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable>
        </PropertyGroup></Project>"#;
    try_receiver("csharp", "Program.cs", &["dotnet", "--version"], |folder| {
        fs::write(folder.join("receiver.csproj"), PROJECT).unwrap();
        build(folder, &["dotnet", "build", "--output", "built"]);
        command(&["dotnet", "built/receiver.dll"])
    });
}

#[test]
fn the_receiver_for_rust_is_the_example_and_refuses_what_it_should() {
    let example = include_str!("../examples/receiver.rs");
    assert_eq!(snippet("rust"), example, "the page and examples/receiver.rs differ");
    let profile = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let built = profile.join("examples/receiver");
    assert!(
        built.exists(),
        "run `cargo build -p hoopoe-webhooks --example receiver`, or the crate's tests as a whole"
    );
    try_receiver("rust", "receiver.rs", &["true"], |_| Command::new(built));
}

fn command(line: &[&str]) -> Command {
    let mut command = Command::new(line[0]);
    command.args(&line[1..]);
    command
}

fn build(folder: &Path, line: &[&str]) {
    let output = command(line).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{line:?}: {}{}", text(&output.stdout), text(&output.stderr));
}

/// The page's only block in the language.
fn snippet(language: &str) -> &'static str {
    let fence = format!("\n```{language}\n");
    let mut blocks = PAGE.split(fence.as_str()).skip(1);
    let block = blocks.next().unwrap_or_else(|| panic!("the page has no {language}"));
    assert!(blocks.next().is_none(), "the page has {language} twice");
    let end = block.find("\n```").unwrap() + 1;
    &block[..end]
}

fn try_receiver(language: &str, file: &str, probe: &[&str], start: impl FnOnce(&Path) -> Command) {
    let text = snippet(language);
    let at_hand = command(probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !at_hand.is_ok_and(|status| status.success()) {
        println!("skipped: no runtime for the receiver in {language} (`{}` fails)", probe.join(" "));
        return;
    }
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("receivers").join(language);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file), text).unwrap();
    let receiver = Receiver::start(start(&folder).current_dir(&folder));
    check_both(&receiver);
    check_standard(&receiver);
    check_x_wl(&receiver);
    assert_eq!(receiver.post(X_WL, &signed(SECRET), BODY), 200, "still alive after everything");
}

/// A running receiver; stopped when dropped.
struct Receiver {
    running: Child,
    port: u16,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

impl Receiver {
    fn start(command: &mut Command) -> Self {
        command.env("PORT", "0").env("WEBHOOK_SECRET", SECRET).env("WEBHOOK_SECRET_PREVIOUS", PREVIOUS);
        let running = command.stdout(Stdio::piped()).spawn();
        let running = running.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut receiver = Self { running, port: 0 };
        let mut lines = BufReader::new(receiver.running.stdout.take().unwrap()).lines();
        let announced = lines.by_ref().map_while(Result::ok).find_map(|line| announced_port(&line));
        receiver.port = announced.expect("the receiver ended before it said where it listens");
        // Whatever it prints later has to go somewhere, or it would stop for a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        receiver
    }

    /// The status of the answer. Headers go out as raw bytes, so that they need not be valid.
    fn post(&self, path: &str, headers: &[(&str, Vec<u8>)], body: &str) -> u16 {
        self.try_post(path, headers, body).expect("the receiver answers")
    }

    /// `None` when the receiver hung up instead, as it may on a body that it does not want to read.
    fn try_post(&self, path: &str, headers: &[(&str, Vec<u8>)], body: &str) -> Option<u16> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut request =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len())
                .into_bytes();
        request.extend_from_slice(b"content-type: application/json\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        request.extend_from_slice(&[b"\r\n", body.as_bytes()].concat());
        let mut answer = Vec::new();
        let _ = connection.write_all(&request);
        let _ = connection.read_to_end(&mut answer);
        std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
    }
}

/// `listening on 127.0.0.1:4711`, or as PHP says it, `(http://127.0.0.1:4711) started`.
fn announced_port(line: &str) -> Option<u16> {
    if !line.contains("listening") && !line.contains("started") {
        return None;
    }
    let (_, after) = line.rsplit_once(':')?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn now_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

type RawHeaders = Vec<(&'static str, Vec<u8>)>;

/// The headers of a right delivery of `BODY`.
fn signed(secret: &str) -> RawHeaders {
    signed_at(secret, now_seconds())
}

fn signed_at(secret: &str, timestamp: i64) -> RawHeaders {
    let signer = Signer::new(&secret.parse::<Secret>().unwrap());
    vec![
        ("x-wl-signature", signer.x_wl_signature(BODY.as_bytes()).into_bytes()),
        ("webhook-id", b"evt_1".to_vec()),
        ("webhook-timestamp", timestamp.to_string().into_bytes()),
        ("webhook-signature", signer.standard("evt_1", timestamp, BODY.as_bytes()).into_bytes()),
    ]
}

fn with(name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> RawHeaders {
    let mut headers = signed(SECRET);
    let (_, value) = headers.iter_mut().find(|(key, _)| *key == name).unwrap();
    *value = change(std::mem::take(value));
    headers
}

fn without(name: &str) -> RawHeaders {
    signed(SECRET).into_iter().filter(|(key, _)| *key != name).collect()
}

fn check_both(receiver: &Receiver) {
    for (path, header) in [(STANDARD, "webhook-signature"), (X_WL, "x-wl-signature")] {
        let check = |case: &str, headers: RawHeaders, body: &str, expected: u16| {
            assert_eq!(receiver.post(path, &headers, body), expected, "{path}: {case}");
        };
        check("good", signed(SECRET), BODY, 200);
        check("good, with the previous secret", signed(PREVIOUS), BODY, 200);
        check("a stranger's secret", signed(STRANGER), BODY, 401);
        check("tampered", signed(SECRET), &BODY.replace("Zoë", "Eve"), 401);
        check("parsed and written again", signed(SECRET), &BODY.replace(": ", ":"), 401);
        check("empty body", signed(SECRET), "", 401);
        check("no headers", Vec::new(), BODY, 401);
        check("no signature", without(header), BODY, 401);
        check("empty signature", with(header, |_| Vec::new()), BODY, 401);
        check("short signature", with(header, |value| value[..value.len() - 1].to_vec()), BODY, 401);
        check("long signature", with(header, |value| [value, b"0".to_vec()].concat()), BODY, 401);
        check("one character", with(header, |_| b"v".to_vec()), BODY, 401);
        check("not ASCII", with(header, |value| vec![0xe9; value.len()]), BODY, 401);
        check("not ASCII, as UTF-8", with(header, |value| "é".repeat(value.len()).into_bytes()), BODY, 401);
        check("unfinished version", with(header, |_| b"v1, v1 ,,  v1,".to_vec()), BODY, 401);
        let too_long = receiver.try_post(path, &signed(SECRET), &" ".repeat((1 << 20) + 1));
        assert!(matches!(too_long, Some(413) | None), "{path}: too long a body: {too_long:?}");
    }
}

fn check_standard(receiver: &Receiver) {
    let check = |case: &str, headers: RawHeaders, expected: u16| {
        assert_eq!(receiver.post(STANDARD, &headers, BODY), expected, "{case}");
    };
    check("no id", without("webhook-id"), 401);
    check("another id", with("webhook-id", |_| b"evt_2".to_vec()), 401);
    check("an id that is not ASCII", with("webhook-id", |_| vec![0xe9]), 401);
    check("no timestamp", without("webhook-timestamp"), 401);
    for timestamp in ["", "x", "1e9", "-1700000000", "1700000000.5", "99999999999999999999999999", "\u{663}"]
    {
        let headers = with("webhook-timestamp", |_| timestamp.as_bytes().to_vec());
        check(&format!("timestamp {timestamp:?}"), headers, 401);
    }
    check("old", signed_at(SECRET, now_seconds() - 330), 401);
    check("from the future", signed_at(SECRET, now_seconds() + 330), 401);
    check("old, but not too old", signed_at(SECRET, now_seconds() - 270), 200);
    let in_a_list = with("webhook-signature", |value| [b"v1,AAAA v1a,AAAA ".to_vec(), value].concat());
    check("the second of several signatures", in_a_list, 200);
    check("the other header alone", signed(SECRET)[..1].to_vec(), 401);
}

fn check_x_wl(receiver: &Receiver) {
    let upper = with("x-wl-signature", |value| value.to_ascii_uppercase());
    assert_eq!(receiver.post(X_WL, &upper, BODY), 401, "upper-case hex");
    let alone = &signed(SECRET)[..1];
    assert_eq!(receiver.post(X_WL, alone, BODY), 200, "x-wl-signature needs no other header");
}

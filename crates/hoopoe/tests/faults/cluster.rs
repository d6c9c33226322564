//! Three nodes, each in a network of its own, on a database with a standby: nodes killed, networks cut and the primary killed,
//! at random from a seed that is printed, while publishers go on. Under `make soak` alone, and as root, who may make networks.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use domain::limits::IN_FLIGHT_PER_ENDPOINT;
use testkit::{Answer, Client, Gate, Postgres, Program, Receiver, Running, eventually};

use crate::database::endpoint_at_all;
use crate::kills::{RECORD_WINDOW, random};
use crate::ledger::Ledger;
use crate::nodes::{TAKEOVER, node_at_with};
use crate::site::{KEY, contact, endpoint, until_all_are_finished};

const NODES: usize = 3;
const PUBLISHERS: usize = 12;
/// Acknowledgements between two faults, at least, and so many more at random.
const BETWEEN: usize = 500;
/// Where every network finds the database and the receiver.
const HERE: &str = "10.77.0.1";
/// The location of what a node holds when it fails.
const HOLDING: &str = "Zk3nTq81LmPw0aXv5RyB";
const NETWORK: &str = "10.77.0.0/16";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NodeKilled,
    NetworkCut,
    PrimaryKilled,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_loses_nothing_whatever_of_it_fails() {
    if std::env::var_os("HOOPOE_SOAK").is_none() {
        return;
    }
    let networks = match Networks::new() {
        Ok(networks) => networks,
        Err(missing) => return println!("skipped: {missing}"),
    };
    let (events, seed) = (number("HOOPOE_SOAK_EVENTS", 100_000), number("HOOPOE_SOAK_SEED", moment()));
    println!("{events} events, HOOPOE_SOAK_SEED={seed}");
    let mut cluster = Cluster::start(networks).await;
    let load = cluster.ledger.insist(&cluster.apis, PUBLISHERS);
    let mut faults: HashMap<String, usize> = HashMap::new();
    let (mut allowed, mut slowest, mut round) = (0, Duration::ZERO, 0);
    while cluster.ledger.acknowledged() < events {
        let chance = random(seed as u64 ^ (round << 32));
        let more = BETWEEN + (chance % BETWEEN as u64) as usize;
        cluster.ledger.wait_for(cluster.ledger.acknowledged() + more).await;
        let fault = fault_of(seed as u64, round);
        allowed += IN_FLIGHT_PER_ENDPOINT + cluster.seen.answered_within(&cluster.receiver, RECORD_WINDOW);
        let took = cluster.suffer(fault, (chance >> 32) as usize % NODES).await;
        println!("{:>7} events: {fault:?}, recovered {took:?}", cluster.ledger.acknowledged());
        assert!(took <= TAKEOVER, "{fault:?}: {took:?}");
        *faults.entry(format!("{fault:?}")).or_default() += 1;
        (slowest, round) = (slowest.max(took), round + 1);
    }
    let told = load.stop().await;
    until_all_are_finished(&cluster.apis[0]).await;
    cluster.seen.look(&cluster.receiver);
    let missing = cluster.seen.missing(&cluster.ledger.events());
    let duplicates = cluster.seen.duplicates();
    println!(
        "{} events, {faults:?}, {} lost, {duplicates} duplicates of {allowed} allowed, slowest recovery {slowest:?}; \
         publishers: {} told to wait, {} unanswered",
        cluster.ledger.acknowledged(),
        missing.len(),
        told.refused,
        told.unanswered
    );
    assert_eq!(missing, Vec::<String>::new());
    assert_eq!(told.wrong, Vec::<String>::new());
    assert!(duplicates <= allowed, "{duplicates} duplicates, {allowed} allowed");
}

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

fn moment() -> usize {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as usize
}

/// Of any three in a row each comes once, in an order of chance.
fn fault_of(seed: u64, round: u64) -> Fault {
    let mut kinds = [Fault::NodeKilled, Fault::NetworkCut, Fault::PrimaryKilled];
    let chance = random(seed.wrapping_add(round / 3)) as usize;
    kinds.rotate_left(chance % 3);
    if chance / 3 % 2 == 1 {
        kinds.swap(1, 2);
    }
    kinds[(round % 3) as usize]
}

struct Cluster {
    nodes: Vec<Option<Running>>,
    programs: Vec<Program>,
    apis: Vec<Client>,
    /// The one that is written first.
    servers: [Postgres; 2],
    receiver: Receiver,
    ledger: Ledger,
    seen: Seen,
    networks: Networks,
}

impl Cluster {
    async fn start(networks: Networks) -> Self {
        let primary = Postgres::own();
        primary.open_to(NETWORK);
        let (database, standby) = (primary.database(), primary.standby());
        let here = |server: &Postgres| SocketAddr::new(HERE.parse().unwrap(), server.address().port());
        let url = database.url_at(&[here(&primary), here(&standby)]);
        // It goes with its cluster.
        std::mem::forget(database);
        let receiver = Receiver::start_at(SocketAddr::new([0, 0, 0, 0].into(), 0)).await;
        let (mut nodes, mut programs, mut apis) = (Vec::new(), Vec::new(), Vec::new());
        for place in 1..=NODES {
            let address = format!("{}:8080", Networks::address(place));
            let words =
                ["netns", "exec", &Networks::name(place), env!("CARGO_BIN_EXE_hoopoe"), "serve", "--dev"];
            let more = ["--listen", &address, "--allow-cidr", NETWORK];
            let program = node_at_with(Program::new("ip").args(words).args(more), &url);
            nodes.push(Some(program.start().await));
            apis.push(Client::new(format!("http://{address}")).with_key(KEY));
            programs.push(program);
        }
        let url = |path: &str| format!("http://{HERE}:{}{path}", receiver.address().port());
        endpoint(&apis[0], HOLDING, &url("/held")).await;
        endpoint_at_all(&apis, &url("/hook")).await;
        let servers = [primary, standby];
        let (ledger, seen) = (Ledger::default(), Seen::default());
        Self { nodes, programs, apis, servers, receiver, ledger, seen, networks }
    }

    /// An event that the node holds, since its receiver does not answer it; its id.
    async fn hold(&mut self, place: usize, gate: &Gate) -> String {
        self.receiver.script("/held", [Answer::status(200).when(gate)]);
        let event = self.apis[place].post("/v1/events", &contact(HOLDING, 0)).await.expect(202);
        let id = event["id"].as_str().unwrap().to_owned();
        let (receiver, seen) = (&self.receiver, &mut self.seen);
        eventually("its first attempt", || {
            seen.look(receiver);
            let has_come = seen.arrivals.contains_key(&id);
            async move { has_come.then_some(()) }
        })
        .await;
        id
    }

    /// Until everything of before has arrived, what a node held has come from another, and publications are taken.
    async fn suffer(&mut self, fault: Fault, place: usize) -> Duration {
        let gate = Gate::default();
        let held = if fault == Fault::PrimaryKilled { None } else { Some(self.hold(place, &gate).await) };
        let before = self.ledger.events();
        let mut at = Instant::now();
        match fault {
            Fault::NodeKilled => {
                self.nodes[place].take().expect("it runs").kill().await;
            }
            Fault::NetworkCut => self.networks.set(place + 1, "down"),
            Fault::PrimaryKilled => {
                self.servers[0].crash();
                at = Instant::now();
                self.servers[1].promote();
            }
        }
        self.ledger.wait_for(self.ledger.acknowledged() + 1).await;
        let (receiver, seen) = (&self.receiver, &mut self.seen);
        eventually("everything of before", || {
            seen.look(receiver);
            let is_taken_over = held.as_ref().is_none_or(|id| seen.arrivals[id] > 1);
            let is_there = is_taken_over && seen.missing(&before).is_empty();
            async move { is_there.then_some(()) }
        })
        .await;
        let took = at.elapsed();
        gate.open();
        match fault {
            Fault::NodeKilled => self.nodes[place] = Some(self.programs[place].start().await),
            Fault::NetworkCut => self.networks.set(place + 1, "up"),
            Fault::PrimaryKilled => {
                self.servers.swap(0, 1);
                self.servers[1].follow(&self.servers[0]);
            }
        }
        eventually("every node to be ready", || async {
            for api in &self.apis {
                let asked = api.try_send(http::Method::GET, "/readyz", "");
                let answered = tokio::time::timeout(Duration::from_secs(1), asked).await.ok()?.ok()?;
                (answered.status.as_u16() == 200).then_some(())?;
            }
            Some(())
        })
        .await;
        took
    }
}

/// What the receiver has seen, counted as it comes.
#[derive(Default)]
struct Seen {
    looked_at: usize,
    arrivals: HashMap<String, usize>,
}

impl Seen {
    fn look(&mut self, receiver: &Receiver) {
        for request in receiver.received_after(self.looked_at) {
            self.looked_at += 1;
            *self.arrivals.entry(request.expect_header("webhook-id").to_owned()).or_default() += 1;
        }
    }

    fn missing(&self, events: &BTreeSet<String>) -> Vec<String> {
        events.iter().filter(|id| !self.arrivals.contains_key(*id)).cloned().collect()
    }

    fn duplicates(&self) -> usize {
        self.arrivals.values().map(|count| count - 1).sum()
    }

    /// Of the last requests those that came in the window.
    fn answered_within(&mut self, receiver: &Receiver, window: Duration) -> usize {
        let since = Instant::now().checked_sub(window).unwrap();
        let latest = receiver.received_after(receiver.count().saturating_sub(1_000));
        latest.iter().filter(|request| request.arrived_at >= since).count()
    }
}

/// A network for each node, joined to this machine by one wire. Gone when dropped.
struct Networks;

impl Networks {
    /// What is missing, where they cannot be made.
    fn new() -> Result<Self, String> {
        let networks = Self;
        networks.remove();
        ip(&format!("address replace {HERE}/32 dev lo"))?;
        for place in 1..=NODES {
            let (name, wire, theirs) = (Self::name(place), Self::wire(place), Self::address(place));
            ip(&format!("netns add {name}"))?;
            ip(&format!("link add {wire} type veth peer name eth0 netns {name}"))?;
            ip(&format!("address add 10.77.{place}.1/24 dev {wire}"))?;
            ip(&format!("link set {wire} up"))?;
            ip(&format!("-n {name} address add {theirs}/24 dev eth0"))?;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} link set eth0 up"))?;
            ip(&format!("-n {name} route add default via 10.77.{place}.1"))?;
        }
        Ok(networks)
    }

    fn name(place: usize) -> String {
        format!("hoopoe-{place}")
    }

    fn wire(place: usize) -> String {
        format!("hoopoe-wire{place}")
    }

    fn address(place: usize) -> String {
        format!("10.77.{place}.2")
    }

    fn set(&self, place: usize, state: &str) {
        ip(&format!("link set {} {state}", Self::wire(place))).unwrap();
    }

    fn remove(&self) {
        for place in 1..=NODES {
            let _ = ip(&format!("link delete {}", Self::wire(place)));
            let _ = ip(&format!("netns delete {}", Self::name(place)));
        }
        let _ = ip(&format!("address delete {HERE}/32 dev lo"));
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        self.remove();
    }
}

fn ip(words: &str) -> Result<(), String> {
    let output = Command::new("ip").args(words.split(' ')).output();
    let output = output.map_err(|error| format!("`ip` of iproute2 cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("`ip {words}` needs root and namespaces: {said}"))
    }
}

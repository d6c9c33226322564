//! A transport without sockets: each host reacts as the test says, and every request is remembered.

use std::collections::HashMap;
use std::sync::Arc;

use domain::outcome::{Failure, Phase};
use hoopoe_delivery::{Outgoing, Progress, Transport, TransportFuture};
use http::{HeaderMap, HeaderValue, StatusCode};
use parking_lot::Mutex;
use testkit::patiently;
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(crate) enum Reaction {
    Status(u16),
    RetryAfter(u16, &'static str),
    Hang,
    Panic,
    /// This machine has no socket left.
    NoSocket,
    /// Answers 200 when the gate is opened.
    When(watch::Receiver<bool>),
    /// Answers 410 when the gate is opened.
    GoneWhen(watch::Receiver<bool>),
}

/// Hosts answer 200 until told otherwise.
#[derive(Debug, Default)]
pub(crate) struct Script {
    reactions: Mutex<HashMap<String, Reaction>>,
    sent: watch::Sender<Vec<Sent>>,
}

/// A request, as far as the tests ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) host: String,
    pub(crate) attempt: String,
}

impl Script {
    pub(crate) fn set(&self, host: &str, reaction: Reaction) {
        self.reactions.lock().insert(host.to_owned(), reaction);
    }

    pub(crate) fn count(&self, host: &str) -> usize {
        self.sent.borrow().iter().filter(|sent| sent.host == host).count()
    }

    pub(crate) async fn wait_for(&self, host: &str, count: usize) -> Vec<Sent> {
        let of_host =
            |sent: &Vec<Sent>| sent.iter().filter(|sent| sent.host == host).cloned().collect::<Vec<_>>();
        let mut sent = self.sent.subscribe();
        let waiting = async {
            let enough = sent.wait_for(|sent| of_host(sent).len() >= count).await;
            of_host(&enough.expect("the sender lives in self"))
        };
        patiently(&format!("{count} requests to {host}"), waiting).await
    }
}

impl Transport for Script {
    fn exchange<'a>(&'a self, outgoing: &'a Outgoing, progress: &'a Arc<Progress>) -> TransportFuture<'a> {
        Box::pin(async move {
            let host = outgoing.target.origin.host.clone();
            let attempt = outgoing.headers["x-wl-attempt"].to_str().expect("a number").to_owned();
            let reaction = self.reactions.lock().get(&host).cloned().unwrap_or(Reaction::Status(200));
            progress.enter(Phase::Waiting);
            self.sent.send_modify(|sent| sent.push(Sent { host, attempt }));
            let mut headers = HeaderMap::new();
            let status = match reaction {
                Reaction::Status(status) => status,
                Reaction::RetryAfter(status, value) => {
                    headers.insert("retry-after", HeaderValue::from_static(value));
                    status
                }
                Reaction::Hang => std::future::pending().await,
                Reaction::NoSocket => {
                    progress.out_of_resources();
                    return Err(Failure::Connect("the connection failed".to_owned()));
                }
                Reaction::Panic => panic!("the script says so"),
                Reaction::When(mut gate) => {
                    let _ = gate.wait_for(|is_open| *is_open).await;
                    200
                }
                Reaction::GoneWhen(mut gate) => {
                    let _ = gate.wait_for(|is_open| *is_open).await;
                    410
                }
            };
            progress.answered(StatusCode::from_u16(status).expect("a status"), headers);
            progress.body_ended();
            Ok(())
        })
    }
}

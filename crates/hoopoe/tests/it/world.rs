//! One server, one receiver, one clock, and the words that the tests speak.

use std::sync::Arc;

use domain::id::IdSource;
use domain::time::{Clock, Timestamp};
use hoopoe::config::{Config, MASTER_KEY_VARIABLE, PLATFORM_KEY_VARIABLE, ServeArgs};
use hoopoe::server::{Parts, Server, TimeSource};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Answered, Client, Database, ManualClock, Received, Receiver, eventually, seeded_ids};

pub(crate) const LOCATION: &str = "ve9EPM428h8vShlRW1KT";
/// `postgres`: the suite runs on a real PostgreSQL. Otherwise on the embedded database.
const STORE_VARIABLE: &str = "HOOPOE_TEST_STORE";
const MASTER_KEY: &str = "5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b";
pub(crate) const KEY: &str = "hpk_it_0123456789abcdefghijklmnopqrstuv";

/// A running server with an empty store and a receiver that answers 200.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) receiver: Receiver,
    /// With the platform's key.
    pub(crate) api: Client,
    ids: Arc<IdSource>,
    config: Config,
    server: Server,
    dir: TempDir,
    /// Goes last, with the world.
    _database: Option<Database>,
}

/// Whether this run is on PostgreSQL: a case about files of the data directory has nothing to see there.
pub(crate) fn is_on_postgres() -> bool {
    std::env::var(STORE_VARIABLE).is_ok_and(|store| store == "postgres")
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// On the embedded database whatever the run is on: for cases about files of the data directory.
    pub(crate) async fn start_on_files() -> Self {
        Self::start_with(|args| args.database_url = None).await
    }

    /// With settings of its own.
    pub(crate) async fn start_with(change: impl FnOnce(&mut ServeArgs)) -> Self {
        Self::start_in(change, &[]).await
    }

    /// With settings of its own, and variables of the environment beside the platform's key.
    pub(crate) async fn start_in(change: impl FnOnce(&mut ServeArgs), variables: &[(&str, &str)]) -> Self {
        Self::start_whole(change, variables, |clock| clock).await
    }

    /// With a clock that does more than to be moved by hand.
    pub(crate) async fn start_on<C: Clock>(clock: impl FnOnce(ManualClock) -> C) -> Self {
        Self::start_whole(|_| {}, &[], clock).await
    }

    async fn start_whole<C: Clock>(
        change: impl FnOnce(&mut ServeArgs),
        variables: &[(&str, &str)],
        server_s_clock: impl FnOnce(ManualClock) -> C,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut args = ServeArgs {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            data_dir: Some(dir.path().join("data")),
            dev: true,
            ..ServeArgs::default()
        };
        let database = is_on_postgres().then(Database::fresh);
        args.database_url = database.as_ref().map(|database| database.url().parse().unwrap());
        change(&mut args);
        let config = config(args, variables);
        let clock = ManualClock::at_real_time();
        let ids = Arc::new(seeded_ids());
        let server_s_clock = Arc::new(server_s_clock(clock.clone()));
        let parts =
            Parts { clock: server_s_clock, ids: Arc::clone(&ids), jitter_seed: 7, time: TimeSource::ByHand };
        let server = Server::start(&config, parts).await.unwrap();
        let api = Client::new(format!("http://{}", server.address())).with_key(KEY);
        Self { clock, receiver: Receiver::start().await, api, ids, config, server, dir, _database: database }
    }

    /// Ends the server as SIGTERM would and starts another one on its data, at the same time of the clock.
    pub(crate) async fn restart(self) -> Self {
        self.server.stop().await;
        let (clock, ids) = (Arc::new(self.clock.clone()), Arc::clone(&self.ids));
        let server =
            Server::start(&self.config, Parts { clock, ids, jitter_seed: 8, time: TimeSource::ByHand })
                .await
                .unwrap();
        let api = Client::new(format!("http://{}", server.address())).with_key(KEY);
        Self { api, server, ..self }
    }

    /// As [`restart`](Self::restart), with other variables of the environment.
    pub(crate) async fn restart_in(mut self, variables: &[(&str, &str)]) -> Self {
        let args = ServeArgs {
            listen: Some(self.config.listen),
            data_dir: Some(self.config.data_dir.clone()),
            database_url: self.config.database_url.clone(),
            dev: true,
            ..ServeArgs::default()
        };
        self.config = config(args, variables);
        self.restart().await
    }

    /// As [`restart`](Self::restart), with other settings.
    pub(crate) async fn restart_with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self.restart().await
    }

    /// Ends the server as SIGTERM would.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }

    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// Where `/metrics` has an address of its own.
    pub(crate) fn metrics_address(&self) -> Option<std::net::SocketAddr> {
        self.server.metrics_address()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Registers an endpoint at `/hook` of the receiver for everything of the location, with changes.
    pub(crate) async fn endpoint(&self, changes: Value) -> Value {
        let mut body = json!({"url": self.receiver.url("/hook"), "eventTypes": ["*"]});
        let owned = ["locationId", "companyId", "appId"].iter().any(|owner| changes.get(owner).is_some());
        if !owned {
            body["locationId"] = LOCATION.into();
        }
        merge(&mut body, changes);
        self.api.post("/v1/endpoints", &body).await.expect(201)
    }

    /// Publishes; the 202's body.
    pub(crate) async fn publish(&self, payload: &Value) -> Value {
        self.api.post("/v1/events", payload).await.expect(202)
    }

    /// Publishes a small contact to the location; the 202's body.
    pub(crate) async fn publish_contact(&self) -> Value {
        self.publish(&contact(LOCATION)).await
    }

    /// The id of the event's only delivery.
    pub(crate) async fn delivery_of(&self, event: &Value) -> String {
        let deliveries = self.list(&format!("/v1/deliveries?eventId={}", text(event, "id"))).await;
        assert_eq!(deliveries.len(), 1, "{deliveries:?}");
        text(&deliveries[0], "id").to_owned()
    }

    /// Everything that a listing holds, page after page.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.api.get(&format!("{path}{cursor}")).await.expect(200);
            rows.extend(page["data"].as_array().unwrap().iter().cloned());
            let Some(next) = page["nextCursor"].as_str() else { return rows };
            cursor = format!("{}cursor={next}", if path.contains('?') { '&' } else { '?' });
        }
    }

    /// What `path` shows once it satisfies `wanted`. Outcomes are recorded a moment after the receiver has answered.
    pub(crate) async fn once(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(path, || async {
            let shown = self.api.get(path).await.expect(200);
            wanted(&shown).then_some(shown)
        })
        .await
    }

    /// The delivery once it has this status.
    pub(crate) async fn once_delivery(&self, id: &str, status: &str) -> Value {
        self.once(&format!("/v1/deliveries/{id}"), |shown| shown["status"] == status).await
    }

    /// The delivery once `count` attempts are recorded and the next is due.
    pub(crate) async fn once_retrying(&self, id: &str, count: u64) -> Value {
        let wanted = |shown: &Value| shown["status"] == "retrying" && shown["attemptCount"] == count;
        self.once(&format!("/v1/deliveries/{id}"), wanted).await
    }

    /// Moves the clock to the delivery's next attempt.
    pub(crate) fn advance_to_next(&self, delivery: &Value) {
        self.clock.advance_to(time(delivery, "nextAttemptAt"));
    }
}

fn config(args: ServeArgs, variables: &[(&str, &str)]) -> Config {
    let mut all = vec![(PLATFORM_KEY_VARIABLE, KEY)];
    all.extend(variables);
    if args.database_url.is_some() {
        // Last, so that a case's own comes first.
        all.push((MASTER_KEY_VARIABLE, MASTER_KEY));
    }
    let value =
        |name: &str| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Config::load(args, value).unwrap()
}

/// A small valid contact.
pub(crate) fn contact(location: &str) -> Value {
    json!({"type": "ContactCreate", "locationId": location, "id": "nmFmQEsNgz6AVpgLVUJ0", "firstName": "Ada"})
}

/// Sets members of `body` to those of `changes`.
pub(crate) fn merge(body: &mut Value, changes: Value) {
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    body.as_object_mut().unwrap().extend(changes);
}

#[track_caller]
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no text `{member}` in {value}"))
}

#[track_caller]
pub(crate) fn time(value: &Value, member: &str) -> Timestamp {
    text(value, member).parse().unwrap()
}

/// Path of an object of the API below its collection.
pub(crate) fn path(collection: &str, object: &Value) -> String {
    format!("/v1/{collection}/{}", text(object, "id"))
}

/// The places that a problem's `errors` point to.
pub(crate) fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().into_iter().flatten().map(|fault| text(fault, "pointer")).collect()
}

/// Verifies a delivered request as a receiver would, with the library that receivers use and the stock one.
#[track_caller]
pub(crate) fn verify(received: &Received, secret: &str) {
    let secrets = [secret.parse().unwrap()];
    let now_seconds: i64 = received.expect_header("webhook-timestamp").parse().unwrap();
    let window = hoopoe_webhooks::Window::at(now_seconds);
    hoopoe_webhooks::verify_x_wl(&secrets, received.header("x-wl-signature"), &received.body).unwrap();
    hoopoe_webhooks::verify(&secrets, |name| received.header(name), &received.body, window).unwrap();
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, received.expect_header(name).parse().unwrap());
    }
    standardwebhooks::Webhook::new(secret).unwrap().verify(&received.body, &headers).unwrap();
}

/// Fails unless the answer is the problem with this code at this status.
#[track_caller]
pub(crate) fn refused(case: &str, answered: &Answered, status: u16, code: &str) -> Value {
    assert_eq!(
        (answered.status.as_u16(), answered.json()["code"].as_str()),
        (status, Some(code)),
        "{case}: {}",
        answered.text()
    );
    answered.expect_problem(status, code)
}

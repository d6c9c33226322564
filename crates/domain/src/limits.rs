//! Every bound, in one place. A limit that is met is told to the caller; nothing grows silently.

/// Location, company and app ids: 1 to 64 characters.
pub const TENANT_ID_LENGTH_MAX: usize = 64;

// What comes in
/// One event's payload, bytes.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// One batch's body, bytes.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Events in one batch.
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// Levels of arrays and objects in a payload. Stock parsers of receivers stop there (`System.Text.Json` refuses depth 65 by
/// default), so a deeper payload could be sent but not read.
pub const PAYLOAD_DEPTH_MAX: usize = 64;
/// Body of every other route, bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Faults named in one answer.
pub const FAULTS_MAX: usize = 100;
pub const IDEMPOTENCY_KEY_LENGTH_MAX: usize = 255;
/// How long the first answer to an `Idempotency-Key` is kept.
pub const IDEMPOTENCY_HOURS: i64 = 24;
pub const PAGE_ROWS_DEFAULT: usize = 50;
pub const PAGE_ROWS_MAX: usize = 200;
/// Rows that one listing looks at before it answers with what it has and a cursor to go on.
pub const PAGE_ROWS_EXAMINED_MAX: usize = 10_000;

/// Connections to the API at once.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Connections from one address that is not the machine's own, unless it is set: one client must not take them all. An IPv6
/// address counts as its /64.
pub const CONNECTIONS_PER_ADDRESS_DEFAULT: usize = CONNECTIONS_MAX / 4;
/// Names and values of a request's headers, bytes; more are told 431.
pub const REQUEST_HEADER_BYTES_MAX: usize = 16 * 1024;
/// Keys, and locations, whose rate of publishing is remembered at once.
pub const PUBLISH_BUCKETS_MAX: usize = 65_536;
/// Events a second that a limit of publishing may be set to.
pub const PUBLISH_PER_SECOND_MAX: u32 = 1_000_000;
/// Requests at once; more are told 429.
pub const REQUESTS_MAX: usize = 2_048;
/// Of these, sign-ins at once: nobody is known yet whose form may be slow.
pub const SIGN_INS_MAX: usize = 128;
/// Batches that are checked and stored at once; more wait for their turn.
pub const BATCHES_MAX: usize = 4;
/// Of batches that arrive or wait for their turn this much is in memory, bytes; and of one owner's, of whom the platform alone
/// may fill all but another's share. More are told 429.
pub const BATCH_ARRIVAL_BYTES_MAX: usize = 128 * 1024 * 1024;
pub const BATCH_ARRIVAL_BYTES_PER_OWNER: usize = 32 * 1024 * 1024;
/// Signatures explained at once, since each search may hash for a second; more wait for their turn.
pub const EXPLANATIONS_MAX: usize = 2;
/// Characters of a secret that somebody wants explained, slips around it included.
pub const SIGNATURE_SECRET_LENGTH_MAX: usize = 1_024;

// The console
/// Characters of the product's name that it shows.
pub const BRAND_NAME_LENGTH_MAX: usize = 40;
/// Of a logo, bytes: it is sent with everybody's first look.
pub const BRAND_LOGO_BYTES_MAX: usize = 128 * 1024;
/// Origins whose pages may show the console in a frame; all stand in a header of every page.
pub const FRAME_ANCESTORS_MAX: usize = 50;

/// Streams of events at once in all, and of one owner; more are told 429.
pub const STREAMS_MAX: usize = 1_024;
pub const STREAMS_PER_OWNER_MAX: usize = 32;
/// Events that are kept for streams that are slow or come back, and their bytes, about.
pub const FEED_EVENTS_MAX: usize = 8_192;
pub const FEED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Where several nodes serve: events that one reads at once of what happened on all, and how many that happened before anybody
/// listened on it.
pub const FEED_READ_ROWS: usize = 128;
pub const FEED_HISTORY_EVENTS: usize = 1_024;
/// Events that one stream takes out at once.
pub const STREAM_EVENTS_AT_ONCE: usize = 32;
/// And no further one once there are so many bytes.
pub const STREAM_BYTES_AT_ONCE: usize = 64 * 1024;
/// So long after the last stream has ended what happens is kept for one that comes back.
pub const FEED_LINGER_SECONDS: u64 = 60;
/// Between two signs of life on a stream.
pub const STREAM_HEARTBEAT_MS: i64 = 15_000;

// The server's rates
/// How far they go back, and in which steps, seconds.
pub const RATES_SECONDS: i64 = 600;
pub const RATES_STEP_SECONDS: i64 = 5;
/// Endpoints that are named as the worst.
pub const WORST_ENDPOINTS: usize = 10;

// Endpoints
/// Characters of a URL, as given and once normalised.
pub const URL_LENGTH_MAX: usize = 2_048;
/// Event types that one endpoint names.
pub const EVENT_TYPES_MAX: usize = 1_000;
/// An endpoint's own headers: how many, octets of a name, of a value, of all together.
pub const HEADERS_MAX: usize = 20;
pub const HEADER_NAME_LENGTH_MAX: usize = 64;
pub const HEADER_VALUE_LENGTH_MAX: usize = 1_024;
pub const HEADER_BYTES_MAX: usize = 8 * 1024;
pub const ENDPOINTS_PER_OWNER_DEFAULT: usize = 50;
pub const DESCRIPTION_LENGTH_MAX: usize = 1_024;
pub const NAME_LENGTH_MAX: usize = 256;
pub const APP_SCOPES_MAX: usize = 200;
/// Characters of one OAuth scope.
pub const APP_SCOPE_LENGTH_MAX: usize = 128;
pub const RETRY_SCHEDULE_ENTRIES_MAX: usize = 30;
pub const RETRY_WAIT_SECONDS_MAX: u32 = 604_800;
/// Random bytes in a generated secret.
/// API keys of one location, company or app, and of the platform itself.
pub const API_KEYS_PER_OWNER_MAX: usize = 200;
/// Sessions that have not expired, of one owner.
pub const SESSIONS_PER_OWNER_MAX: usize = 1_000;
pub const SESSION_SECONDS_MIN: u32 = 60;
pub const SESSION_SECONDS_DEFAULT: u32 = 3_600;
pub const SESSION_SECONDS_MAX: u32 = 604_800;
/// A login link is good for so long, and once.
pub const LOGIN_CODE_SECONDS: i64 = 60;
/// Failed sign-ins in a minute, of one address (of IPv6, a /64). More are told to wait.
pub const FAILED_SIGN_INS_PER_ADDRESS: u32 = 60;
/// Of which one token may fail so much: one over this.
pub const FAILED_SIGN_INS_TOKEN_SHARE: u32 = 3;
pub const AUDIT_DAYS_DEFAULT: u32 = 365;
pub const SECRET_BYTES: usize = 32;
pub const GRACE_SECONDS_DEFAULT: u32 = 86_400;
pub const GRACE_SECONDS_MAX: u32 = 604_800;

// An attempt
/// Resolve, connect, TLS, send and wait together, milliseconds.
pub const ATTEMPT_TIMEOUT_MS: i64 = 10_000;
/// Of an answer's body this much is kept, bytes.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024;
/// Of an answer's headers this much is kept, bytes of names and values.
pub const RESPONSE_HEADER_BYTES_MAX: usize = 16 * 1024;
pub const RETRY_AFTER_SECONDS_MAX: i64 = 86_400;

// The engine
/// Attempts at once to one endpoint.
pub const IN_FLIGHT_PER_ENDPOINT: usize = 32;
/// Attempts at once in all; also the bound of sockets to receivers.
pub const IN_FLIGHT_MAX: usize = 1_024;
/// Claimed deliveries that one lane keeps in memory beside those in flight.
pub const LANE_DELIVERIES_MAX: usize = 256;
/// Claimed deliveries in memory in all.
pub const CLAIMED_MAX: usize = 32_768;
/// Payload bytes of claimed deliveries in memory in all.
pub const CLAIMED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What is published in a burst may fill a lane beyond [`LANE_DELIVERIES_MAX`] while more places and bytes than these are free:
/// so much is always left for the other lanes.
pub const CLAIMED_SPARE: usize = CLAIMED_MAX / 2;
pub const CLAIMED_SPARE_BYTES: usize = CLAIMED_BYTES_MAX / 2;
/// Outcomes may wait this long for company before they are recorded, milliseconds.
pub const RECORD_WAIT_MS: i64 = 50;
/// Outcomes recorded in one transaction.
pub const RECORD_BATCH_MAX: usize = 500;
/// Of the receivers' answers in them, headers and bodies; so much waits for no company. The last may exceed it.
pub const RECORD_BATCH_BYTES_MAX: usize = 1024 * 1024;

// An endpoint's health
/// Failures in a row that open a circuit.
pub const CIRCUIT_FAILURES: u32 = 10;
/// Timeouts in a row that do: each held a slot for `ATTEMPT_TIMEOUT_MS`.
pub const CIRCUIT_TIMEOUTS: u32 = 4;
/// Before the first probe, milliseconds; doubled with each that fails, up to the other.
pub const CIRCUIT_PAUSE_MS_MIN: i64 = 5_000;
pub const CIRCUIT_PAUSE_MS_MAX: i64 = 300_000;
/// A node that hears of another's open circuit probes only when that one's probe is overdue, milliseconds: so much after its
/// attempt could have ended, and up to so much more, that not all who wait do it at once.
pub const CIRCUIT_STAND_BY_MS: i64 = 3_000;
pub const CIRCUIT_STAND_BY_SPREAD_MS: i64 = 10_000;
/// What waited for a receiver that is back is released at so many a second in the first second, twice as many in each that
/// follows, up to the other.
pub const RELEASE_PER_SECOND_FIRST: u32 = 8;
pub const RELEASE_PER_SECOND_MAX: u32 = 1_000;
/// The steps of that release, milliseconds.
pub const RELEASE_TICK_MS: i64 = 125;
/// After this long the release is no longer bounded, milliseconds.
pub const RECOVERY_MS_MAX: i64 = 300_000;
/// An endpoint whose every attempt failed for so many days, and so many attempts, is disabled.
pub const FAILING_DAYS: i64 = 5;
pub const FAILING_ATTEMPTS_MIN: u32 = 20;

// The store
/// How long a group commit gathers, milliseconds.
pub const COMMIT_GATHER_MS_MAX: u64 = 10;
/// While a group has at least [`COMMIT_COMPANY`] operations, the next one begins no sooner after it than this, milliseconds:
/// a commit costs the same whether it is for ten or for fifty.
pub const COMMIT_INTERVAL_MS_MIN: u64 = 1;
pub const COMMIT_COMPANY: usize = 8;
pub const RETENTION_DAYS_DEFAULT: u32 = 30;

// Several nodes on one database
/// How far a node's clock may be from the database's at its start, milliseconds: what one node puts off is due by another's clock.
pub const CLOCK_SKEW_MS_MAX: i64 = 5_000;
/// A node shows so often that it lives, and looks whether the others do, milliseconds.
pub const BEAT_MS: i64 = 1_000;
/// For one beat and its look, milliseconds.
pub const BEAT_CALL_MS_MAX: u64 = 2_000;
/// A node that could not show for so long that it lives starts no attempt and begins no transaction before it has, milliseconds.
pub const NODE_DOUBT_MS: i64 = 3_000;
/// Looks that lie further apart than this are no watch, milliseconds: it begins anew, so that nobody is held for dead because
/// the database was away.
pub const WATCH_GAP_MS_MAX: i64 = 3_000;
/// Who watched another node without a gap and saw no beat for so long takes over what it holds, milliseconds.
pub const NODE_SILENCE_MS: i64 = 6_000;
/// From a node's death until its deliveries are others', milliseconds.
pub const TAKEOVER_MS_MAX: i64 = 10_000;
/// A node looks so often after what was left over, milliseconds.
pub const UPKEEP_MS: i64 = 5_000;
/// Connections to a database server, of one node, beside the two that listen and beat.
pub const DATABASE_CONNECTIONS_MAX: usize = 16;
/// For a free one of these, for a new one, for a lock of somebody else's row, and for a whole call, milliseconds.
pub const DATABASE_WAIT_MS_MAX: u64 = 3_000;
pub const DATABASE_CONNECT_MS_MAX: u64 = 3_000;
pub const DATABASE_LOCK_MS_MAX: u64 = 5_000;
pub const DATABASE_CALL_MS_MAX: u64 = 10_000;
/// A migration waits so long for what other transactions hold, and whoever comes meanwhile waits behind it, milliseconds; then it
/// lets the others pass for a moment, and tries again, about a minute in all.
pub const MIGRATION_LOCK_MS_MAX: u64 = 1_000;
pub const MIGRATION_PAUSE_MS: u64 = 500;
pub const MIGRATION_TRIES_MAX: u32 = 40;
/// A transaction of which the server hears nothing for so long is given up by it, milliseconds: with it go the locks on what its
/// node held.
pub const DATABASE_IDLE_MS_MAX: i64 = 5_000;
/// Where several servers are named, each next one is tried so much after the one before, milliseconds.
pub const DATABASE_NEXT_HOST_MS: u64 = 300;
/// A publication waits so long for its turn, and for a database server to store it, milliseconds: then its publisher is told.
pub const PUBLISH_WAIT_MS_MAX: u64 = 4_000;
pub const PUBLISH_STORE_MS_MAX: u64 = 6_000;
/// A node asks so often what others have changed, milliseconds; it is told sooner where the database can.
pub const FOLLOW_MS: u64 = 500;
/// Changes that are kept for nodes that did not hear of them; whoever missed more reads everything anew.
pub const CHANGES_KEPT_MAX: i64 = 100_000;
/// Publications that wait for a database server, and of one transaction: how many, and bytes of payload.
pub const PUBLISH_WAITING_MAX: usize = 16_384;
pub const PUBLISH_BATCH_CALLS_MAX: usize = 1_024;
pub const PUBLISH_BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

const _: () = assert!(EVENT_BYTES_MAX <= BATCH_BYTES_MAX);
// The last beat is seen a beat late, and its absence too; the rest is for the taking over.
const _: () = assert!(NODE_SILENCE_MS + 2 * BEAT_MS + 2_000 <= TAKEOVER_MS_MAX);
// A slow look is no gap, and neither is one that failed at once.
const _: () = assert!(BEAT_CALL_MS_MAX as i64 <= WATCH_GAP_MS_MAX && 2 * BEAT_MS < WATCH_GAP_MS_MAX);
const _: () = assert!(2 * WATCH_GAP_MS_MAX <= NODE_SILENCE_MS);
// A node whose connection broke has time to make another and to beat.
const _: () = assert!(BEAT_MS + (DATABASE_CONNECT_MS_MAX + BEAT_CALL_MS_MAX) as i64 <= NODE_SILENCE_MS);
// It gives up sending before anybody takes over.
const _: () =
    assert!(BEAT_MS + (BEAT_CALL_MS_MAX as i64) <= NODE_DOUBT_MS && NODE_DOUBT_MS < NODE_SILENCE_MS);
const _: () = assert!(DATABASE_IDLE_MS_MAX < NODE_SILENCE_MS);
const _: () =
    assert!(MIGRATION_LOCK_MS_MAX < BEAT_CALL_MS_MAX && MIGRATION_LOCK_MS_MAX < PUBLISH_WAIT_MS_MAX);
const _: () = assert!(PUBLISH_WAIT_MS_MAX + PUBLISH_STORE_MS_MAX <= DATABASE_CALL_MS_MAX);
const _: () =
    assert!(DATABASE_LOCK_MS_MAX < DATABASE_CALL_MS_MAX && DATABASE_CONNECT_MS_MAX < DATABASE_CALL_MS_MAX);
const _: () = assert!(2 * FOLLOW_MS <= 1_000);
// The outcome of a probe is recorded and heard of before the others take it for overdue.
const _: () = assert!(RECORD_WAIT_MS + 2 * FOLLOW_MS as i64 <= CIRCUIT_STAND_BY_MS);
// So that one owner may send a large batch while it sends another, and leaves room for the rest.
const _: () = assert!(2 * BATCH_BYTES_MAX <= BATCH_ARRIVAL_BYTES_PER_OWNER);
const _: () = assert!(2 * BATCH_ARRIVAL_BYTES_PER_OWNER <= BATCH_ARRIVAL_BYTES_MAX);
const _: () = assert!(SIGN_INS_MAX < REQUESTS_MAX);
const _: () = assert!(STREAMS_PER_OWNER_MAX <= STREAMS_MAX && STREAMS_MAX < CONNECTIONS_MAX);
const _: () = assert!(FEED_READ_ROWS <= FEED_HISTORY_EVENTS && FEED_HISTORY_EVENTS <= FEED_EVENTS_MAX / 2);
const _: () = assert!(RATES_SECONDS % RATES_STEP_SECONDS == 0);
const _: () = assert!(COMMIT_INTERVAL_MS_MIN < COMMIT_GATHER_MS_MAX);
const _: () = assert!(HEADER_NAME_LENGTH_MAX + HEADER_VALUE_LENGTH_MAX <= HEADER_BYTES_MAX);
const _: () = assert!(PAGE_ROWS_DEFAULT <= PAGE_ROWS_MAX && PAGE_ROWS_MAX <= PAGE_ROWS_EXAMINED_MAX);
const _: () = assert!(RESPONSE_BYTES_MAX + RESPONSE_HEADER_BYTES_MAX < RECORD_BATCH_BYTES_MAX);
const _: () = assert!(IN_FLIGHT_PER_ENDPOINT <= IN_FLIGHT_MAX && IN_FLIGHT_MAX <= CLAIMED_MAX);
const _: () = assert!(EVENT_BYTES_MAX * LANE_DELIVERIES_MAX <= CLAIMED_BYTES_MAX);
const _: () = assert!(LANE_DELIVERIES_MAX < CLAIMED_SPARE && EVENT_BYTES_MAX < CLAIMED_SPARE_BYTES);
const _: () =
    assert!(SESSION_SECONDS_MIN <= SESSION_SECONDS_DEFAULT && SESSION_SECONDS_DEFAULT <= SESSION_SECONDS_MAX);
const _: () = assert!(FAILED_SIGN_INS_PER_ADDRESS / FAILED_SIGN_INS_TOKEN_SHARE > 1);
const _: () = assert!(GRACE_SECONDS_DEFAULT <= GRACE_SECONDS_MAX);
const _: () = assert!(CIRCUIT_TIMEOUTS <= CIRCUIT_FAILURES);
// So that a run of failures that may end an endpoint is kept by the store, which keeps it once the circuit opens.
const _: () = assert!(CIRCUIT_FAILURES <= FAILING_ATTEMPTS_MIN);
const _: () = assert!(0 < CIRCUIT_PAUSE_MS_MIN && CIRCUIT_PAUSE_MS_MIN <= CIRCUIT_PAUSE_MS_MAX);
// So that probes alone are enough attempts to tell.
const _: () = assert!(
    (CIRCUIT_PAUSE_MS_MAX + ATTEMPT_TIMEOUT_MS) * FAILING_ATTEMPTS_MIN as i64 <= FAILING_DAYS * 86_400_000
);
const _: () = assert!(1_000 % RELEASE_TICK_MS == 0 && RECOVERY_MS_MAX % RELEASE_TICK_MS == 0);
const _: () = assert!(RELEASE_PER_SECOND_FIRST as i64 * RELEASE_TICK_MS >= 1_000);
const _: () = assert!(RELEASE_PER_SECOND_FIRST <= RELEASE_PER_SECOND_MAX);

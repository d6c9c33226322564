-- Times are milliseconds since 1970 and come from the program; no statement asks the server for one. Ids of endpoints, keys,
-- sessions and audit entries are 16 bytes, so that their order is the order of the ids.

create table meta (
    name  text primary key,
    value bytea not null
);

-- Rows to count with, and rows to hold while something is done that one node does at a time.
create table counters (
    name  text primary key,
    value bigint not null
);
insert into counters (name, value) values ('revision', 0), ('pruned', 0), ('fence', 0), ('days', 0), ('sweep', 0);

-- The processes that serve. What a process holds hangs on its row: when its `beat` stands still, any other may remove the row
-- and take it over. A process that comes back gets another `fence`.
create table nodes (
    fence      bigint primary key,
    -- No two that live have the same: their ids are told apart by it.
    slot       smallint not null unique,
    name       text not null,
    version    text not null,
    started_at bigint not null,
    beat       bigint not null
);

-- What nodes keep in memory and somebody has changed, in the order of the commits: whoever changes such a thing holds the
-- counter `revision` until its transaction ends.
create table changes (
    revision bigint not null,
    place    integer not null,
    kind     smallint not null,
    id       text not null,
    primary key (revision, place)
);

-- Days (counted from 1970-01-01, UTC) that have their partitions. `dropped_by`: the node that is removing them.
create table days (
    day        bigint primary key,
    dropped_by bigint
);

-- Unfinished deliveries that nobody holds.
create table queue (
    key           bigint primary key,
    salt          bigint not null,
    event_key     bigint not null,
    event_salt    bigint not null,
    endpoint_id   bytea not null,
    type          text not null,
    location_id   text,
    trigger       smallint not null,
    retry_key     bigint,
    retry_salt    bigint,
    attempt_count bigint not null,
    due_at        bigint not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index queue_due on queue (endpoint_id, due_at, key);
create index queue_endpoint on queue (endpoint_id, key);
create index queue_location on queue (location_id, key) where location_id is not null;
-- A delivery that the event itself made is found through what the event considered.
create index queue_event on queue (event_key, key) where trigger <> 0;

-- Unfinished deliveries that a node holds, nearly all from the moment they are stored until they end: they come and go with
-- no index but the key's. There are never more than the nodes hold in memory, so that a listing can look at each.
create table held (
    key           bigint primary key,
    salt          bigint not null,
    event_key     bigint not null,
    event_salt    bigint not null,
    endpoint_id   bytea not null,
    type          text not null,
    location_id   text,
    trigger       smallint not null,
    retry_key     bigint,
    retry_salt    bigint,
    attempt_count bigint not null,
    due_at        bigint not null,
    claim         bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

-- The log: a partition a day. A row lives in the day of its own id, attempts with their delivery, and what was not delivered
-- with its event.
create table events (
    key         bigint primary key,
    salt        bigint not null,
    type        text not null,
    scope       smallint not null,
    location_id text,
    company_id  text,
    app_id      text,
    hidden      boolean not null,
    considered  bytea not null,
    payload     bytea not null
) partition by range (key);
create index events_location on events (location_id, scope, key) where location_id is not null;
create index events_company on events (company_id, key) where company_id is not null and scope = 1;

create table deliveries (
    key           bigint primary key,
    salt          bigint not null,
    event_key     bigint not null,
    event_salt    bigint not null,
    endpoint_id   bytea not null,
    type          text not null,
    location_id   text,
    trigger       smallint not null,
    retry_key     bigint,
    retry_salt    bigint,
    status        smallint not null,
    reason        smallint,
    attempt_count bigint not null,
    completed_at  bigint not null,
    attempt       bytea
) partition by range (key);
create index deliveries_endpoint on deliveries (endpoint_id, key);
create index deliveries_location on deliveries (location_id, key) where location_id is not null;
create index deliveries_status on deliveries (status, key) where status <> 4;
create index deliveries_endpoint_status on deliveries (endpoint_id, status, key) where status <> 4;
create index deliveries_event on deliveries (event_key, key) where trigger <> 0;

create table attempts (
    delivery_key bigint not null,
    key          bigint not null,
    attempt      bytea not null,
    primary key (delivery_key, key)
) partition by range (delivery_key);

create table undelivered (
    event_key   bigint not null,
    endpoint_id bytea not null,
    location_id text,
    primary key (event_key, endpoint_id)
) partition by range (event_key);
create index undelivered_location on undelivered (location_id, event_key) where location_id is not null;

-- Secrets and header values are sealed. Rows of deleted endpoints stay as long as the log speaks of them.
create table endpoints (
    id              bytea primary key,
    owner_kind      text not null,
    owner_id        text not null,
    url             text not null,
    -- Bytes, for text may hold anything but the zero that may stand in a description.
    description     bytea not null,
    subscription    bytea,
    headers         bytea,
    retry_schedule  text,
    skip_own_events boolean not null,
    state           smallint not null,
    disabled_reason text,
    state_since     bigint not null,
    secret          bytea,
    previous_secret bytea,
    grace_until     bigint,
    created_at      bigint not null,
    updated_at      bigint not null
);
create index endpoints_owner on endpoints (owner_kind, owner_id, id);
create index endpoints_deleted on endpoints (state_since) where state = 2;

-- Endpoints whose circuit is not closed; a healthy one has no row.
create table endpoint_health (
    endpoint_id     bytea primary key,
    since           bigint not null,
    failed_probes   bigint not null,
    held_until      bigint not null,
    failing_since   bigint,
    failed_attempts bigint,
    outcome         text,
    status_code     integer
);

create table locations (
    id         text primary key,
    name       text,
    company_id text
);
create index locations_company on locations (company_id, id) where company_id is not null;

create table apps (
    id     text primary key,
    name   text,
    scopes bytea
);

create table installs (
    app_id      text not null,
    target_kind text not null,
    target_id   text not null,
    primary key (app_id, target_kind, target_id)
);

-- Neither a key nor a code nor a token is ever stored, only its SHA-256.
create table api_keys (
    id           bytea primary key,
    name         text not null,
    owner_kind   text not null,
    owner_id     text not null,
    permissions  text not null,
    hash         bytea not null unique,
    expires_at   bigint,
    last_used_at bigint,
    granted_kind text not null,
    granted_id   text not null
);
create index api_keys_owner on api_keys (owner_kind, owner_id);

create table sessions (
    id              bytea primary key,
    owner_kind      text not null,
    owner_id        text not null,
    permissions     text not null,
    code_hash       bytea unique,
    code_expires_at bigint not null,
    token_hash      bytea unique,
    expires_at      bigint not null,
    opened_at       bigint,
    last_used_at    bigint,
    granted_kind    text not null,
    granted_id      text not null
);
create index sessions_owner on sessions (owner_kind, owner_id, id);
create index sessions_expiry on sessions (expires_at);

-- Only ever added to; what is older than is kept goes in slices.
create table audit (
    id               bytea primary key,
    action           text not null,
    actor_kind       text not null,
    actor_id         bytea,
    actor_name       text,
    actor_owner_kind text not null,
    actor_owner_id   text not null,
    address          text,
    request_id       text not null,
    owner_kind       text not null,
    owner_id         text not null,
    object           text not null,
    object_id        text not null,
    before           bytea,
    after            bytea
);
create index audit_owner on audit (owner_kind, owner_id, id);
create index audit_object on audit (object_id, id);

create table kept_answers (
    owner        text not null,
    path         text not null,
    key          text not null,
    request_hash bytea not null,
    status       integer not null,
    body         bytea not null,
    expires_at   bigint not null,
    primary key (owner, path, key)
);
create index kept_answers_expiry on kept_answers (expires_at);

-- What each endpoint's attempts came to in a span of time. `part` is the fence of the node that counts, so that no two write
-- one row; 0 where the sweep has added them up.
create table tallies (
    grain       smallint not null,
    at          bigint not null,
    endpoint_id bytea not null,
    part        bigint not null,
    tally       bytea not null,
    primary key (grain, at, endpoint_id, part)
);

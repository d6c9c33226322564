-- The tables that live as long as the file. The log itself is kept in day tables (src/days.rs).

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Days (counted from 1970-01-01, UTC) that have their tables.
CREATE TABLE days (
    day INTEGER PRIMARY KEY
) STRICT;

-- Unfinished deliveries and nothing else. `claim` is null while nobody holds the row.
CREATE TABLE queue (
    key           INTEGER PRIMARY KEY,
    salt          INTEGER NOT NULL,
    event_key     INTEGER NOT NULL,
    event_salt    INTEGER NOT NULL,
    endpoint_id   BLOB NOT NULL,
    type          TEXT NOT NULL,
    location_id   TEXT,
    trigger       INTEGER NOT NULL,
    retry_key     INTEGER,
    retry_salt    INTEGER,
    attempt_count INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    claim         INTEGER
) STRICT;
-- Partial, so that a delivery which is claimed when it is published never touches it.
CREATE INDEX queue_due ON queue (endpoint_id, due_at) WHERE claim IS NULL;
CREATE INDEX queue_endpoint ON queue (endpoint_id);
CREATE INDEX queue_location ON queue (location_id) WHERE location_id IS NOT NULL;
-- A delivery that the event itself made is found through what the event considered.
CREATE INDEX queue_event ON queue (event_key) WHERE trigger <> 0;

-- Secrets and header values are sealed. Rows of deleted endpoints stay as long as the log speaks of them.
CREATE TABLE endpoints (
    id              BLOB PRIMARY KEY,
    owner_kind      TEXT NOT NULL,
    owner_id        TEXT NOT NULL,
    url             TEXT NOT NULL,
    description     TEXT NOT NULL,
    subscription    BLOB,
    headers         BLOB,
    retry_schedule  TEXT,
    skip_own_events INTEGER NOT NULL,
    state           INTEGER NOT NULL,
    disabled_reason TEXT,
    state_since     INTEGER NOT NULL,
    secret          BLOB,
    previous_secret BLOB,
    grace_until     INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX endpoints_owner ON endpoints (owner_kind, owner_id, id);
CREATE INDEX endpoints_deleted ON endpoints (state_since) WHERE state = 2;

CREATE TABLE locations (
    id         TEXT PRIMARY KEY,
    name       TEXT,
    company_id TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX locations_company ON locations (company_id, id) WHERE company_id IS NOT NULL;

CREATE TABLE apps (
    id     TEXT PRIMARY KEY,
    name   TEXT,
    scopes BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE installs (
    app_id      TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id   TEXT NOT NULL,
    PRIMARY KEY (app_id, target_kind, target_id)
) STRICT, WITHOUT ROWID;

-- The key itself is never stored, only its SHA-256.
CREATE TABLE api_keys (
    id          BLOB PRIMARY KEY,
    name        TEXT NOT NULL,
    owner_kind  TEXT NOT NULL,
    owner_id    TEXT NOT NULL,
    permissions TEXT NOT NULL,
    hash        BLOB NOT NULL UNIQUE,
    expires_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE kept_answers (
    owner        TEXT NOT NULL,
    path         TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status       INTEGER NOT NULL,
    body         BLOB NOT NULL,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (owner, path, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_answers_expiry ON kept_answers (expires_at);

-- Who may sign in, and what was done. Neither code nor token is ever stored, only their SHA-256.
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;
CREATE INDEX api_keys_owner ON api_keys (owner_kind, owner_id);

-- A session has its code until it is opened, and its token from then on.
CREATE TABLE sessions (
    id              BLOB PRIMARY KEY,
    owner_kind      TEXT NOT NULL,
    owner_id        TEXT NOT NULL,
    permissions     TEXT NOT NULL,
    code_hash       BLOB UNIQUE,
    code_expires_at INTEGER NOT NULL,
    token_hash      BLOB UNIQUE,
    expires_at      INTEGER NOT NULL,
    opened_at       INTEGER,
    last_used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_owner ON sessions (owner_kind, owner_id, id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Only ever added to; what is older than is kept goes in slices.
CREATE TABLE audit (
    id         BLOB PRIMARY KEY,
    action     TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id   BLOB,
    actor_name TEXT,
    address    TEXT,
    request_id TEXT NOT NULL,
    owner_kind TEXT NOT NULL,
    owner_id   TEXT NOT NULL,
    object     TEXT NOT NULL,
    object_id  TEXT NOT NULL,
    before     BLOB,
    after      BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_owner ON audit (owner_kind, owner_id, id);
CREATE INDEX audit_object ON audit (object_id, id);

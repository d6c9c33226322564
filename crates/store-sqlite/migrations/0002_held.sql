-- Deliveries that are held from the moment they are stored: nearly all, and nearly all of them end so. They come and go
-- without touching an index. There are never more than the engine holds in memory, so that a listing can afford to look
-- at each. One that is put off or given back moves to `queue`.
CREATE TABLE held (
    key         INTEGER PRIMARY KEY,
    salt        INTEGER NOT NULL,
    event_key   INTEGER NOT NULL,
    event_salt  INTEGER NOT NULL,
    endpoint_id BLOB NOT NULL,
    type        TEXT NOT NULL,
    location_id TEXT,
    claim       INTEGER NOT NULL
) STRICT;

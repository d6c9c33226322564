-- Endpoints whose circuit is not closed; a healthy one has no row. `failing_since` and what follows are null once the
-- receiver answers again and what waited is being released.
CREATE TABLE endpoint_health (
    endpoint_id     BLOB PRIMARY KEY,
    since           INTEGER NOT NULL,
    failed_probes   INTEGER NOT NULL,
    held_until      INTEGER NOT NULL,
    failing_since   INTEGER,
    failed_attempts INTEGER,
    outcome         TEXT,
    status_code     INTEGER
) STRICT, WITHOUT ROWID;

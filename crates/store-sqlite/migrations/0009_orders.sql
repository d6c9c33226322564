-- For every day {d} that has its tables: the orders of its rows, in tables of their own that are filled in bulk, in place of indexes.
-- What there is comes in one part, in the order of the indexes, so that nothing is sorted.
CREATE TABLE events_in_{d} (part INTEGER, location_id TEXT, scope INTEGER, key INTEGER,
    PRIMARY KEY (part, location_id, scope, key)) STRICT, WITHOUT ROWID;
CREATE TABLE deliveries_to_{d} (part INTEGER, endpoint_id BLOB, key INTEGER,
    PRIMARY KEY (part, endpoint_id, key)) STRICT, WITHOUT ROWID;
CREATE TABLE deliveries_in_{d} (part INTEGER, location_id TEXT, key INTEGER,
    PRIMARY KEY (part, location_id, key)) STRICT, WITHOUT ROWID;
INSERT INTO events_in_{d} (part, location_id, scope, key)
    SELECT {first_key}, location_id, scope, key FROM events_{d} INDEXED BY events_{d}_location
    WHERE location_id IS NOT NULL ORDER BY location_id, scope, key;
INSERT INTO deliveries_to_{d} (part, endpoint_id, key)
    SELECT {first_key}, endpoint_id, key FROM deliveries_{d} INDEXED BY deliveries_{d}_endpoint
    ORDER BY endpoint_id, key;
INSERT INTO deliveries_in_{d} (part, location_id, key)
    SELECT {first_key}, location_id, key FROM deliveries_{d} INDEXED BY deliveries_{d}_location
    WHERE location_id IS NOT NULL ORDER BY location_id, key;
INSERT INTO ordered (day, log, first_key, until_key, rows)
    SELECT {day}, 0, {first_key}, max(key) + 1, count(*) FROM events_{d} NOT INDEXED HAVING count(*) > 0;
INSERT INTO ordered (day, log, first_key, until_key, rows)
    SELECT {day}, 1, {first_key}, max(key) + 1, count(*) FROM deliveries_{d} NOT INDEXED HAVING count(*) > 0;
DROP INDEX events_{d}_location;
DROP INDEX deliveries_{d}_endpoint;
DROP INDEX deliveries_{d}_location;

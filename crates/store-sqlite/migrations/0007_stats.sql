-- What each endpoint's attempts came to in a span of time. Ordered by time first, so that what is written at once lies together
-- and what is old is found at the beginning. Grain 0 is minutes; 1 quarters of an hour, 2 two hours, 3 eight hours.
CREATE TABLE tallies (
    grain       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    endpoint_id BLOB NOT NULL,
    tally       BLOB NOT NULL,
    PRIMARY KEY (grain, at, endpoint_id)
) STRICT, WITHOUT ROWID;

-- Of each day's table, the parts that its rows are put in order in. A part has the rows from `first_key` up to, but not including,
-- `until_key`; those from the last part's `until_key` on are in no order yet. `log` is 0 for events and 1 for deliveries.
CREATE TABLE ordered (
    day       INTEGER NOT NULL,
    log       INTEGER NOT NULL,
    first_key INTEGER NOT NULL,
    until_key INTEGER NOT NULL,
    rows      INTEGER NOT NULL,
    PRIMARY KEY (day, log, first_key)
) STRICT, WITHOUT ROWID;

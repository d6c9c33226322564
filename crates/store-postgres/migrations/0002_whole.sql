-- What each node counted in each step of the last ten minutes. `fence` is the node's.
create table node_steps (
    at        bigint not null,
    fence     bigint not null,
    accepted  bigint not null,
    delivered bigint not null,
    failed    bigint not null,
    in_flight bigint not null,
    primary key (at, fence)
);

-- What was recorded and changed while somebody on any node listens, for all nodes to read, in the order of the commits: whoever
-- tells something holds the counter `told` until its transaction ends. It is of use for a minute, so no log of it is written:
-- after a crash of the database it is empty, and whoever listens is told that something was missed.
create unlogged table told (
    place         bigint primary key,
    -- 0: an attempt was recorded; 1: the endpoint or its health changed, and nothing else is set.
    kind          smallint not null,
    endpoint_id   bytea not null,
    key           bigint,
    salt          bigint,
    event_key     bigint,
    event_salt    bigint,
    type          text,
    location_id   text,
    trigger       smallint,
    retry_key     bigint,
    retry_salt    bigint,
    attempt_count bigint,
    -- What followed: another attempt then, or the end for a reason, or, with neither, success.
    due_at        bigint,
    reason        smallint,
    attempt       bytea
);

-- The fence of the node that wrote the row: the others hear of it.
alter table endpoint_health add column noted_by bigint not null default 0;

-- `listening`: until when somebody does.
insert into counters (name, value) values ('told', 0), ('listening', 0);

-- A queue as pgmq 1.5.1 shapes it: one table a queue, ordered by its identity, with an index on the time of visibility.
create schema pgmq;
create table pgmq.q_bench (
    msg_id      bigint      generated always as identity primary key,
    read_ct     integer     not null default 0,
    enqueued_at timestamptz not null default now(),
    vt          timestamptz not null,
    message     jsonb,
    headers     jsonb
);
create index on pgmq.q_bench (vt);

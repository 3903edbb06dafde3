-- The measure for DELETE: the same vectors beside the table, removed by a foreign key, and nothing logged.
create table {schema}.doc_embedding (
    id           bigint      not null primary key references {schema}.doc (id) on delete cascade,
    content_hash bytea       not null,
    model_id     integer     not null,
    embedding    {vector}    not null,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);

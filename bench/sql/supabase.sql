-- The pattern of Supabase's guide "Automatic embeddings": a column for the vector, row triggers, one message a changed row.
--
-- Written anew after the guide and after pgmq 1.5; pg_net and pg_cron, which only send, are left out, and so is the guide's
-- optional trigger that clears the vector.
alter table {schema}.doc add column embedding {vector};

create table {schema}.q_embedding_jobs (
    msg_id      bigint      generated always as identity primary key,
    read_ct     integer     not null default 0,
    enqueued_at timestamptz not null default now(),
    vt          timestamptz not null,
    message     jsonb,
    headers     jsonb
);
create index on {schema}.q_embedding_jobs (vt);

-- pgmq names its tables at run time, so the statement is dynamic.
create function {schema}.format_table_name(queue_name text, prefix text) returns text
language plpgsql
as $$
begin
    if queue_name ~ '\$|;|--|''' then
        raise exception 'queue name contains invalid characters';
    end if;
    return lower(prefix || '_' || queue_name);
end
$$;

create function {schema}.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) returns setof bigint
language plpgsql
as $$
declare
    v_table text := {schema}.format_table_name(queue_name, 'q');
begin
    return query execute
        format('insert into {schema}.%I (vt, message, headers) values ($2, $1, $3) returning msg_id', v_table)
        using msg, delay, headers;
end
$$;

create function {schema}.send(queue_name text, msg jsonb) returns setof bigint
language sql
as $$
    select * from {schema}.send(queue_name, msg, null, clock_timestamp())
$$;

create function {schema}.queue_embeddings() returns trigger
language plpgsql security definer
set search_path = ''
as $$
begin
    perform {schema}.send(
        queue_name => 'embedding_jobs',
        msg => jsonb_build_object('id', new.id, 'schema', tg_table_schema, 'table', tg_table_name,
                                  'contentFunction', tg_argv[0], 'embeddingColumn', tg_argv[1]));
    return new;
end
$$;

create trigger embed_on_insert after insert on {schema}.doc
    for each row execute function {schema}.queue_embeddings('embedding_input', 'embedding');
create trigger embed_on_update after update of title, body on {schema}.doc
    for each row execute function {schema}.queue_embeddings('embedding_input', 'embedding');

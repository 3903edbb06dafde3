--
-- Functions and views, frozen from sql/.
--
-- depends: evervec_0001_tables

-- `set search_path from current` in the texts below takes what this sets for the transaction. The schema
-- of pgvector is looked up, because managed services put extensions into one of their own.
do $$
declare
    v_schema name;
begin
    select n.nspname
      into v_schema
      from pg_catalog.pg_extension e
      join pg_catalog.pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'vector';
    if not found then
        raise exception using
            errcode = 'VE001',
            message = pg_catalog.format('pgvector is not installed in database "%s"', pg_catalog.current_database()),
            detail  = 'evervec stores its vectors in the types of pgvector 0.8 or newer.',
            hint    = 'Run CREATE EXTENSION vector; in this database as its owner or a superuser, then migrate again.';
    end if;
    perform pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, %I, pg_temp', v_schema), true);
    perform pg_catalog.set_config('check_function_bodies', 'on', true);
end
$$;

-- generated: begin (tools/freeze writes from here; what is outside is written by hand and kept)

-- file: functions/core/lock_key.sql
-- lock_key: the key of one of evervec's advisory locks, apart from those of applications.
--
-- Locks:  none itself.
create or replace function evervec.lock_key(p_purpose text)
returns bigint
language sql immutable
set search_path from current
as $$
    select hashtextextended('evervec.' || p_purpose, 0)
$$;

comment on function evervec.lock_key(text) is
$$Internal. Key of the advisory lock for a purpose, such as fold.$$;

revoke execute on function evervec.lock_key(text) from public;

-- file: functions/core/lock_relation.sql
-- lock_relation: takes a lock on a table in short attempts, so that writers never queue behind us for long.
--
-- Locks:  p_mode on p_relation until the end of the transaction.
-- Raises: 55P03 lock_not_available after p_attempts attempts of p_timeout each
create or replace function evervec.lock_relation(
    p_relation regclass,
    p_mode     text,
    p_attempts integer default 10,
    p_timeout  interval default '500 milliseconds'
)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_former text := current_setting('lock_timeout');
begin
    for v_attempt in 1 .. p_attempts loop
        begin
            perform set_config('lock_timeout', extract(milliseconds from p_timeout)::integer::text, true);
            execute format('lock table %s in %s mode', p_relation, p_mode);
            perform set_config('lock_timeout', v_former, true);
            return;
        exception when lock_not_available then
            -- A pause as long as the attempt lets everyone who waited behind it through.
            perform pg_sleep(extract(epoch from p_timeout));
        end;
    end loop;
    raise exception using
        errcode = 'lock_not_available',
        message = format('could not lock table %s in %s mode', p_relation, p_mode),
        detail  = format('%s attempts of %s each met a transaction that holds a conflicting lock.', p_attempts, p_timeout),
        hint    = 'Look for long transactions in pg_stat_activity, then call again: nothing was changed.';
end
$$;

comment on function evervec.lock_relation(regclass, text, integer, interval) is
$$Internal. Locks a table in short attempts with pauses between them, so that writers never wait long behind evervec. Raises 55P03 when it does not succeed.$$;

revoke execute on function evervec.lock_relation(regclass, text, integer, interval) from public;

-- file: functions/core/qualified_name.sql
-- qualified_name: a relation with its schema, whatever the search_path.
--
-- Locks:  none.
create or replace function evervec.qualified_name(p_relation regclass)
returns text
language sql stable
set search_path from current
as $$
    select format('%I.%I', n.nspname, c.relname)
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where c.oid = p_relation
$$;

comment on function evervec.qualified_name(regclass) is
$$Internal. schema.table, quoted where needed; NULL when there is no such relation.$$;

revoke execute on function evervec.qualified_name(regclass) from public;

-- file: functions/core/source_named.sql
-- source_named: the source of that name, or the error that every function gives for an unknown one.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.source_named(p_source text)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    select * into v_source from evervec.source s where s.name = p_source;
    if not found then
        raise exception using
            errcode = 'VE101',
            message = format('source "%s" does not exist', p_source),
            detail  = coalesce(
                (select 'Tracked sources: ' || string_agg(s.name, ', ' order by s.name) || '.' from evervec.source s),
                'No table is tracked yet.'),
            hint    = 'Track a table with: SELECT evervec.track(''schema.table'', p_columns => ''{title,body}'');';
    end if;
    return v_source;
end
$$;

comment on function evervec.source_named(text) is
$$Internal. The row of a source by its name. Raises VE101 when there is none.$$;

revoke execute on function evervec.source_named(text) from public;

-- file: functions/index/build_index.sql
-- build_index: builds the vector index of a source inside the caller's transaction.
--
-- For scripts that have nothing but SQL. Writes of vectors, and deletes from the source, wait while it builds; a worker builds it
-- concurrently instead.
-- Locks:  SHARE on the embedding table.
-- Raises: VE101 unknown source
create or replace function evervec.build_index(p_source text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_index  record;
begin
    select * into v_index from evervec.index_of(v_source);
    if v_source.index_method = 'none' or v_index.valid then
        return false;
    end if;
    if v_index.index is not null then
        execute format('drop index %s', v_index.index);
    end if;
    execute evervec.index_definition(v_source);
    return true;
end
$$;

comment on function evervec.build_index(text) is
$$Builds the vector index of a source, blocking writes of vectors meanwhile; true when it was built, false when it stood or none is wanted. Raises VE101.$$;

revoke execute on function evervec.build_index(text) from public;

-- file: functions/search/metric.sql
-- metric: what belongs to a distance: pgvector's operator and operator class, and how similarity is read off it.
--
-- Locks:  none.
create or replace function evervec.metric(
    p_distance         text,
    out operator       text,
    out operator_class text,
    out similarity     text
)
language sql stable
set search_path from current
as $$
    select format(m.operator, n.nspname), m.operator_class, m.similarity
      from (values
        ('cosine',        'operator(%1$I.<=>)', 'vector_cosine_ops', '1 - %s'),
        ('l2',            'operator(%1$I.<->)', 'vector_l2_ops',     '1 / (1 + %s)'),
        ('inner_product', 'operator(%1$I.<#>)', 'vector_ip_ops',     '-(%s)'),
        ('l1',            'operator(%1$I.<+>)', 'vector_l1_ops',     '1 / (1 + %s)')
      ) as m (distance, operator, operator_class, similarity)
      join pg_extension x on x.extname = 'vector'
      join pg_namespace n on n.oid = x.extnamespace
     where m.distance = p_distance
$$;

comment on function evervec.metric(text) is
$$Internal. Operator, operator class and similarity expression (%s is the distance) of cosine, l2, inner_product or l1.$$;

revoke execute on function evervec.metric(text) from public;

-- file: functions/index/index_definition.sql
-- index_definition: CREATE INDEX for the vectors of a source.
--
-- Locks:  none itself.
-- needs: functions/search/metric.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.index_definition(p_source evervec.source, p_concurrently text default '')
returns text
language sql stable
set search_path from current
as $$
    select format('create index %s %I on %s using %s (embedding %I.%I)',
                  p_concurrently,
                  left(c.relname, 63 - 14) || '_embedding_idx',
                  evervec.qualified_name(p_source.target), p_source.index_method, n.nspname, (evervec.metric(p_source.distance)).operator_class)
      from pg_class c
      cross join pg_extension x
      join pg_namespace n on n.oid = x.extnamespace
     where c.oid = p_source.target and x.extname = 'vector'
$$;

comment on function evervec.index_definition(evervec.source, text) is
$$Internal. The CREATE INDEX statement of a source; p_concurrently: '' or 'concurrently'.$$;

revoke execute on function evervec.index_definition(evervec.source, text) from public;

-- file: functions/index/index_of.sql
-- index_of: the vector index of a source, if there is one, and whether it can be used.
--
-- Locks:  none.
create or replace function evervec.index_of(p_source evervec.source, out index regclass, out valid boolean)
language sql stable
set search_path from current
as $$
    select i.indexrelid::regclass, i.indisvalid
      from pg_index i
      join pg_class c on c.oid = i.indexrelid
      join pg_am a on a.oid = c.relam
      join pg_attribute t on t.attrelid = i.indrelid and t.attnum = i.indkey[0] and t.attname = 'embedding'
     where i.indrelid = p_source.target and a.amname in ('hnsw', 'ivfflat')
     order by i.indisvalid desc
     limit 1
$$;

comment on function evervec.index_of(evervec.source) is
$$Internal. The vector index on a source's embedding table and whether it is valid; NULLs when there is none.$$;

revoke execute on function evervec.index_of(evervec.source) from public;

-- file: functions/index/index_statement.sql
-- index_statement: the next statement towards the vector index of a source; NULL when nothing is left to do.
--
-- CREATE INDEX CONCURRENTLY runs in no function, so a client asks for the statement and executes it: first a DROP of what
-- a killed build has left invalid, then the CREATE.
-- Locks:  none itself; the statements take SHARE UPDATE EXCLUSIVE on the embedding table.
-- Raises: VE101 unknown source
create or replace function evervec.index_statement(p_source text)
returns text
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_index  record;
begin
    select * into v_index from evervec.index_of(v_source);
    return case
        when v_source.index_method = 'none' or v_index.valid then null
        -- Not valid yet, because somebody is building it right now.
        when v_index.index is not null and exists (
            select from pg_locks l
             where l.relation = v_source.target and l.mode = 'ShareUpdateExclusiveLock' and l.pid <> pg_backend_pid()) then null
        when v_index.index is not null then format('drop index concurrently %s', evervec.qualified_name(v_index.index))
        else evervec.index_definition(v_source, 'concurrently')
    end;
end
$$;

comment on function evervec.index_statement(text) is
$$The next statement that the vector index of a source needs, to be executed outside a transaction: DROP INDEX CONCURRENTLY of an invalid one, or CREATE INDEX CONCURRENTLY; NULL when the index stands, is being built, or none is wanted. Raises VE101.$$;

revoke execute on function evervec.index_statement(text) from public;

-- file: functions/model/add_model.sql
-- add_model: makes an embedding model known. Adding the same model again changes nothing.
--
-- Locks:  ROW EXCLUSIVE on evervec.model.
-- Raises: VE109 the name is taken by a different definition, or a value is out of its range
create or replace function evervec.add_model(
    p_name                     text,
    p_provider                 text,
    p_dimensions               integer,
    p_provider_model           text default null,
    p_input_limit              integer default 8191,
    p_price_per_million_tokens numeric default null,
    p_document_prefix          text default '',
    p_query_prefix             text default '',
    p_request                  jsonb default '{}',
    p_requests_per_minute      integer default null,
    p_tokens_per_minute        integer default null,
    p_batch_texts              integer default 100,
    p_batch_tokens             integer default 100000
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_constraint text;
    v_message    text;
begin
    insert into evervec.model
        (name, provider, provider_model, dimensions, input_limit, price_per_million_tokens, document_prefix,
         query_prefix, request, requests_per_minute, tokens_per_minute, batch_texts, batch_tokens)
    values
        (p_name, p_provider, coalesce(p_provider_model, p_name), p_dimensions, p_input_limit,
         p_price_per_million_tokens, p_document_prefix, p_query_prefix, p_request, p_requests_per_minute,
         p_tokens_per_minute, p_batch_texts, p_batch_tokens)
    on conflict (name) do nothing;

    if not exists (
        select
          from evervec.model m
         where m.name = p_name
           and (m.provider, m.provider_model, m.dimensions, m.document_prefix, m.query_prefix, m.request)
               is not distinct from
               (p_provider, coalesce(p_provider_model, p_name), p_dimensions, p_document_prefix, p_query_prefix, p_request)
    ) then
        raise exception using
            errcode = 'VE109',
            message = format('model "%s" exists with a different definition', p_name),
            detail  = 'Provider, provider model, dimensions, prefixes and request decide what a vector means; they never change under a name.',
            hint    = 'Add the new definition under another name.';
    end if;
    return p_name;
exception
    when check_violation or not_null_violation then
        get stacked diagnostics v_constraint = constraint_name, v_message = message_text;
        raise exception using
            errcode = 'VE109',
            message = format('model "%s" cannot be added: a value is out of its range', p_name),
            detail  = v_message,
            hint    = 'dimensions: 1 to 16000; limits: positive or NULL; provider: lower-case letters, digits, - and _; request: a JSON object.';
end
$$;

comment on function evervec.add_model(text, text, integer, text, integer, numeric, text, text, jsonb, integer, integer, integer, integer) is
$$Makes an embedding model known and returns its name. p_provider: local or openai (any compatible API). p_dimensions: length of a vector, 1 to 16000. p_provider_model: the provider's name for it (default: p_name). p_input_limit: tokens a text. p_price_per_million_tokens: in any one currency. p_document_prefix, p_query_prefix: put before texts and queries. p_request: extra members of the request body. p_requests_per_minute, p_tokens_per_minute: NULL is unlimited. p_batch_texts, p_batch_tokens: most texts and tokens a request. Raises VE109.$$;

revoke execute on function evervec.add_model(text, text, integer, text, integer, numeric, text, text, jsonb, integer, integer, integer, integer) from public;

-- file: functions/model/model_named.sql
-- model_named: the model of that name, or the error that every function gives for an unknown one.
--
-- Locks:  none.
-- Raises: VE108 unknown model
create or replace function evervec.model_named(p_model text)
returns evervec.model
language plpgsql stable
set search_path from current
as $$
declare
    v_model evervec.model;
begin
    select * into v_model from evervec.model m where m.name = p_model;
    if not found then
        raise exception using
            errcode = 'VE108',
            message = format('model "%s" does not exist', p_model),
            detail  = coalesce(
                (select 'Known models: ' || string_agg(m.name, ', ' order by m.name) || '.' from evervec.model m),
                'No model is known.'),
            hint    = 'Add it with: SELECT evervec.add_model(''text-embedding-3-small'', ''openai'', 1536);';
    end if;
    return v_model;
end
$$;

comment on function evervec.model_named(text) is
$$Internal. The row of a model by its name. Raises VE108 when there is none.$$;

revoke execute on function evervec.model_named(text) from public;

-- file: functions/model/get_model.sql
-- get_model: what a caller needs to know to embed with a model.
--
-- Locks:  none.
-- Raises: VE108 unknown model
-- needs: functions/model/model_named.sql
create or replace function evervec.get_model(p_name text)
returns table (
    name            text,
    provider        text,
    provider_model  text,
    dimensions      integer,
    input_limit     integer,
    document_prefix text,
    query_prefix    text,
    request         jsonb,
    batch_texts     integer,
    batch_tokens    integer,
    paused_until    timestamptz
)
language sql stable security definer
set search_path from current
as $$
    select m.name, m.provider, m.provider_model, m.dimensions, m.input_limit, m.document_prefix, m.query_prefix,
           m.request, m.batch_texts, m.batch_tokens, m.paused_until
      from evervec.model_named(p_name) m
$$;

comment on function evervec.get_model(text) is
$$One model by its name: provider, the provider's name for it, dimensions, limits, prefixes, extra request body. Raises VE108.$$;

revoke execute on function evervec.get_model(text) from public;

-- file: functions/queue/backfill.sql
-- backfill: starts a pass that finds rows without a vector of the source's model and queues them.
--
-- The pass runs in slices as workers claim, whenever the queue runs low, so that neither the queue nor a transaction grows with
-- the table, and fresh changes are never behind it. Its jobs have priority 8.
-- Locks:  ROW EXCLUSIVE on evervec.source.
-- Raises: VE101 unknown source
create or replace function evervec.backfill(p_source text)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.start_pass(v_source.source_id, 'backfill');
    return evervec.estimated_rows(v_source.relation);
end
$$;

comment on function evervec.backfill(text) is
$$Starts, or starts anew, the search for rows without a vector; workers do the rest. Returns the planner's estimate of the table's rows. Raises VE101.$$;

revoke execute on function evervec.backfill(text) from public;

-- file: functions/queue/claim_jobs.sql
-- claim_jobs: the next jobs for a worker, with the text to embed.
--
-- Folds the change log, takes back expired leases, feeds passes under way when the queue has run low, leases what is most
-- urgent, renders the texts. Jobs that need no vector (text unchanged, row gone, text empty) are settled here and only reported.
--
-- Locks:  the claimed jobs; ROW SHARE on the sources, waited for half a second at most (a source under ALTER TABLE is
--         tried again later).
-- Raises: VE301 bad arguments
create or replace function evervec.claim_jobs(
    p_limit   integer default 100,
    p_lease   interval default '5 minutes',
    p_worker  text default null,
    p_sources text[] default null
)
returns table (
    job_id       bigint,
    lease_token  uuid,
    source       text,
    task_type    text,
    row_key      jsonb,
    attempts     integer,
    state        text,
    content      text,
    content_hash bytea,
    model        text
)
language plpgsql security definer
set search_path from current
set lock_timeout = '500ms'
as $$
declare
    v_token   uuid := gen_random_uuid();
    v_sources integer[];
    v_source  evervec.source;
    v_leased  bigint := 0;
    v_began   timestamptz := clock_timestamp();
begin
    if coalesce(p_limit < 1, true) or coalesce(p_lease <= interval '0', true) then
        raise exception using
            errcode = 'VE301', message = 'p_limit and p_lease must be positive',
            detail  = format('p_limit is %s, p_lease is %s.', p_limit, p_lease),
            hint    = 'For example: SELECT * FROM evervec.claim_jobs(100, ''5 minutes'');';
    end if;

    perform evervec.fold();
    perform evervec.reclaim();

    select array_agg(s.source_id) into v_sources
      from evervec.source s
      join evervec.model m using (model_id)
     where s.state = 'active'
       and coalesce(m.paused_until, '-infinity') <= now()
       and (p_sources is null or s.name = any (p_sources));

    -- A pass may look at many rows that need nothing; the next call goes on where this one stops.
    loop
        v_leased := v_leased + evervec.lease_jobs(p_limit - v_leased, p_lease, v_token, v_sources);
        exit when v_leased >= p_limit
               or clock_timestamp() > v_began + interval '1 second'
               or evervec.feed(greatest(p_limit, 1000), v_sources) = 0;
    end loop;

    for v_source in
        select s.*
          from evervec.source s
         where s.source_id in (select q.source_id from evervec.processing_queue q where q.lease_token = v_token)
    loop
        return query
        select r.job_id, v_token, v_source.name, r.task_type, r.row_key, r.attempts, r.state, r.content, r.content_hash,
               m.name
          from evervec.render_jobs(v_source, v_token) r
          join evervec.model m on m.model_id = v_source.model_id;
    end loop;
end
$$;

comment on function evervec.claim_jobs(integer, interval, text, text[]) is
$$Leases up to p_limit jobs (default 100) for p_lease (default 5 minutes) under one lease_token and returns them. state embed: needs a vector of content (its SHA-256 is content_hash); unchanged, gone, empty, failed, locked: settled already, reported only. p_worker: for your own records. p_sources: NULL is all. No rows: nothing is due now. Raises VE301.$$;

revoke execute on function evervec.claim_jobs(integer, interval, text, text[]) from public;

-- file: functions/queue/complete_jobs.sql
-- complete_jobs: stores the vectors of leased jobs, each only while it is still true.
--
-- Fenced twice: the lease token must still be the job's, and the row's text, rendered again under a KEY SHARE lock, must still have the
-- claimed hash. A row that a user's transaction holds is never waited for.
--
-- Locks:  the jobs in (source_id, task_type, row_key) order; the rows FOR KEY SHARE SKIP LOCKED; table locks are waited for half a second.
-- Raises: VE301 bad arguments · VE109 a vector has not the model's dimensions
create or replace function evervec.complete_jobs(
    p_lease_token uuid,
    p_job_ids     bigint[],
    p_embeddings  vector[]
)
returns table (job_id bigint, outcome text)
language plpgsql security definer
set search_path from current
set lock_timeout = '500ms'
as $$
declare
    v_batch    record;
    v_outcomes text[];
    v_gone     jsonb[];
begin
    if p_lease_token is null or p_job_ids is null or p_embeddings is null
       or cardinality(p_job_ids) <> cardinality(p_embeddings) then
        raise exception using
            errcode = 'VE301', message = 'complete_jobs needs a lease token and as many vectors as jobs',
            detail  = format('%s jobs, %s vectors.', cardinality(p_job_ids), cardinality(p_embeddings)),
            hint    = 'Pass the lease_token of claim_jobs and one vector a job_id, in the same order.';
    end if;

    return query
    select u.job_id, 'lost'
      from unnest(p_job_ids) as u (job_id)
     where not exists (
        select from evervec.processing_queue q
         where q.job_id = u.job_id and q.lease_token = p_lease_token and q.status = 'processing');

    for v_batch in
        select l.source_id, array_agg(l.job_id order by l.job_id) as job_ids, array_agg(l.row_key order by l.job_id) as row_keys,
               array_agg(l.claimed_hash order by l.job_id) as hashes, array_agg(l.embedding order by l.job_id) as embeddings
          from (
            select q.source_id, q.job_id, q.row_key, q.claimed_hash, u.embedding
              from unnest(p_job_ids, p_embeddings) as u (job_id, embedding)
              join evervec.processing_queue q on q.job_id = u.job_id
             where q.lease_token = p_lease_token and q.status = 'processing' and q.claimed_hash is not null
             order by q.source_id, q.task_type, q.row_key
               for update of q
          ) l
         group by l.source_id
    loop
        select evervec.write_vectors(s, v_batch.row_keys, v_batch.hashes, v_batch.embeddings) into v_outcomes
          from evervec.source s
         where s.source_id = v_batch.source_id;
        perform evervec.finish_jobs(v_batch.job_ids, v_outcomes);
        return query select u.job_id, u.outcome from unnest(v_batch.job_ids, v_outcomes) as u (job_id, outcome);
    end loop;
end
$$;

comment on function evervec.complete_jobs(uuid, bigint[], vector[]) is
$$Stores one vector a job and settles the jobs. outcome: completed; superseded (the row changed meanwhile, queued again); gone (row deleted); locked (a user's transaction holds the row, tried again later); lost (the lease is no longer yours, vector discarded). Keep calls under about 100 jobs so that transactions stay short. Raises VE109, VE301, 55P03.$$;

revoke execute on function evervec.complete_jobs(uuid, bigint[], vector[]) from public;

-- file: functions/queue/coverage.sql
-- coverage: how much of a source has the vector it should have, by comparing every hash.
--
-- Reads and renders the whole table: exact, and as slow as that. The view evervec.status has an estimate.
-- Locks:  ACCESS SHARE on the table and its embedding table.
-- Raises: VE101 unknown source
create or replace function evervec.coverage(p_source text)
returns table (source text, total bigint, embedded bigint, missing bigint, percent numeric)
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    return query execute format(
        $sql$
        select $1, c.total, c.embedded, c.total - c.embedded,
               case when c.total = 0 then 100.0 else trunc(100.0 * c.embedded / c.total, 1) end
          from (
            select count(*) filter (where x.state <> 'empty') as total,
                   count(*) filter (where x.state = 'ok') as embedded
              from evervec.%I(null, null, true) x
          ) c
        $sql$, 'slice_' || v_source.name)
    using v_source.name;
end
$$;

comment on function evervec.coverage(text) is
$$total: rows that have a text; embedded: those whose vector is of the source's model and of that very text; missing: the others; percent: rounded down to one decimal, so that 100.0 means all. Reads the whole table. Raises VE101.$$;

revoke execute on function evervec.coverage(text) from public;

-- file: functions/queue/erase_vectors.sql
-- erase_vectors: drops the vectors of some keys of a source.
--
-- Locks:  the vectors' rows, SKIP LOCKED.
create or replace function evervec.erase_vectors(p_source evervec.source, p_row_keys jsonb[])
returns integer[]
language plpgsql
set search_path from current
as $$
declare
    v_held integer[];
begin
    execute format('select evervec.%I($1)', 'erase_' || p_source.name) into v_held using p_row_keys;
    return v_held;
end
$$;

comment on function evervec.erase_vectors(evervec.source, jsonb[]) is
$$Internal. Drops vectors by key; returns the positions of those that another transaction holds.$$;

revoke execute on function evervec.erase_vectors(evervec.source, jsonb[]) from public;

-- file: functions/queue/estimated_rows.sql
-- estimated_rows: the planner's estimate of a table's rows, partitions included, without reading it.
--
-- Volatile, because PostgreSQL allows EXPLAIN in no other function.
-- Locks:  none.
create or replace function evervec.estimated_rows(p_relation regclass)
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    v_plan jsonb;
begin
    -- The planner scales the last statistics to the table's present size, which reltuples alone does not.
    execute format('explain (format json) select from %s', p_relation) into v_plan;
    return (v_plan #>> '{0,Plan,Plan Rows}')::bigint;
exception when insufficient_privilege or undefined_table then
    return null;
end
$$;

comment on function evervec.estimated_rows(regclass) is
$$Internal. Estimated number of rows of a table; NULL when the caller may not read it.$$;

revoke execute on function evervec.estimated_rows(regclass) from public;

-- file: functions/queue/extend_lease.sql
-- extend_lease: the heartbeat of a worker whose call takes long.
--
-- Locks:  the jobs of the lease in (source_id, task_type, row_key) order.
create or replace function evervec.extend_lease(p_lease_token uuid, p_lease interval default '5 minutes')
returns integer
language sql security definer
set search_path from current
as $$
    with leased as (
        select q.job_id
          from evervec.processing_queue q
         where q.lease_token = p_lease_token and q.status = 'processing'
         order by q.source_id, q.task_type, q.row_key
           for update
    ), extended as (
        update evervec.processing_queue q
           set lease_expires_at = clock_timestamp() + p_lease
          from leased l
         where q.job_id = l.job_id
        returning 1
    )
    select count(*)::integer from extended
$$;

comment on function evervec.extend_lease(uuid, interval) is
$$Extends the lease of all jobs under a token to p_lease (default 5 minutes) from now; returns how many there still are.$$;

revoke execute on function evervec.extend_lease(uuid, interval) from public;

-- file: functions/queue/fail_jobs.sql
-- fail_jobs: what a worker says when jobs could not be embedded; retry_policy decides what follows.
--
-- Locks:  the jobs in (source_id, task_type, row_key) order.
-- Raises: VE301 unknown error class
create or replace function evervec.fail_jobs(
    p_lease_token uuid,
    p_job_ids     bigint[],
    p_error_class text,
    p_message     text,
    p_status_code integer default null,
    p_retry_after interval default null
)
returns table (job_id bigint, outcome text, available_at timestamptz)
language plpgsql security definer
set search_path from current
as $$
declare
    v_policy evervec.retry_policy;
begin
    select * into v_policy from evervec.retry_policy p where p.error_class = p_error_class;
    if not found then
        raise exception using
            errcode = 'VE301',
            message = format('error class "%s" is not known', p_error_class),
            detail  = (select 'Classes: ' || string_agg(p.error_class, ', ' order by p.error_class) || '.' from evervec.retry_policy p),
            hint    = 'Add a row to evervec.retry_policy, or use one of these.';
    end if;

    return query
    with leased as materialized (
        select q.job_id,
               q.attempts + v_policy.costs_attempt::integer as attempts,
               q.failures || jsonb_build_object(
                   'at', clock_timestamp(), 'class', p_error_class, 'status', p_status_code, 'message', left(p_message, 1000)
               ) as failures
          from evervec.processing_queue q
         where q.job_id = any (p_job_ids) and q.lease_token = p_lease_token and q.status = 'processing'
         order by q.source_id, q.task_type, q.row_key
           for update
    ), dead as (
        delete from evervec.processing_queue q
         using leased l
         where q.job_id = l.job_id and l.attempts >= v_policy.max_attempts
        returning q.*, l.attempts as made, l.failures as history
    ), buried as (
        insert into evervec.dead_letter
            (job_id, source_id, task_type, row_key, task_data, priority, error_class, status_code, message, failures, metadata,
             first_failed_at)
        select d.job_id, d.source_id, d.task_type, d.row_key, d.task_data, d.priority, p_error_class, p_status_code, p_message,
               d.history, d.metadata, (d.history #>> '{0,at}')::timestamptz
          from dead d
    ), retried as (
        update evervec.processing_queue q
           set status           = 'pending',
               lease_token      = null,
               lease_expires_at = null,
               attempts         = l.attempts,
               -- A class that never gives up would grow its history for ever.
               failures         = case when jsonb_array_length(l.failures) > 20 then l.failures - 0 else l.failures end,
               last_error       = left(p_message, 1000),
               available_at     = clock_timestamp() + coalesce(p_retry_after, evervec.retry_delay(v_policy, l.attempts))
          from leased l
         where q.job_id = l.job_id and (l.attempts >= v_policy.max_attempts) is not true
        returning q.job_id, q.available_at
    )
    select u.job_id,
           case when r.job_id is not null then 'retry' when d.job_id is not null then 'dead' else 'lost' end,
           r.available_at
      from unnest(p_job_ids) as u (job_id)
      left join retried r on r.job_id = u.job_id
      left join dead d on d.job_id = u.job_id;
end
$$;

comment on function evervec.fail_jobs(uuid, bigint[], text, text, integer, interval) is
$$Reports failed jobs. p_error_class: timeout, network, rate_limit, server_error, auth, quota, bad_input, not_found, invalid_response or render; evervec.retry_policy says what each means. p_status_code: of HTTP. p_retry_after: overrides the policy's delay. outcome: retry (at available_at), dead (moved to the dead letters) or lost (the lease is no longer yours). Raises VE301.$$;

revoke execute on function evervec.fail_jobs(uuid, bigint[], text, text, integer, interval) from public;

-- file: functions/queue/feed.sql
-- feed: takes one slice of one pass that is under way and queues the rows in it whose vectors are not right.
--
-- The pass that is least advanced goes first, so that a great table does not keep the small ones waiting. A source that is locked
-- (ALTER TABLE) is passed over. When a recipe fails on some row of a slice, the whole slice is queued: claim_jobs finds out which.
--
-- Locks:  the row of evervec.source, SKIP LOCKED: another session's slice is not waited for.
create or replace function evervec.feed(p_limit integer, p_sources integer[])
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_source   evervec.source;
    v_examined bigint;
begin
    for v_source in
        select *
          from evervec.source s
         where s.pass_kind is not null and s.source_id = any (p_sources)
         order by s.pass_examined, s.source_id
           for update skip locked
    loop
        begin
            v_examined := evervec.feed_slice(v_source, p_limit, v_source.pass_kind = 'reconcile');
            return v_examined;
        exception
            when lock_not_available then
                continue;
            when others then
                return evervec.feed_slice(v_source, p_limit, false, p_all => true);
        end;
    end loop;
    return 0;
end
$$;

comment on function evervec.feed(integer, integer[]) is
$$Internal. One slice of p_limit rows of one backfill or reconcile under way among the given sources; returns the rows looked at, 0 when no pass is under way.$$;

revoke execute on function evervec.feed(integer, integer[]) from public;

-- file: functions/queue/feed_slice.sql
-- feed_slice: the next slice of the pass of one source: looks at its rows, queues those that need it, remembers where it ended.
--
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.feed_slice(
    p_source  evervec.source,
    p_limit   integer,
    p_by_hash boolean,
    p_all     boolean default false
)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_examined bigint;
    v_queued   bigint;
    v_last     jsonb;
begin
    execute format(
        $sql$
        with slice as materialized (
            select x.row_key, x.state, x.ordinality from %s with ordinality as x
        ), queued as (
            insert into evervec.processing_queue (source_id, row_key, priority, metadata)
            select $3, s.row_key, 8, jsonb_build_object('operation', s.state, 'triggered_by', $4, 'triggered_at', now())
              from slice s
             where s.state in ('missing', 'stale', 'orphan') or $6
             order by s.row_key
            on conflict (source_id, task_type, row_key) do nothing
            returning 1
        )
        select (select count(*) from slice),
               (select count(*) from queued),
               (select s.row_key from slice s order by s.ordinality desc limit 1)
        $sql$,
        case p_source.pass_stage
            when 'rows' then format('evervec.%I($1, $2, $5)', 'slice_' || p_source.name)
            else format('evervec.%I($1, $2)', 'orphans_' || p_source.name)
        end)
    into v_examined, v_queued, v_last
    using p_source.pass_after, p_limit, p_source.source_id, p_source.pass_kind, p_by_hash, p_all;

    if v_examined > 0 then
        update evervec.source s
           set pass_after    = v_last,
               pass_examined = s.pass_examined + v_examined,
               pass_queued   = s.pass_queued + v_queued
         where s.source_id = p_source.source_id;
        return v_examined;
    end if;

    if p_source.pass_kind = 'reconcile' and p_source.pass_stage = 'rows' then
        update evervec.source s
           set pass_stage = 'vectors', pass_after = null
         where s.source_id = p_source.source_id;
    else
        update evervec.source s
           set pass_kind = null, pass_stage = null, pass_after = null
         where s.source_id = p_source.source_id;
    end if;
    -- The end of a stage has looked at no row, but there may be another stage or another source.
    return 1;
end
$$;

comment on function evervec.feed_slice(evervec.source, integer, boolean, boolean) is
$$Internal. One slice of a source's pass. p_by_hash: compare texts too; p_all: queue every row of the slice. Returns the rows looked at, at least 1.$$;

revoke execute on function evervec.feed_slice(evervec.source, integer, boolean, boolean) from public;

-- file: functions/queue/finish_jobs.sql
-- finish_jobs: settles leased jobs by what became of their rows.
--
-- Done (completed, unchanged, gone, empty): the job goes and leaves a receipt, unless the row changed since the claim: then it is
-- pending again. superseded: pending again. locked: pending again in five seconds. None of these costs an attempt.
-- Locks:  the jobs, which the caller has locked or leased in this transaction.
create or replace function evervec.finish_jobs(p_job_ids bigint[], p_outcomes text[])
returns void
language sql
set search_path from current
as $$
    with settled as materialized (
        select u.job_id, u.outcome, u.outcome not in ('superseded', 'locked') as done
          from unnest(p_job_ids, p_outcomes) as u (job_id, outcome)
    ), removed as (
        delete from evervec.processing_queue q
         using settled s
         where q.job_id = s.job_id and s.done and q.generation = q.claimed_generation
        returning q.job_id, q.source_id, q.task_type, q.row_key, s.outcome, q.attempts, q.generation, q.created_at
    ), returned as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null,
               available_at = case s.outcome when 'locked' then now() + interval '5 seconds' else now() end
          from settled s
         where q.job_id = s.job_id and not (s.done and q.generation = q.claimed_generation)
    )
    insert into evervec.job_receipt (job_id, source_id, task_type, row_key, outcome, attempts, generation, created_at)
    select r.job_id, r.source_id, r.task_type, r.row_key, r.outcome, r.attempts, r.generation, r.created_at
      from removed r
$$;

comment on function evervec.finish_jobs(bigint[], text[]) is
$$Internal. Removes jobs that are done, with a receipt, and returns the others to pending.$$;

revoke execute on function evervec.finish_jobs(bigint[], text[]) from public;

-- file: functions/queue/fold.sql
-- fold: moves one slice of change_log into processing_queue, one job a row however often it changed.
--
-- One fold at a time (a transaction-level advisory lock; the others have nothing to wait for). A slice begins where the last one
-- ended: scanned by TID range, it never walks over the dead rows of earlier slices, which a held snapshot may keep from being
-- vacuumed. What is committed late, or written into space that vacuum gave back, lies before that point; it is found by a scan
-- from the first block, made at the end of the log and, when dead rows make it slow, only so often that it costs a twentieth of the time.
--
-- A change without a key (TRUNCATE) starts a reconciling pass. Changes of sources that are no longer tracked are dropped.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.fold(p_limit integer default 10000)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_state   evervec.fold_state;
    v_from    bigint;
    v_rows    tid[];
    v_more    tid[];
    v_began   timestamptz;
    v_cost    interval;
    v_next    bigint;
begin
    if not pg_try_advisory_xact_lock(evervec.lock_key('fold')) then
        return 0;
    end if;
    select * into v_state from evervec.fold_state;

    v_from := least(v_state.next_block, greatest(pg_relation_size('evervec.change_log') / current_setting('block_size')::bigint - 1, 0));
    v_rows := evervec.log_slice(v_from, p_limit);
    v_next := coalesce(evervec.tid_block(v_rows[cardinality(v_rows)]), v_from);

    if cardinality(v_rows) < p_limit and v_from > 0 and v_state.next_full_at <= clock_timestamp() then
        v_began := clock_timestamp();
        v_more := evervec.log_slice(0, p_limit, v_from);
        v_cost := clock_timestamp() - v_began;
        v_rows := v_rows || v_more;
        if cardinality(v_more) >= p_limit then
            v_next := evervec.tid_block(v_more[cardinality(v_more)]);
        elsif v_cost > interval '5 milliseconds' then
            v_state.next_full_at := clock_timestamp() + 20 * v_cost;
        end if;
    end if;

    if v_next <> v_state.next_block or v_state.next_full_at > clock_timestamp() then
        update evervec.fold_state
           set next_block = v_next, next_full_at = v_state.next_full_at
         where (next_block, next_full_at) is distinct from (v_next, v_state.next_full_at);
    end if;
    if cardinality(v_rows) = 0 then
        return 0;
    end if;

    with taken as (
        delete from evervec.change_log l
         where l.ctid = any (v_rows)
        returning l.source_id, l.row_key, l.operation, l.logged_at
    ), changed as (
        select t.source_id, t.row_key, count(*) as changes, min(t.logged_at) as first_at,
               (array_agg(t.operation order by t.logged_at desc))[1] as operation
          from taken t
         where t.row_key is not null
         group by t.source_id, t.row_key
    ), passed as (
        select evervec.start_pass(s.source_id, 'reconcile')
          from evervec.source s
         where s.source_id in (select t.source_id from taken t where t.row_key is null)
    ), queued as (
        insert into evervec.processing_queue as q (source_id, row_key, priority, generation, metadata)
        select c.source_id, c.row_key, s.priority, c.changes,
               jsonb_build_object('operation', c.operation, 'triggered_by', 'trigger', 'triggered_at', c.first_at)
          from changed c
          join evervec.source s using (source_id)
         order by c.source_id, c.row_key
        on conflict (source_id, task_type, row_key) do update
           set generation = q.generation + excluded.generation,
               priority   = least(q.priority, excluded.priority)
    )
    select count(*) from passed into v_next;
    return cardinality(v_rows);
end
$$;

comment on function evervec.fold(integer) is
$$Internal. Moves up to about p_limit changes (default 10,000) from change_log into processing_queue; returns how many, 0 when there are none or another session is folding.$$;

revoke execute on function evervec.fold(integer) from public;

-- file: functions/queue/lease_jobs.sql
-- lease_jobs: leases the most urgent jobs that are due: by priority, then by the time since which they wait.
--
-- One range of the pending index a priority, so that jobs that wait for a retry are never walked over.
-- Locks:  the leased jobs, SKIP LOCKED.
create or replace function evervec.lease_jobs(
    p_limit       bigint,
    p_lease       interval,
    p_lease_token uuid,
    p_sources     integer[]
)
returns bigint
language sql
set search_path from current
as $$
    with due as materialized (
        select q.job_id
          from generate_series(1, 10) as p (priority)
          cross join lateral (
            select j.job_id
              from evervec.processing_queue j
             where j.status = 'pending'
               and j.priority = p.priority
               and j.available_at <= now()
               and j.source_id = any (p_sources)
             order by j.available_at, j.job_id
             limit p_limit
               for update skip locked
          ) q
         limit p_limit
    ), leased as (
        update evervec.processing_queue q
           set status             = 'processing',
               lease_token        = p_lease_token,
               lease_expires_at   = clock_timestamp() + p_lease,
               claimed_generation = q.generation,
               claimed_hash       = null,
               started_at         = clock_timestamp()
          from due d
         where q.job_id = d.job_id
        returning 1
    )
    select count(*) from leased
$$;

comment on function evervec.lease_jobs(bigint, interval, uuid, integer[]) is
$$Internal. Leases up to p_limit due jobs of the given sources under one token; returns their number.$$;

revoke execute on function evervec.lease_jobs(bigint, interval, uuid, integer[]) from public;

-- file: functions/queue/log_batch.sql
-- log_batch: one line about a processed batch, with its cost at the model's price.
--
-- Locks:  ROW EXCLUSIVE on evervec.batch_log.
create or replace function evervec.log_batch(
    p_worker      text,
    p_source      text,
    p_model       text,
    p_claimed     integer,
    p_embedded    integer,
    p_unchanged   integer,
    p_failed      integer,
    p_tokens      bigint default 0,
    p_claim_ms    real default null,
    p_embed_ms    real default null,
    p_complete_ms real default null
)
returns void
language sql security definer
set search_path from current
as $$
    insert into evervec.batch_log
        (worker, source, model, claimed, embedded, unchanged, failed, tokens, cost, claim_ms, embed_ms, complete_ms)
    values
        (p_worker, p_source, p_model, p_claimed, p_embedded, p_unchanged, p_failed, p_tokens,
         (select m.price_per_million_tokens * p_tokens / 1000000 from evervec.model m where m.name = p_model),
         p_claim_ms, p_embed_ms, p_complete_ms)
$$;

comment on function evervec.log_batch(text, text, text, integer, integer, integer, integer, bigint, real, real, real) is
$$Records one processed batch: counts of jobs, tokens, durations in milliseconds. The cost follows from the model's price.$$;

revoke execute on function evervec.log_batch(text, text, text, integer, integer, integer, integer, bigint, real, real, real) from public;

-- file: functions/queue/log_slice.sql
-- log_slice: physical addresses of committed changes, from one block on and before another, in the order of the table.
--
-- Locks:  none.
create or replace function evervec.log_slice(p_from bigint, p_limit integer, p_before bigint default null)
returns tid[]
language plpgsql stable
set search_path from current
as $$
declare
    v_rows tid[];
begin
    -- Dynamic, because a TID range scan is planned only for bounds that the planner can see.
    execute format(
        'select array(select l.ctid from evervec.change_log l where l.ctid >= %L %s limit %s)',
        format('(%s,0)', p_from),
        case when p_before is not null then format('and l.ctid < %L', format('(%s,0)', p_before)) end,
        p_limit)
    into v_rows;
    return v_rows;
end
$$;

comment on function evervec.log_slice(bigint, integer, bigint) is
$$Internal. ctids of up to p_limit rows of change_log from block p_from on, before block p_before (NULL: to the end).$$;

revoke execute on function evervec.log_slice(bigint, integer, bigint) from public;

-- file: functions/queue/pending.sql
-- pending: what is still to be done, of one source or of all.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.pending(p_source text default null)
returns table (log bigint, queued bigint, processing bigint, retrying bigint, backfill bigint)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source_id integer := case when p_source is not null then (evervec.source_named(p_source)).source_id end;
begin
    return query
    select (select count(*) from evervec.change_log l
             where l.source_id = v_source_id
                or v_source_id is null and l.source_id in (select s.source_id from evervec.source s)),
           q.queued, q.processing, q.retrying,
           (select coalesce(sum(greatest(evervec.estimated_rows(s.relation) - s.pass_examined, 1)), 0)::bigint
              from evervec.source s
             where s.pass_kind is not null and (v_source_id is null or s.source_id = v_source_id))
      from (
        select count(*) filter (where j.status = 'pending' and j.attempts = 0) as queued,
               count(*) filter (where j.status = 'processing') as processing,
               count(*) filter (where j.status = 'pending' and j.attempts > 0) as retrying
          from evervec.processing_queue j
         where v_source_id is null or j.source_id = v_source_id
      ) q;
end
$$;

comment on function evervec.pending(text) is
$$Work not done yet, of one source or (NULL) of all. log: changes not folded; queued, processing, retrying: jobs, exact; backfill: estimate of the rows that a pass under way has not looked at, at least 1 while there is a pass. All 0: every vector is up to date. Raises VE101.$$;

revoke execute on function evervec.pending(text) from public;

-- file: functions/queue/reclaim.sql
-- reclaim: makes jobs pending again whose lease has expired; their worker is late or dead.
--
-- Locks:  the expired jobs, SKIP LOCKED, in (source_id, task_type, row_key) order.
create or replace function evervec.reclaim(p_limit integer default 1000)
returns bigint
language sql
set search_path from current
as $$
    with expired as (
        select q.job_id
          from evervec.processing_queue q
         where q.status = 'processing' and q.lease_expires_at < clock_timestamp()
         order by q.source_id, q.task_type, q.row_key
         limit p_limit
           for update skip locked
    ), reclaimed as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null, available_at = now(),
               last_error = 'lease expired'
          from expired e
         where q.job_id = e.job_id
        returning 1
    )
    select count(*) from reclaimed
$$;

comment on function evervec.reclaim(integer) is
$$Internal. Returns up to p_limit jobs with an expired lease to pending; gives their number.$$;

revoke execute on function evervec.reclaim(integer) from public;

-- file: functions/queue/release_jobs.sql
-- release_jobs: gives leased jobs back untouched, at no cost of an attempt: a worker that stops, a lock that was refused.
--
-- Locks:  the jobs in (source_id, task_type, row_key) order.
create or replace function evervec.release_jobs(p_lease_token uuid, p_job_ids bigint[])
returns integer
language sql security definer
set search_path from current
as $$
    with leased as (
        select q.job_id
          from evervec.processing_queue q
         where q.job_id = any (p_job_ids) and q.lease_token = p_lease_token and q.status = 'processing'
         order by q.source_id, q.task_type, q.row_key
           for update
    ), released as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null
          from leased l
         where q.job_id = l.job_id
        returning 1
    )
    select count(*)::integer from released
$$;

comment on function evervec.release_jobs(uuid, bigint[]) is
$$Returns leased jobs to pending without costing an attempt; gives the number that were still leased under the token.$$;

revoke execute on function evervec.release_jobs(uuid, bigint[]) from public;

-- file: functions/queue/render_jobs.sql
-- render_jobs: the texts of the jobs of one source that were just leased; settles those that need no vector.
--
-- All rows are rendered in one statement. When that fails, they are rendered one by one, so that an error hurts its row only.
-- Locks:  ROW SHARE on the source; vectors of vanished rows, SKIP LOCKED.
create or replace function evervec.render_jobs(p_source evervec.source, p_lease_token uuid)
returns table (
    job_id       bigint,
    task_type    text,
    row_key      jsonb,
    attempts     integer,
    state        text,
    content      text,
    content_hash bytea
)
language plpgsql
set search_path from current
as $$
declare
    v_jobs   record;
    v_states text[];
    v_texts  text[];
    v_hashes bytea[];
    v_errors text[];
    v_erase  integer[];
    v_held   integer;
begin
    select array_agg(q.job_id order by q.job_id) as job_ids, array_agg(q.row_key order by q.job_id) as row_keys,
           array_agg(q.task_type order by q.job_id) as task_types, array_agg(q.attempts order by q.job_id) as attempts
      into v_jobs
      from evervec.processing_queue q
     where q.lease_token = p_lease_token and q.source_id = p_source.source_id;

    begin
        select r.states, r.texts, r.hashes into v_states, v_texts, v_hashes
          from evervec.render_states(p_source, v_jobs.row_keys) r;
    exception
        when lock_not_available then
            v_states := array_fill('locked'::text, array[cardinality(v_jobs.job_ids)]);
        when others then
            for v_ordinal in 1 .. cardinality(v_jobs.job_ids) loop
                begin
                    select v_states || r.states, v_texts || r.texts, v_hashes || r.hashes
                      into v_states, v_texts, v_hashes
                      from evervec.render_states(p_source, v_jobs.row_keys[v_ordinal : v_ordinal]) r;
                exception when others then
                    v_states[v_ordinal] := 'failed';
                    v_texts[v_ordinal] := null;
                    v_hashes[v_ordinal] := null;
                    v_errors[v_ordinal] := sqlerrm;
                end;
            end loop;
    end;

    -- The vector of a row without text goes; one that a user's transaction holds is tried again later.
    v_erase := array(select u.ordinality from unnest(v_states) with ordinality as u (state, ordinality)
                      where u.state in ('gone', 'empty') order by 1);
    if cardinality(v_erase) > 0 then
        foreach v_held in array evervec.erase_vectors(p_source, array(
            select v_jobs.row_keys[u.ordinal]
              from unnest(v_erase) with ordinality as u (ordinal, position)
             order by u.position))
        loop
            v_states[v_erase[v_held]] := 'locked';
        end loop;
    end if;

    perform evervec.finish_jobs(array_agg(u.job_id), array_agg(u.state))
       from unnest(v_jobs.job_ids, v_states) as u (job_id, state)
      where u.state not in ('embed', 'failed');
    perform evervec.fail_jobs(p_lease_token, array[u.job_id], 'render', u.error)
       from unnest(v_jobs.job_ids, v_states, v_errors) as u (job_id, state, error)
      where u.state = 'failed';
    update evervec.processing_queue q
       set claimed_hash = u.hash
      from unnest(v_jobs.job_ids, v_states, v_hashes) as u (job_id, state, hash)
     where q.job_id = u.job_id and u.state = 'embed';

    return query
    select u.job_id, u.task_type, u.row_key, u.attempts::integer, u.state,
           case when u.state = 'embed' then u.content end,
           case when u.state = 'embed' then u.hash end
      from unnest(v_jobs.job_ids, v_jobs.task_types, v_jobs.row_keys, v_jobs.attempts, v_states, v_texts, v_hashes)
           as u (job_id, task_type, row_key, attempts, state, content, hash);
end
$$;

comment on function evervec.render_jobs(evervec.source, uuid) is
$$Internal. Renders the leased jobs of one source; settles those whose row is gone, empty or unchanged and fails those that do not render.$$;

revoke execute on function evervec.render_jobs(evervec.source, uuid) from public;

-- file: functions/queue/render_states.sql
-- render_states: for some keys of a source, the texts as they are now and whether each needs a vector.
--
-- Locks:  none beyond ACCESS SHARE.
create or replace function evervec.render_states(
    p_source   evervec.source,
    p_row_keys jsonb[],
    out states text[],
    out texts  text[],
    out hashes bytea[]
)
language plpgsql stable
set search_path from current
as $$
begin
    execute format(
        $sql$
        select array_agg(case when not r.found then 'gone'
                              when r.content is null then 'empty'
                              when r.stored_hash = h.hash and r.stored_model_id = $2 then 'unchanged'
                              else 'embed' end order by r.ordinal),
               array_agg(r.content order by r.ordinal),
               array_agg(h.hash order by r.ordinal)
          from evervec.%I($1) r
          cross join lateral (select sha256(convert_to(r.content, 'UTF8'))) as h (hash)
        $sql$,
        'render_' || p_source.name)
    into states, texts, hashes
    using p_row_keys, p_source.model_id;
end
$$;

comment on function evervec.render_states(evervec.source, jsonb[]) is
$$Internal. Per key, in order: gone, empty, unchanged or embed; the text; its SHA-256.$$;

revoke execute on function evervec.render_states(evervec.source, jsonb[]) from public;

-- file: functions/queue/retry_delay.sql
-- retry_delay: how long a job waits before its next attempt.
--
-- Locks:  none.
create or replace function evervec.retry_delay(p_policy evervec.retry_policy, p_attempts integer)
returns interval
language sql volatile
set search_path from current
as $$
    select least(p_policy.base_delay * power(2, least(greatest(p_attempts - 1, 0), 20)), p_policy.max_delay)
           * (1 + p_policy.jitter * random())
$$;

comment on function evervec.retry_delay(evervec.retry_policy, integer) is
$$Internal. base × 2^(attempts − 1), at most max_delay, plus up to the policy's jitter of it.$$;

revoke execute on function evervec.retry_delay(evervec.retry_policy, integer) from public;

-- file: functions/queue/start_pass.sql
-- start_pass: begins a pass over a whole source; a reconcile under way is not weakened to a backfill.
--
-- Locks:  ROW EXCLUSIVE on evervec.source.
create or replace function evervec.start_pass(p_source_id integer, p_kind text)
returns void
language sql
set search_path from current
as $$
    update evervec.source s
       set pass_kind     = case when s.pass_kind = 'reconcile' then 'reconcile' else p_kind end,
           pass_stage    = 'rows',
           pass_after    = null,
           pass_examined = 0,
           pass_queued   = 0
     where s.source_id = p_source_id
$$;

comment on function evervec.start_pass(integer, text) is
$$Internal. Begins a pass (backfill or reconcile) over a source at its first row.$$;

revoke execute on function evervec.start_pass(integer, text) from public;

-- file: functions/queue/tick.sql
-- tick: the upkeep that needs no provider: folds, takes back expired leases, forgets old receipts and batches.
--
-- Workers do the first two on every claim; a scheduler calls this once a minute where workers may be away.
-- Locks:  those of fold, reclaim, and rows of what is forgotten.
create or replace function evervec.tick(
    out folded    bigint,
    out reclaimed bigint,
    out cleaned   bigint
)
language plpgsql security definer
set search_path from current
as $$
begin
    folded := evervec.fold(100000);
    reclaimed := evervec.reclaim(10000);
    with old_receipts as (
        delete from evervec.job_receipt r
         where r.ctid in (select o.ctid from evervec.job_receipt o where o.finished_at < now() - interval '24 hours' limit 10000)
        returning 1
    ), old_batches as (
        delete from evervec.batch_log b
         where b.batch_id in (select o.batch_id from evervec.batch_log o where o.finished_at < now() - interval '90 days' limit 10000)
        returning 1
    )
    select (select count(*) from old_receipts) + (select count(*) from old_batches) into cleaned;
end
$$;

comment on function evervec.tick() is
$$Upkeep in one short call: folds up to 100,000 changes, takes back up to 10,000 expired leases, forgets receipts older than 24 hours and batches older than 90 days (10,000 each). Call it again while it returns anything but zeros.$$;

revoke execute on function evervec.tick() from public;

-- file: functions/queue/tid_block.sql
-- tid_block: the block number of a physical row address.
--
-- Locks:  none.
create or replace function evervec.tid_block(p_tid tid)
returns bigint
language sql immutable
set search_path from current
as $$
    select split_part(trim('(' from p_tid::text), ',', 1)::bigint
$$;

comment on function evervec.tid_block(tid) is
$$Internal. Block number of a ctid.$$;

revoke execute on function evervec.tid_block(tid) from public;

-- file: functions/queue/write_vectors.sql
-- write_vectors: stores vectors of one source where they are still true; vectors of rows that are gone are dropped.
--
-- Locks:  rows FOR KEY SHARE SKIP LOCKED.
-- Raises: VE109 wrong number of dimensions
create or replace function evervec.write_vectors(
    p_source     evervec.source,
    p_row_keys   jsonb[],
    p_hashes     bytea[],
    p_embeddings vector[]
)
returns text[]
language plpgsql
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_wrong      integer;
    v_outcomes   text[];
begin
    select vector_dims(u.embedding) into v_wrong
      from unnest(p_embeddings) as u (embedding)
     where vector_dims(u.embedding) is distinct from v_dimensions
     limit 1;
    if found then
        raise exception using
            errcode = 'VE109',
            message = format('a vector for source "%s" has %s dimensions, not %s', p_source.name, coalesce(v_wrong::text, 'no'), v_dimensions),
            detail  = 'Nothing of this call was stored.',
            hint    = 'Embed with the model that claim_jobs names; report the jobs with evervec.fail_jobs(…, ''invalid_response'', …).';
    end if;

    execute format('select array_agg(w.outcome order by w.ordinal) from evervec.%I($1, $2, $3, $4) w', 'write_' || p_source.name)
    into v_outcomes
    using p_row_keys, p_hashes, p_embeddings, p_source.model_id;

    if 'gone' = any (v_outcomes) then
        perform evervec.erase_vectors(p_source, array(
            select u.row_key from unnest(p_row_keys, v_outcomes) as u (row_key, outcome) where u.outcome = 'gone'));
    end if;
    return v_outcomes;
end
$$;

comment on function evervec.write_vectors(evervec.source, jsonb[], bytea[], vector[]) is
$$Internal. Stores vectors of one source; returns completed, superseded, locked or gone a key, in order. Raises VE109.$$;

revoke execute on function evervec.write_vectors(evervec.source, jsonb[], bytea[], vector[]) from public;

-- file: functions/search/check_row_key.sql
-- check_row_key: a row_key in its canonical form, or the reason why it is none.
--
-- Locks:  none.
-- Raises: VE202 not an object, missing or extra keys, a value that the key's type does not take
create or replace function evervec.check_row_key(p_source evervec.source, p_row_key jsonb)
returns jsonb
language plpgsql stable
set search_path from current
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
    v_example text := (select jsonb_object_agg(k.name, '…') from unnest(p_source.key_columns) as k (name))::text;
    v_key     jsonb;
    v_detail  text;
begin
    if p_row_key is null or jsonb_typeof(p_row_key) <> 'object'
       or array(select k from jsonb_object_keys(p_row_key) k order by 1)
          <> array(select k from unnest(p_source.key_columns) k order by 1) then
        raise exception using
            errcode = 'VE202',
            message = format('%s is not a key of source "%s"', coalesce(p_row_key::text, 'NULL'), p_source.name),
            detail  = format('A row_key is a JSON object with exactly the key columns: %s.', array_to_string(p_source.key_columns, ', ')),
            hint    = format('Write it as %s.', v_example);
    end if;
    begin
        execute format('select evervec.%I(%s)', 'key_' || p_source.name, evervec.key_decoded(p_source, '$1'))
        into v_key using p_row_key;
        v_detail := 'A key column is NULL.';
    exception when data_exception then
        v_detail := sqlerrm;
    end;
    if v_key is null then
        raise exception using
            errcode = 'VE202',
            message = format('%s is not a key of source "%s"', p_row_key, p_source.name),
            detail  = v_detail,
            hint    = format('The types of %s are: %s.', array_to_string(p_source.key_columns, ', '),
                             array_to_string(p_source.key_types, ', '));
    end if;
    return v_key;
end
$$;

comment on function evervec.check_row_key(evervec.source, jsonb) is
$$Internal. The canonical form of a row_key. Raises VE202.$$;

revoke execute on function evervec.check_row_key(evervec.source, jsonb) from public;

-- file: functions/search/find_similar.sql
-- find_similar: the rows of a source nearest to a query vector, for any source by its name.
--
-- Runs as the caller, so that the privileges and policies on the embedding table hold. ef_search is lifted to the number of rows
-- wanted and put back; the threshold is applied outside the nearest-n step, where it cannot keep the index from being used.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE201 bad query vector · VE204 bad limit or threshold
create or replace function evervec.find_similar(
    p_source         text,
    p_query          vector,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}'
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
declare
    v_search record;
    v_fetch  integer;
    v_former text;
begin
    select * into v_search from evervec.search_of(p_source);
    perform evervec.query_limit(p_query, v_search.dimensions, p_limit);
    if p_min_similarity = 'NaN' then
        raise exception using
            errcode = 'VE204', message = 'a minimum similarity of NaN makes no sense',
            detail  = 'p_min_similarity is compared with the similarity of every row.',
            hint    = 'Give a number, or NULL for no threshold.';
    end if;

    v_fetch := p_limit + coalesce(cardinality(p_exclude), 0);
    v_former := coalesce(current_setting('hnsw.ef_search', true), '40');
    perform set_config('hnsw.ef_search', least(greatest(v_fetch, v_former::integer), 1000)::text, true);
    return query execute v_search.query using p_query, p_limit, v_fetch, p_min_similarity, p_exclude;
    perform set_config('hnsw.ef_search', v_former, true);
end
$$;

comment on function evervec.find_similar(text, vector, integer, real, jsonb[]) is
$$Rows of a source nearest to p_query, nearest first; ties in the order of their keys. p_query: a vector of the model's dimensions. p_limit: default 10. p_min_similarity: leave out what is less similar. p_exclude: row_keys to leave out. similarity: 1 − distance (cosine), the inner product, or 1 / (1 + distance) (l2, l1). Runs with the caller's privileges. Raises VE101, VE201, VE204.$$;

revoke execute on function evervec.find_similar(text, vector, integer, real, jsonb[]) from public;

-- file: functions/search/find_similar_to.sql
-- find_similar_to: rows most like a given row, never the row itself.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE202 bad row_key · VE203 the row has no vector · VE204 bad limit or threshold
create or replace function evervec.find_similar_to(
    p_source         text,
    p_row_key        jsonb,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}'
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
declare
    v_lookup record;
    v_query  vector;
begin
    select * into v_lookup from evervec.vector_lookup(p_source, p_row_key);
    execute v_lookup.query into v_query using v_lookup.row_key;
    if v_query is null then
        raise exception using
            errcode = 'VE203',
            message = format('row %s of source "%s" has no vector', v_lookup.row_key, p_source),
            detail  = 'The row does not exist, has no text, waits for a worker, or is hidden from you.',
            hint    = format('See what is under way: SELECT * FROM evervec.pending(%L);', p_source);
    end if;
    return query
    select * from evervec.find_similar(p_source, v_query, p_limit, p_min_similarity, v_lookup.row_key || p_exclude);
end
$$;

comment on function evervec.find_similar_to(text, jsonb, integer, real, jsonb[]) is
$$Rows most similar to one row of a source, nearest first, without the row itself. p_row_key: a JSON object of the key columns. The other parameters and the result are those of find_similar. Raises VE101, VE202, VE203, VE204.$$;

revoke execute on function evervec.find_similar_to(text, jsonb, integer, real, jsonb[]) from public;

-- file: functions/search/parse_key.sql
-- parse_key: a row_key from what a person types: the JSON object, or the bare value of a key of one column.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 not a key
create or replace function evervec.parse_key(p_source text, p_key text)
returns jsonb
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_key    jsonb;
begin
    if cardinality(v_source.key_columns) = 1 and p_key !~ '^\s*\{' then
        v_key := jsonb_build_object(v_source.key_columns[1], p_key);
    else
        begin
            v_key := p_key::jsonb;
        exception when data_exception then
            v_key := to_jsonb(p_key);
        end;
    end if;
    return evervec.check_row_key(v_source, v_key);
end
$$;

comment on function evervec.parse_key(text, text) is
$$The row_key that p_key means: a JSON object of the key columns, or the bare value where the key is one column. Raises VE101, VE202.$$;

revoke execute on function evervec.parse_key(text, text) from public;

-- file: functions/search/query_limit.sql
-- query_limit: the limit of a search, once its arguments are known to be good.
--
-- Locks:  none.
-- Raises: VE201 NULL query or wrong number of dimensions · VE204 negative or NULL limit
create or replace function evervec.query_limit(p_query vector, p_dimensions integer, p_limit integer)
returns integer
language plpgsql stable
set search_path from current
as $$
begin
    if p_query is null then
        raise exception using
            errcode = 'VE201', message = 'the query vector is NULL',
            detail  = format('A vector of %s dimensions is expected.', p_dimensions),
            hint    = 'Embed the query with the model of the source first; a subquery that finds no row gives NULL.';
    elsif vector_dims(p_query) <> p_dimensions then
        raise exception using
            errcode = 'VE201',
            message = format('the query vector has %s dimensions, not %s', vector_dims(p_query), p_dimensions),
            detail  = 'Query and source must be embedded with the same model.',
            hint    = 'Embed the query with the model that evervec.get_source() names.';
    elsif p_limit is null or p_limit < 0 then
        raise exception using
            errcode = 'VE204', message = format('a limit of %s makes no sense', coalesce(p_limit::text, 'NULL')),
            detail  = 'p_limit is the number of rows that a search returns at most.',
            hint    = 'Give a limit of 0 or more.';
    end if;
    return p_limit;
end
$$;

comment on function evervec.query_limit(vector, integer, integer) is
$$Internal. Returns p_limit; raises VE201 or VE204 when the arguments of a search are not good.$$;

revoke execute on function evervec.query_limit(vector, integer, integer) from public;

-- file: functions/search/render_rows.sql
-- render_rows: the texts of some rows as the recipe makes them now.
--
-- Locks:  ACCESS SHARE on what the recipe reads.
-- Raises: VE101 unknown source · VE202 bad row_key
create or replace function evervec.render_rows(p_source text, p_row_keys jsonb[])
returns table (row_key jsonb, content text)
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_keys   jsonb[] := array(select evervec.check_row_key(v_source, k.row_key)
                                from unnest(p_row_keys) with ordinality as k (row_key, ordinality) order by k.ordinality);
begin
    return query execute format('select ($1)[r.ordinal], r.content from evervec.%I($1) r order by r.ordinal', 'render_' || v_source.name)
    using v_keys;
end
$$;

comment on function evervec.render_rows(text, jsonb[]) is
$$The texts of rows by key, in the order of p_row_keys; NULL where a row is gone or has no text. Raises VE101, VE202.$$;

revoke execute on function evervec.render_rows(text, jsonb[]) from public;

-- file: functions/search/render.sql
-- render: the text of a row as the recipe makes it now; NULL when it has none.
--
-- Locks:  ACCESS SHARE on what the recipe reads.
-- Raises: VE101 unknown source · VE202 bad row_key
-- needs: functions/search/render_rows.sql
create or replace function evervec.render(p_source text, p_row_key jsonb)
returns text
language sql stable
set search_path from current
as $$
    select r.content from evervec.render_rows(p_source, array[p_row_key]) r
$$;

comment on function evervec.render(text, jsonb) is
$$The text of one row as it would be embedded now; NULL when the row is gone or has no text. Raises VE101, VE202.$$;

revoke execute on function evervec.render(text, jsonb) from public;

-- file: functions/search/search_of.sql
-- search_of: the query by which find_similar searches a source.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.search_of(p_source text, out dimensions integer, out query text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_metric record := evervec.metric(v_source.distance);
begin
    select m.dimensions into dimensions from evervec.model m where m.model_id = v_source.model_id;
    query := format(
        $sql$
        with nearest as materialized (
            select %1$s as row_key, e.embedding %2$s $1 as distance
              from %3$s e
             order by e.embedding %2$s $1
             limit $3
        )
        select n.row_key, (%4$s)::real, n.distance::real
          from nearest n
         where n.row_key <> all ($5)
           and ($4 is null or %4$s >= $4)
         order by n.distance, n.row_key
         limit $2
        $sql$,
        evervec.key_call(v_source, 'e', true), v_metric.operator, evervec.qualified_name(v_source.target), format(v_metric.similarity, 'n.distance'));
end
$$;

comment on function evervec.search_of(text) is
$$Internal. Dimensions of a source's model and the text of its nearest-neighbour query over ($1 query, $2 limit, $3 rows to fetch, $4 threshold, $5 excluded). Raises VE101.$$;

revoke execute on function evervec.search_of(text) from public;

-- file: functions/search/vector_lookup.sql
-- vector_lookup: the canonical key of a row and the query that fetches its vector, for callers who may not read evervec's tables.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 bad row_key
create or replace function evervec.vector_lookup(p_source text, p_row_key jsonb, out row_key jsonb, out query text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    row_key := evervec.check_row_key(v_source, p_row_key);
    query := format('select e.embedding from (select $1) as k (row_key) join %s e on %s',
                    evervec.qualified_name(v_source.target), evervec.key_match(v_source, 'e', true));
end
$$;

comment on function evervec.vector_lookup(text, jsonb) is
$$Internal. The canonical row_key, and the text of the query over ($1 row_key) that fetches the row's vector. Raises VE101, VE202.$$;

revoke execute on function evervec.vector_lookup(text, jsonb) from public;

-- file: functions/track/act_as_owner.sql
-- act_as_owner: makes a generated function run with the rights of the owner of the source's table.
--
-- Recipes read the user's table, so they get its owner's rights and not more.
-- Locks:  none that matter.
create or replace function evervec.act_as_owner(p_source evervec.source, p_function regprocedure)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_owner regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
begin
    execute format('alter function %s security definer', p_function);
    execute format('revoke execute on function %s from public', p_function);
    if v_owner <> current_user::regrole then
        -- PostgreSQL wants the new owner to have CREATE on the schema at this moment, not afterwards.
        execute format('grant create on schema evervec to %s', v_owner);
        execute format('grant execute on function %s to current_user', p_function);
        execute format('alter function %s owner to %s', p_function, v_owner);
        execute format('revoke create on schema evervec from %s', v_owner);
        execute format('grant usage on schema evervec to %s', v_owner);
    end if;
end
$$;

comment on function evervec.act_as_owner(evervec.source, regprocedure) is
$$Internal. SECURITY DEFINER, owned by the owner of the source's table, executable by evervec's owner alone.$$;

revoke execute on function evervec.act_as_owner(evervec.source, regprocedure) from public;

-- file: functions/track/base_type.sql
-- base_type: the type below a domain, or below a domain over domains.
--
-- Locks:  none.
create or replace function evervec.base_type(p_type oid)
returns oid
language sql stable
set search_path from current
as $$
    with recursive up (type, depth) as (
        select p_type, 0
        union all
        select t.typbasetype, up.depth + 1
          from up
          join pg_type t on t.oid = up.type and t.typtype = 'd'
    )
    select up.type from up order by up.depth desc limit 1
$$;

comment on function evervec.base_type(oid) is
$$Internal. The type below a domain; the type itself when it is none.$$;

revoke execute on function evervec.base_type(oid) from public;

-- file: functions/track/check_name.sql
-- check_name: refuses a source name that its generated objects could not bear.
--
-- Locks:  none.
-- Raises: VE106 empty, or too long for a generated name · VE102 taken
create or replace function evervec.check_name(p_name text)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    -- The longest of the names that are made from it.
    v_longest text := format('evervec_%s_truncate', p_name);
begin
    if p_name is null or p_name !~ '\S' then
        raise exception using
            errcode = 'VE106', message = 'the name of a source is empty',
            detail  = 'Functions, triggers and the embedding table are named after it.',
            hint    = 'Leave p_name out to use the table''s name.';
    elsif octet_length(v_longest) > 63 then
        raise exception using
            errcode = 'VE106',
            message = format('the name "%s" is too long for a source', p_name),
            detail  = format('The trigger "%s" would have %s bytes; PostgreSQL keeps 63.', v_longest, octet_length(v_longest)),
            hint    = format('Give a p_name of at most %s bytes.', 63 - octet_length('evervec__truncate'));
    elsif exists (select from evervec.source s where s.name = p_name) then
        raise exception using
            errcode = 'VE102',
            message = format('source "%s" exists already', p_name),
            detail  = (select format('It tracks %s.', s.relation) from evervec.source s where s.name = p_name),
            hint    = 'Give another p_name to track the table once more, or evervec.untrack() the old source first.';
    end if;
end
$$;

comment on function evervec.check_name(text) is
$$Internal. Raises VE106 or VE102 when a source cannot have that name.$$;

revoke execute on function evervec.check_name(text) from public;

-- file: functions/track/check_option.sql
-- check_option: refuses a value that is not among those that an option takes.
--
-- Locks:  none.
-- Raises: VE111 unknown value
create or replace function evervec.check_option(p_option text, p_value text, p_allowed text[])
returns void
language plpgsql immutable
set search_path from current
as $$
begin
    if p_value is null or p_value <> all (p_allowed) then
        raise exception using
            errcode = 'VE111',
            message = format('%s cannot be %s', p_option, coalesce(quote_literal(p_value), 'NULL')),
            detail  = format('It takes %s.', array_to_string(p_allowed, ', ')),
            hint    = 'Choose one of these, or leave the option out for its default.';
    end if;
end
$$;

comment on function evervec.check_option(text, text, text[]) is
$$Internal. Raises VE111 when p_value is not one of p_allowed.$$;

revoke execute on function evervec.check_option(text, text, text[]) from public;

-- file: functions/track/check_relation.sql
-- check_relation: refuses what cannot be tracked, with the reason.
--
-- Locks:  none.
-- Raises: VE105 not an ordinary or partitioned table with a primary key · VE110 row-level security would hide rows
create or replace function evervec.check_relation(p_relation regclass)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_class  pg_class;
    v_reason text;
    v_hint   text;
begin
    select c.* into v_class from pg_class c where c.oid = p_relation;
    case
        when p_relation is null then
            v_reason := 'no table was named';
            v_hint := 'Name it: SELECT evervec.track(''schema.table'', p_columns => ''{title}'');';
        when not found then
            v_reason := format('there is no relation with OID %s', p_relation::oid);
            v_hint := 'Name an existing table.';
        when v_class.relnamespace = 'evervec'::regnamespace
             or exists (select from evervec.source s where s.target = p_relation) then
            v_reason := 'it belongs to evervec';
            v_hint := 'Track a table of the application.';
        when v_class.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) then
            v_reason := 'it is a system catalog';
            v_hint := 'Track a table of the application.';
        when v_class.relkind in ('v', 'm') then
            v_reason := case v_class.relkind when 'v' then 'it is a view' else 'it is a materialized view' end;
            v_hint := 'Track the table below it: changes are noticed by triggers on tables.';
        when v_class.relkind = 'f' then
            v_reason := 'it is a foreign table';
            v_hint := 'Track it in the database that holds its rows.';
        when v_class.relkind not in ('r', 'p') then
            v_reason := 'it is not a table';
            v_hint := 'Track an ordinary or a partitioned table.';
        when v_class.relpersistence = 't' then
            v_reason := 'it is a temporary table';
            v_hint := 'Its rows vanish with their session; track a permanent table.';
        when not exists (select from pg_index i where i.indrelid = p_relation and i.indisprimary) then
            v_reason := 'it has no primary key';
            v_hint := format('Give every row a name first: ALTER TABLE %s ADD PRIMARY KEY (…);', p_relation);
        else
            v_reason := null;
    end case;
    if v_reason is not null then
        raise exception using
            errcode = 'VE105',
            message = format('%s cannot be tracked: %s', coalesce(p_relation::text, 'NULL'), v_reason),
            detail  = 'evervec tracks ordinary and partitioned tables that have a primary key.',
            hint    = v_hint;
    end if;

    if v_class.relrowsecurity and v_class.relforcerowsecurity
       and not (select r.rolbypassrls or r.rolsuper from pg_roles r where r.oid = v_class.relowner) then
        raise exception using
            errcode = 'VE110',
            message = format('%s cannot be tracked: row-level security would hide rows from evervec', p_relation),
            detail  = 'Texts are rendered with the rights of the table''s owner, to whom FORCE ROW LEVEL SECURITY applies the policies too.',
            hint    = format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, or give its owner BYPASSRLS.', p_relation);
    end if;
    if not pg_has_role(v_class.relowner, 'usage') then
        raise exception using
            errcode = 'VE110',
            message = format('%s cannot be tracked by %s', p_relation, current_user),
            detail  = format('It belongs to role %s, whose rights are needed to create its triggers and its embedding table.',
                             v_class.relowner::regrole),
            hint    = format('Let the owner of evervec act for it: GRANT %s TO %I;', v_class.relowner::regrole, current_user);
    end if;
end
$$;

comment on function evervec.check_relation(regclass) is
$$Internal. Raises VE105 or VE110, with the reason, when a relation cannot be tracked.$$;

revoke execute on function evervec.check_relation(regclass) from public;

-- file: functions/track/column_text.sql
-- column_text: the SQL expression that turns a column of row s into text; NULL becomes ''.
--
-- Arrays read as a comma-separated list. Settings that change how a type prints are pinned by the functions that run it.
-- Locks:  none.
create or replace function evervec.column_text(p_relation regclass, p_column text)
returns text
language sql stable
set search_path from current
as $$
    select case when t.typcategory = 'A'
                then format('coalesce(array_to_string(s.%I, '', ''), '''')', a.attname)
                else format('coalesce(s.%I::text, '''')', a.attname) end
      from pg_attribute a
      join pg_type t on t.oid = a.atttypid
     where a.attrelid = p_relation and a.attname = p_column and a.attnum > 0 and not a.attisdropped
$$;

comment on function evervec.column_text(regclass, text) is
$$Internal. SQL expression for the text of one column of row s, '' for NULL; NULL when there is no such column.$$;

revoke execute on function evervec.column_text(regclass, text) from public;

-- file: functions/track/compile_recipe.sql
-- compile_recipe: checks what p_columns or p_template asks for and compiles it to an SQL expression over row s.
--
-- Columns join as "Name: value" lines, blank ones left out. A row whose holes are all blank has no text, so no vector.
-- Locks:  none.
-- Raises: VE103 unknown column · VE104 no recipe, both kinds, an empty one, or a malformed template
create or replace function evervec.compile_recipe(
    p_relation        regclass,
    p_columns         text[],
    p_template        text,
    out columns       text[],
    out text_expression text
)
language plpgsql stable
set search_path from current
as $$
declare
    v_unknown text;
    v_hint    text := 'Give p_columns => ''{title,body}'', or p_template => ''{title}: {body}'', not both.';
    v_pieces  text;
begin
    case
        when p_columns is not null and p_template is not null then
            raise exception using
                errcode = 'VE104', message = 'a source has columns or a template, not both',
                detail  = 'p_columns and p_template were both given.', hint = v_hint;
        when p_columns is null and p_template is null then
            raise exception using
                errcode = 'VE104', message = 'no recipe for the text of a row',
                detail  = 'Neither p_columns nor p_template was given.', hint = v_hint;
        when cardinality(p_columns) = 0 then
            raise exception using
                errcode = 'VE104', message = 'p_columns is empty',
                detail  = 'A row''s text needs at least one column.', hint = v_hint;
        when p_columns is not null then
            columns := p_columns;
        else
            select array_agg(distinct t.hole) into columns
              from evervec.template_parts(p_template) t
             where t.hole is not null;
            if columns is null then
                raise exception using
                    errcode = 'VE104', message = 'the template names no column',
                    detail  = format('Every row would have the same text: %s', left(p_template, 200)),
                    hint    = 'Write {column} where a column''s value belongs.';
            end if;
    end case;

    select c.name into v_unknown
      from unnest(columns) as c (name)
     where evervec.column_text(p_relation, c.name) is null
     limit 1;
    if found then
        raise exception using
            errcode = 'VE103',
            message = format('column "%s" of %s does not exist', v_unknown, p_relation),
            detail  = 'Columns: ' || (
                select string_agg(a.attname, ', ' order by a.attnum)
                  from pg_attribute a
                 where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped) || '.',
            hint    = 'Names are case-sensitive and written without quotes.';
    end if;

    if p_columns is not null then
        select string_agg(
                   format('case when %2$s ~ ''\S'' then %1$L || %2$s end',
                          upper(left(c.name, 1)) || replace(substr(c.name, 2), '_', ' ') || ': ',
                          evervec.column_text(p_relation, c.name)),
                   ', ' order by c.ordinality)
          into v_pieces
          from unnest(p_columns) with ordinality as c (name, ordinality);
        text_expression := format('concat_ws(E''\n'', %s)', v_pieces);
    else
        select string_agg(coalesce(quote_literal(t.literal), evervec.column_text(p_relation, t.hole)), ' || ' order by t.ordinal)
          into v_pieces
          from evervec.template_parts(p_template) t;
        text_expression := format(
            'case when concat(%s) ~ ''\S'' then %s end',
            (select string_agg(evervec.column_text(p_relation, c.name), ', ') from unnest(columns) as c (name)),
            v_pieces);
    end if;
end
$$;

comment on function evervec.compile_recipe(regclass, text[], text) is
$$Internal. The columns that a recipe reads, and the recipe as an SQL expression over row s. Raises VE103 or VE104.$$;

revoke execute on function evervec.compile_recipe(regclass, text[], text) from public;

-- file: functions/track/create_row_functions.sql
-- create_row_functions: the generated functions through which claim, complete and passes touch a source.
--
-- key_<source>(key columns) → row_key
-- render_<source>(row_keys) → texts as they are now, and what the stored vectors stand for
-- write_<source>(row_keys, hashes, vectors, model) → stores what is still true, says what became of the rest
-- erase_<source>(row_keys) → drops vectors; gives back the positions that a user's transaction holds
-- slice_<source>(after, limit, by hash) → the next rows in key order, and whether their vectors are right
-- orphans_<source>(after, limit) → the next vectors in key order, and whether their rows exist
--
-- Locks:  none that matter; the functions take ROW SHARE on the source and never wait for a row lock.
create or replace function evervec.create_row_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_name       text := p_source.name;
    v_pins       text := evervec.pinned_settings();
    v_content    text := format('(select case when r.content ~ ''\S'' then r.content end from (select %s) as r (content))',
                                p_source.text_expression);
    v_relation   text := evervec.qualified_name(p_source.relation);
    v_target     text := evervec.qualified_name(p_source.target);
    v_as_text    boolean[];
    v_key_object text;
begin
    select array_agg(k.as_text order by k.ordinal),
           string_agg(format('%L, $%s%s', c.name, c.ordinality, case when k.as_text then '::text' else '' end),
                      ', ' order by c.ordinality)
      into v_as_text, v_key_object
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
      join evervec.primary_key(p_source.relation) k on k.ordinal = c.ordinality;

    -- Without SET clauses it inlines; keys that print the same in every session need none. NULL among the arguments means that
    -- the caller could not name the row (see key_of_change).
    execute format(
        $sql$
        create or replace function evervec.%1$I(%2$s) returns jsonb
        language sql stable %3$s
        return case when %4$s then jsonb_build_object(%5$s) end
        $sql$,
        'key_' || v_name,
        array_to_string(p_source.key_types, ', '),
        case when true = any (v_as_text) then 'set search_path from current ' || v_pins else '' end,
        (select string_agg(format('$%s is not null', g), ' and ' order by g) from generate_series(1, cardinality(p_source.key_types)) g),
        v_key_object);
    execute format('revoke execute on function evervec.%I from public', 'key_' || v_name);
    execute format('grant execute on function evervec.%I to %s', 'key_' || v_name,
                   (select c.relowner::regrole from pg_class c where c.oid = p_source.relation));

    execute format(
        $sql$
        create or replace function evervec.%1$I(p_row_keys jsonb[])
        returns table (ordinal integer, found boolean, content text, stored_hash bytea, stored_model_id integer)
        language plpgsql stable
        set search_path from current %2$s
        as $body$
        begin
            return query
            select k.ordinality::integer, s.found is not null, s.content, e.content_hash, e.model_id
              from unnest(p_row_keys) with ordinality as k (row_key, ordinality)
              left join lateral (select true, %3$s from %4$s s where %5$s) as s (found, content) on true
              left join %6$s e on %7$s;
        end
        $body$
        $sql$,
        'render_' || v_name, v_pins, v_content, v_relation,
        evervec.key_match(p_source, 's', false), v_target, evervec.key_match(p_source, 'e', true));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb[])', 'render_' || v_name)::regprocedure);

    -- KEY SHARE keeps the row from being deleted under us; SKIP LOCKED never waits for a user. The text is rendered again under the
    -- lock: a vector is stored only for the text that the row has now.
    execute format(
        $sql$
        create or replace function evervec.%1$I(
            p_row_keys jsonb[], p_hashes bytea[], p_embeddings vector[], p_model_id integer
        )
        returns table (ordinal integer, outcome text)
        language plpgsql
        set search_path from current %2$s
        as $body$
        begin
            return query
            with k as materialized (
                select u.row_key, u.content_hash, u.embedding, u.ordinality
                  from unnest(p_row_keys, p_hashes, p_embeddings) with ordinality
                       as u (row_key, content_hash, embedding, ordinality)
            ), locked as materialized (
                select k.ordinality, k.content_hash, k.embedding, %3$s as content, %4$s
                  from k
                  join %5$s s on %6$s
                   for key share of s skip locked
            ), written as (
                insert into %7$s as t (content_hash, model_id, embedding, %8$s)
                select l.content_hash, p_model_id, l.embedding, %9$s
                  from locked l
                 where sha256(convert_to(l.content, 'UTF8')) = l.content_hash
                on conflict (%8$s) do update
                   set content_hash = excluded.content_hash,
                       model_id     = excluded.model_id,
                       embedding    = excluded.embedding,
                       updated_at   = now()
            )
            select k.ordinality::integer,
                   case when sha256(convert_to(l.content, 'UTF8')) = l.content_hash then 'completed'
                        when l.ordinality is not null then 'superseded'
                        when exists (select from %5$s s where %6$s) then 'locked'
                        else 'gone' end
              from k
              left join locked l on l.ordinality = k.ordinality;
        end
        $body$
        $sql$,
        'write_' || v_name, v_pins, v_content,
        (select string_agg(format('s.%I as key_%s', c.name, c.ordinality), ', ' order by c.ordinality)
           from unnest(p_source.key_columns) with ordinality as c (name, ordinality)),
        v_relation, evervec.key_match(p_source, 's', false), v_target,
        evervec.key_list(p_source, null, true),
        (select string_agg(format('l.key_%s', c.ordinality), ', ' order by c.ordinality)
           from unnest(p_source.key_columns) with ordinality as c (name, ordinality)));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb[], bytea[], vector[], integer)', 'write_' || v_name)::regprocedure);

    execute format(
        $sql$
        create or replace function evervec.%1$I(p_row_keys jsonb[])
        returns integer[]
        language plpgsql
        set search_path from current %2$s
        as $body$
        begin
            delete from %3$s d
             where d.ctid in (
                select e.ctid
                  from unnest(p_row_keys) as k (row_key)
                  join %3$s e on %4$s
                   for update of e skip locked);
            return array(
                select k.ordinality::integer
                  from unnest(p_row_keys) with ordinality as k (row_key, ordinality)
                 where exists (select from %3$s e where %4$s));
        end
        $body$
        $sql$,
        'erase_' || v_name, v_pins, v_target, evervec.key_match(p_source, 'e', true));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb[])', 'erase_' || v_name)::regprocedure);

    -- Two branches instead of one condition with OR: each is a plain range scan of the primary key.
    execute format(
        $sql$
        create or replace function evervec.%1$I(p_after jsonb, p_limit integer, p_by_hash boolean)
        returns table (row_key jsonb, state text)
        language plpgsql stable
        set search_path from current %2$s
        as $body$
        begin
            if p_after is null then
                return query %3$s;
            else
                return query %4$s;
            end if;
        end
        $body$
        $sql$,
        'slice_' || v_name, v_pins,
        evervec.slice_query(p_source, v_content, 'true'),
        evervec.slice_query(p_source, v_content,
                            format('(%s) > (%s)', evervec.key_list(p_source, 's'), evervec.key_decoded(p_source, 'p_after'))));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb, integer, boolean)', 'slice_' || v_name)::regprocedure);

    execute format(
        $sql$
        create or replace function evervec.%1$I(p_after jsonb, p_limit integer)
        returns table (row_key jsonb, state text)
        language plpgsql stable
        set search_path from current %2$s
        as $body$
        begin
            if p_after is null then
                return query %3$s;
            else
                return query %4$s;
            end if;
        end
        $body$
        $sql$,
        'orphans_' || v_name, v_pins,
        evervec.orphans_query(p_source, 'true'),
        evervec.orphans_query(p_source, format('(%s) > (%s)', evervec.key_list(p_source, 'e', true),
                                               evervec.key_decoded(p_source, 'p_after'))));
    perform evervec.act_as_owner(p_source, format('evervec.%I(jsonb, integer)', 'orphans_' || v_name)::regprocedure);
end
$$;

comment on function evervec.create_row_functions(evervec.source) is
$$Internal. Creates or replaces the functions key_, render_, write_, erase_, slice_ and orphans_<source>.$$;

revoke execute on function evervec.create_row_functions(evervec.source) from public;

-- file: functions/track/create_search_function.sql
-- create_search_function: nearest_<source>, the search that inlines into the caller's plan.
--
-- BEGIN ATOMIC and without SET, so that the planner sees an ordinary ORDER BY … LIMIT on the embedding table. What can be
-- wrong with the arguments is checked in the LIMIT, which is evaluated once an execution.
-- Locks:  none.
create or replace function evervec.create_search_function(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_distance   text := format('e.embedding %s p_query', (evervec.metric(p_source.distance)).operator);
    v_owner      regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
begin
    execute format(
        $sql$
        create or replace function evervec.%1$I(p_query vector, p_limit integer default 10)
        returns table (%2$s, distance double precision)
        language sql stable
        begin atomic
            select %3$s, %4$s
              from %5$s e
             order by %4$s
             limit evervec.query_limit(p_query, %6$s, p_limit);
        end
        $sql$,
        'nearest_' || p_source.name,
        (select string_agg(format('%I %s', k.name, t.type), ', ' order by k.ordinality)
           from unnest(p_source.target_key_columns) with ordinality as k (name, ordinality)
           join unnest(p_source.key_types) with ordinality as t (type, ordinality) on t.ordinality = k.ordinality),
        evervec.key_list(p_source, 'e', true), v_distance, evervec.qualified_name(p_source.target), v_dimensions);
    execute format('comment on function evervec.%I(vector, integer) is %L', 'nearest_' || p_source.name,
                   format('Keys of the rows of %s nearest to p_query (%s dimensions), with the %s distance, nearest first. Raises VE201, VE204.',
                          p_source.relation, v_dimensions, replace(p_source.distance, '_', ' ')));
    execute format('revoke execute on function evervec.%I(vector, integer) from public', 'nearest_' || p_source.name);
    if v_owner <> current_user::regrole then
        execute format('grant execute on function evervec.%I(vector, integer) to %s', 'nearest_' || p_source.name, v_owner);
    end if;
end
$$;

comment on function evervec.create_search_function(evervec.source) is
$$Internal. Creates or replaces nearest_<source>.$$;

revoke execute on function evervec.create_search_function(evervec.source) from public;

-- file: functions/track/create_target.sql
-- create_target: the table that holds the vectors of a source, beside the source's table and owned by the same role.
--
-- Locks:  those of CREATE TABLE.
-- Raises: VE107 a relation of that name exists
create or replace function evervec.create_target(
    p_relation           regclass,
    p_target             text,
    p_target_key_columns text[],
    p_dimensions         integer
)
returns regclass
language plpgsql
set search_path from current
as $$
declare
    v_schema  regnamespace := (select c.relnamespace from pg_class c where c.oid = p_relation);
    v_owner   regrole := (select c.relowner from pg_class c where c.oid = p_relation);
    v_columns text;
begin
    if exists (select from pg_class c where c.relnamespace = v_schema and c.relname = p_target) then
        raise exception using
            errcode = 'VE107',
            message = format('relation %s.%I exists already', v_schema, p_target),
            detail  = 'evervec keeps the vectors of this source in a table of that name and never takes over a table it did not make.',
            hint    = 'Choose another name with p_name, or rename or drop the existing relation.';
    end if;

    select string_agg(
               format('%I %s %s not null', t.name, format_type(a.atttypid, a.atttypmod),
                      (select format('collate %I.%I', n.nspname, c.collname)
                         from pg_collation c
                         join pg_namespace n on n.oid = c.collnamespace
                        where c.oid = a.attcollation)),
               ', ' order by k.ordinal)
      into v_columns
      from evervec.primary_key(p_relation) k
      join pg_attribute a on a.attrelid = p_relation and a.attname = k.column_name
      join unnest(p_target_key_columns) with ordinality as t (name, ordinality) on t.ordinality = k.ordinal;

    execute format(
        $sql$
        create table %1$s.%2$I (
            %3$s,
            content_hash bytea       not null,
            model_id     integer     not null,
            embedding    vector(%4$s) not null,
            created_at   timestamptz not null default now(),
            updated_at   timestamptz not null default now(),
            primary key (%5$s)
        )
        $sql$,
        v_schema, p_target, v_columns, p_dimensions,
        (select string_agg(quote_ident(t.name), ', ' order by t.ordinality)
           from unnest(p_target_key_columns) with ordinality as t (name, ordinality)));
    execute format('comment on table %s.%I is %L', v_schema, p_target,
                   format('Vectors of %s, kept by evervec. content_hash: SHA-256 of the text that the vector stands for.', p_relation));
    if v_owner <> current_user::regrole then
        execute format('alter table %s.%I owner to %s', v_schema, p_target, v_owner);
        execute format('grant select, insert, update, delete on %s.%I to current_user', v_schema, p_target);
    end if;
    return format('%s.%I', v_schema, p_target)::regclass;
end
$$;

comment on function evervec.create_target(regclass, text, text[], integer) is
$$Internal. Creates the embedding table of a source and returns it. Raises VE107.$$;

revoke execute on function evervec.create_target(regclass, text, text[], integer) from public;

-- file: functions/track/create_trigger_functions.sql
-- create_trigger_functions: what the triggers of a source do: append to the log, and remove vectors of rows that went.
--
-- They must never fail an application's write, so they lean on no name that may change: the key through key_of_change, the
-- embedding table through a view, which follows a rename. A writer under REPEATABLE READ or SERIALIZABLE only logs: removing a
-- vector could give it a serialization failure.
--
-- Locks:  none that matter: replacing a function locks no table.
create or replace function evervec.create_trigger_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_by_row    boolean := p_source.relation_kind = 'p';
    v_pins      text := case when exists (select from evervec.primary_key(p_source.relation) k where k.as_text)
                             then evervec.pinned_settings() else '' end;
    v_new       record;
    v_old       record;
    v_new_rows  text := case when v_by_row then '(select new.*)' else 'evervec_new' end;
    v_old_rows  text := case when v_by_row then '(select old.*)' else 'evervec_old' end;
    v_function  record;
begin
    select * into v_new from evervec.key_of_change(p_source, 'n');
    select * into v_old from evervec.key_of_change(p_source, 'o');
    execute format('create or replace view evervec.%I as select * from %s', 'vector_' || p_source.name,
                   evervec.qualified_name(p_source.target));

    for v_function in
        select f.event, array_to_string(array[
                 case when f.vanished is not null then format(
                   $sql$
                   if current_setting('transaction_isolation') not in ('repeatable read', 'serializable') then
                       delete from evervec.%I e %s;
                   end if;
                   $sql$, 'vector_' || p_source.name, f.vanished) end,
                 format('insert into evervec.change_log (source_id, operation, row_key) %s;', f.changes)
               ], '') as body
          from (values
            ('insert', null,
             format('select %s, ''I'', %s from %s n, %s', p_source.source_id, v_new.key, v_new_rows, v_new.decoy)),
            ('update', null,
             format('select %s, ''U'', %s from (select new.*) n, %s', p_source.source_id, v_new.key, v_new.decoy)),
            ('rekey', evervec.vanished_vectors(p_source, '(select old.*)'),
             format('select %1$s, ''D'', %2$s from (select old.*) o, %3$s union all select %1$s, ''I'', %4$s from (select new.*) n, %3$s',
                    p_source.source_id, v_old.key, v_old.decoy, v_new.key)),
            ('delete', evervec.vanished_vectors(p_source, v_old_rows),
             format('select %s, ''D'', %s from %s o, %s', p_source.source_id, v_old.key, v_old_rows, v_old.decoy)),
            ('truncate', '', format('values (%s, ''T'', null::jsonb)', p_source.source_id))
          ) as f (event, vanished, changes)
    loop
        execute format(
            $sql$
            create or replace function evervec.%1$I() returns trigger
            language plpgsql security definer
            set search_path from current %2$s
            as $body$
            begin
                %3$s
                return null;
            end
            $body$
            $sql$,
            format('log_%s_%s', v_function.event, p_source.name), v_pins, v_function.body);
        execute format('revoke execute on function evervec.%I() from public', format('log_%s_%s', v_function.event, p_source.name));
    end loop;
end
$$;

comment on function evervec.create_trigger_functions(evervec.source) is
$$Internal. Creates or replaces log_insert_, log_update_, log_rekey_, log_delete_ and log_truncate_<source>, and the view vector_<source>.$$;

revoke execute on function evervec.create_trigger_functions(evervec.source) from public;

-- file: functions/track/create_triggers.sql
-- create_triggers: the triggers that notice every change of a source.
--
-- INSERT and DELETE: one statement, one INSERT … SELECT, from the transition table. On a partitioned table: row triggers, because
-- statement triggers miss what is written to a partition directly. UPDATE: row triggers that fire only when a watched column
-- (or the key) really changed.
--
-- Locks:  SHARE ROW EXCLUSIVE on the source's table, which the caller has taken.
create or replace function evervec.create_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_by_row  boolean := p_source.relation_kind = 'p';
    v_trigger record;
begin
    perform evervec.create_trigger_functions(p_source);
    for v_trigger in
        select t.event, t.operation, t.condition
          from (values
            ('insert', 'insert', case when v_by_row then 'for each row'
                                      else 'referencing new table as evervec_new for each statement' end),
            ('update', 'update', format('for each row when (%s)', evervec.row_differs(p_source.watched_columns))),
            ('rekey', 'update', format('for each row when (%s)', evervec.row_differs(p_source.key_columns))),
            ('delete', 'delete', case when v_by_row then 'for each row'
                                      else 'referencing old table as evervec_old for each statement' end),
            ('truncate', 'truncate', 'for each statement')
          ) as t (event, operation, condition)
    loop
        execute format('create trigger %I after %s on %s %s execute function evervec.%I()',
                       format('evervec_%s_%s', p_source.name, v_trigger.event), v_trigger.operation, p_source.relation,
                       v_trigger.condition, format('log_%s_%s', v_trigger.event, p_source.name));
    end loop;
end
$$;

comment on function evervec.create_triggers(evervec.source) is
$$Internal. Creates the triggers evervec_<source>_insert, _update, _rekey, _delete and _truncate.$$;

revoke execute on function evervec.create_triggers(evervec.source) from public;

-- file: functions/track/generated_functions.sql
-- generated_functions: the names of all functions that a source has of its own.
--
-- Locks:  none.
create or replace function evervec.generated_functions(p_source text)
returns text[]
language sql immutable
set search_path from current
as $$
    select array_agg(prefix || '_' || p_source)
      from unnest(array['nearest', 'key', 'render', 'write', 'erase', 'slice', 'orphans',
                        'log_insert', 'log_update', 'log_rekey', 'log_delete', 'log_truncate']) as prefix
$$;

comment on function evervec.generated_functions(text) is
$$Internal. Names of the functions in schema evervec that were generated for a source.$$;

revoke execute on function evervec.generated_functions(text) from public;

-- file: functions/track/get_source.sql
-- get_source: what a caller needs to know about a source to search it.
--
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/core/source_named.sql
create or replace function evervec.get_source(p_name text)
returns table (
    name               text,
    relation           text,
    model              text,
    dimensions         integer,
    target             text,
    distance           text,
    key_columns        text[],
    target_key_columns text[],
    state              text
)
language sql stable security definer
set search_path from current
as $$
    select s.name, s.relation::text, m.name, m.dimensions, s.target::text, s.distance, s.key_columns, s.target_key_columns, s.state
      from evervec.source_named(p_name) s
      join evervec.model m using (model_id)
$$;

comment on function evervec.get_source(text) is
$$One source by its name: table, model, dimensions, embedding table, distance, key columns, state. Raises VE101.$$;

revoke execute on function evervec.get_source(text) from public;

-- file: functions/track/key_list.sql
-- key_list: the key columns of a source as a list, for generated SQL: s.id, s.lang.
--
-- Locks:  none.
create or replace function evervec.key_list(
    p_source evervec.source,
    p_alias  text,
    p_target boolean default false
)
returns text
language sql immutable
set search_path from current
as $$
    select string_agg(concat_ws('.', p_alias, quote_ident(c.name)), ', ' order by c.ordinality)
      from unnest(case when p_target then p_source.target_key_columns else p_source.key_columns end)
           with ordinality as c (name, ordinality)
$$;

comment on function evervec.key_list(evervec.source, text, boolean) is
$$Internal. Key columns of the source (or of its embedding table) behind an alias, NULL for none, as a list.$$;

revoke execute on function evervec.key_list(evervec.source, text, boolean) from public;

-- file: functions/track/key_call.sql
-- key_call: the SQL that builds the row_key of a row: evervec.key_film(s.id).
--
-- Locks:  none.
-- needs: functions/track/key_list.sql
create or replace function evervec.key_call(
    p_source evervec.source,
    p_alias  text,
    p_target boolean default false
)
returns text
language sql immutable
set search_path from current
as $$
    select format('evervec.%I(%s)', 'key_' || p_source.name, evervec.key_list(p_source, p_alias, p_target))
$$;

comment on function evervec.key_call(evervec.source, text, boolean) is
$$Internal. Call of the source's generated key function on a row of the source (or of its embedding table).$$;

revoke execute on function evervec.key_call(evervec.source, text, boolean) from public;

-- file: functions/track/key_decoded.sql
-- key_decoded: the key columns read out of a row_key: (k.row_key->>'id')::integer, …
--
-- Locks:  none.
create or replace function evervec.key_decoded(p_source evervec.source, p_row_key text)
returns text
language sql immutable
set search_path from current
as $$
    select string_agg(format('(%s->>%L)::%s', p_row_key, c.name, c.type), ', ' order by c.ordinality)
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
$$;

comment on function evervec.key_decoded(evervec.source, text) is
$$Internal. Typed key values out of a jsonb expression, as a list.$$;

revoke execute on function evervec.key_decoded(evervec.source, text) from public;

-- file: functions/track/key_match.sql
-- key_match: the condition that two sides have the same key, compared as the primary key compares.
--
-- The left side is an alias; the right side an alias too, or NULL for the row_key in k.row_key.
-- Locks:  none.
create or replace function evervec.key_match(
    p_source       evervec.source,
    p_left         text,
    p_left_target  boolean,
    p_right        text default null,
    p_right_target boolean default false
)
returns text
language sql immutable
set search_path from current
as $$
    select string_agg(
               format('%s.%I %s %s',
                      p_left,
                      case when p_left_target then c.target else c.name end,
                      c.operator,
                      case when p_right is null then format('(k.row_key->>%L)::%s', c.name, c.type)
                           else format('%s.%I', p_right, case when p_right_target then c.target else c.name end) end),
               ' and ' order by c.ordinality)
      from unnest(p_source.key_columns, p_source.target_key_columns, p_source.key_types, p_source.key_operators)
           with ordinality as c (name, target, type, operator, ordinality)
$$;

comment on function evervec.key_match(evervec.source, text, boolean, text, boolean) is
$$Internal. SQL condition: the key of the left alias equals that of the right alias, or of k.row_key when p_right is NULL.$$;

revoke execute on function evervec.key_match(evervec.source, text, boolean, text, boolean) from public;

-- file: functions/track/key_of_change.sql
-- key_of_change: the SQL by which a trigger names a changed row: a scalar subquery over the row and a decoy.
--
-- A key column that was renamed must not make an application's write fail. The column is named inside a subquery over the row alone;
-- when the row has no such column any more, the name means the decoy's NULL, the key is NULL, and a NULL key in the log says:
-- something changed in this source, compare it all. The worker then writes the triggers' functions anew.
-- Locks:  none.
create or replace function evervec.key_of_change(p_source evervec.source, p_row text, out key text, out decoy text)
language sql immutable
set search_path from current
as $$
    select format('(select evervec.%I(%s) from (select %s.*) as changed)',
                  'key_' || p_source.name, string_agg(quote_ident(c.name), ', ' order by c.ordinality), p_row),
           format('(select %s) as decoy', string_agg(format('null::%s as %I', c.type, c.name), ', ' order by c.ordinality))
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
$$;

comment on function evervec.key_of_change(evervec.source, text) is
$$Internal. key: SQL expression for the row_key of row p_row in a trigger, NULL when a key column was renamed; decoy: the FROM item that it needs.$$;

revoke execute on function evervec.key_of_change(evervec.source, text) from public;

-- file: functions/track/orphans_query.sql
-- orphans_query: the query of orphans_<source>: vectors in key order, and whether their rows exist.
--
-- Locks:  none.
-- needs: functions/track/key_call.sql
-- needs: functions/track/key_match.sql
-- needs: functions/track/key_decoded.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.orphans_query(p_source evervec.source, p_condition text)
returns text
language sql stable
set search_path from current
as $$
    select format(
        $query$
        select %1$s,
               case when exists (select from %2$s s where %3$s) then 'ok' else 'orphan' end
          from (select %4$s from %5$s e where %6$s order by %4$s limit p_limit) e
         order by %4$s
        $query$,
        evervec.key_call(p_source, 'e', true), evervec.qualified_name(p_source.relation), evervec.key_match(p_source, 's', false, 'e', true),
        evervec.key_list(p_source, 'e', true), evervec.qualified_name(p_source.target), p_condition)
$$;

comment on function evervec.orphans_query(evervec.source, text) is
$$Internal. The query behind orphans_<source>, under one condition on where it begins.$$;

revoke execute on function evervec.orphans_query(evervec.source, text) from public;

-- file: functions/track/pinned_settings.sql
-- pinned_settings: SET clauses under which a value prints, and reads, the same in every session.
--
-- Locks:  none.
create or replace function evervec.pinned_settings()
returns text
language sql immutable
set search_path from current
as $$
    select 'set timezone = ''UTC'' set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' '
           'set extra_float_digits = 1 set bytea_output = ''hex'''
$$;

comment on function evervec.pinned_settings() is
$$Internal. SET clauses of every generated function that renders texts or reads keys.$$;

revoke execute on function evervec.pinned_settings() from public;

-- file: functions/track/primary_key.sql
-- primary_key: the columns of a table's primary key, in its order, and how each is written and compared.
--
-- as_text: the column's value goes into row_key as its text, under pinned settings; other values go in as JSON does them.
-- operator: the equality of the key's own index, so that citext and the like compare as their key does.
-- Locks:  none.
-- needs: functions/track/base_type.sql
create or replace function evervec.primary_key(p_relation regclass)
returns table (ordinal integer, column_name text, type_name text, as_text boolean, operator text)
language sql stable
set search_path from current
as $$
    select k.ordinality::integer,
           a.attname::text,
           format_type(a.atttypid, -1),
           not (b.typcategory in ('S', 'B', 'E')
                or b.oid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'uuid'::regtype)),
           format('operator(%I.%s)', n.nspname, o.oprname)
      from pg_index i
      cross join unnest(i.indkey::smallint[], i.indclass::oid[]) with ordinality as k (attnum, opclass, ordinality)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      join pg_type t on t.oid = a.atttypid
      join pg_type b on b.oid = case t.typtype when 'd' then evervec.base_type(t.oid) else t.oid end
      join pg_opclass c on c.oid = k.opclass
      join pg_amop m on m.amopfamily = c.opcfamily and m.amopstrategy = 3
                    and m.amoplefttype = c.opcintype and m.amoprighttype = c.opcintype
      join pg_operator o on o.oid = m.amopopr
      join pg_namespace n on n.oid = o.oprnamespace
     where i.indrelid = p_relation and i.indisprimary
       and k.ordinality <= i.indnkeyatts
     order by k.ordinality
$$;

comment on function evervec.primary_key(regclass) is
$$Internal. Columns of the primary key: position, name, type, whether row_key holds the value as text, equality operator.$$;

revoke execute on function evervec.primary_key(regclass) from public;

-- file: functions/track/row_differs.sql
-- row_differs: the WHEN condition of a trigger: some of the columns are not the same bytes as before.
--
-- Compared as records, byte by byte, because types such as json and xml have no equality; OPERATOR() keeps a user's
-- operators out. Without OF in the trigger, so that what a BEFORE trigger changes is seen too.
-- Locks:  none.
create or replace function evervec.row_differs(p_columns text[])
returns text
language sql immutable
set search_path from current
as $$
    select format('row(%s)::record operator(pg_catalog.*<>) row(%s)::record',
                  string_agg(format('old.%I', c.name), ', ' order by c.ordinality),
                  string_agg(format('new.%I', c.name), ', ' order by c.ordinality))
      from unnest(p_columns) with ordinality as c (name, ordinality)
$$;

comment on function evervec.row_differs(text[]) is
$$Internal. SQL condition for the WHEN clause of an UPDATE trigger over these columns.$$;

revoke execute on function evervec.row_differs(text[]) from public;

-- file: functions/track/slice_query.sql
-- slice_query: the query of slice_<source>: rows in key order, and whether their vectors are right.
--
-- empty: neither text nor vector · missing: no vector · stale: a vector of another model or text · ok.
-- Locks:  none.
-- needs: functions/track/key_call.sql
-- needs: functions/track/key_match.sql
-- needs: functions/track/key_decoded.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.slice_query(p_source evervec.source, p_content text, p_condition text)
returns text
language sql stable
set search_path from current
as $$
    select format(
        $query$
        select %1$s,
               case when p_by_hash and s.content is null and e.content_hash is null then 'empty'
                    when e.content_hash is null then 'missing'
                    when e.model_id <> %2$s then 'stale'
                    when p_by_hash and sha256(convert_to(s.content, 'UTF8')) is distinct from e.content_hash then 'stale'
                    else 'ok' end
          from (select %3$s, case when p_by_hash then %4$s end as content
                  from %5$s s
                 where %6$s
                 order by %3$s
                 limit p_limit) s
          left join %7$s e on %8$s
         order by %3$s
        $query$,
        evervec.key_call(p_source, 's'), p_source.model_id, evervec.key_list(p_source, 's'), p_content,
        evervec.qualified_name(p_source.relation), p_condition, evervec.qualified_name(p_source.target), evervec.key_match(p_source, 'e', true, 's', false))
$$;

comment on function evervec.slice_query(evervec.source, text, text) is
$$Internal. The query behind slice_<source>, under one condition on where it begins.$$;

revoke execute on function evervec.slice_query(evervec.source, text, text) from public;

-- file: functions/track/target_column_name.sql
-- target_column_name: the name that a key column has in the embedding table and in search results.
--
-- Its own, unless evervec needs that name for itself: a key column "embedding" becomes "key_embedding".
-- Locks:  none.
create or replace function evervec.target_column_name(p_column text)
returns text
language sql immutable
set search_path from current
as $$
    select case when p_column in ('content_hash', 'model_id', 'embedding', 'created_at', 'updated_at',
                                  'distance', 'similarity', 'p_query', 'p_limit')
                then left('key_' || p_column, 63) else p_column end
$$;

comment on function evervec.target_column_name(text) is
$$Internal. Name of a key column in the embedding table: its own, or key_<name> where evervec has a column of that name.$$;

revoke execute on function evervec.target_column_name(text) from public;

-- file: functions/track/template_parts.sql
-- template_parts: a template taken apart into literal text and {column} holes.
--
-- {{ and }} stand for single braces. Everything else in braces is a column's name, as it is spelled in the catalog.
-- Locks:  none.
-- Raises: VE104 unbalanced brace or an empty hole
create or replace function evervec.template_parts(p_template text)
returns table (ordinal bigint, literal text, hole text)
language plpgsql immutable strict
set search_path from current
as $$
declare
    v_part record;
begin
    for v_part in
        select m.ordinality, m.match[1] as part
          from regexp_matches(p_template, '(\{\{|\}\}|\{[^{}]*\}|[^{}]+|.)', 'g') with ordinality as m (match, ordinality)
         order by m.ordinality
    loop
        ordinal := v_part.ordinality;
        case
            when v_part.part in ('{{', '}}') then
                literal := left(v_part.part, 1);
                hole := null;
            when v_part.part ~ '^\{\s*\}$' or v_part.part in ('{', '}') then
                raise exception using
                    errcode = 'VE104',
                    message = case when v_part.part in ('{', '}')
                                   then format('unbalanced "%s" in the template', v_part.part)
                                   else 'a hole in the template names no column' end,
                    detail  = format('Template: %s', left(p_template, 200)),
                    hint    = 'Write {column} for a column, {{ and }} for single braces.';
            when v_part.part like '{%' then
                literal := null;
                hole := btrim(v_part.part, '{}');
            else
                literal := v_part.part;
                hole := null;
        end case;
        return next;
    end loop;
end
$$;

comment on function evervec.template_parts(text) is
$$Internal. The parts of a template in order: literal text, or the column that a {hole} names. Raises VE104.$$;

revoke execute on function evervec.template_parts(text) from public;

-- file: functions/track/track.sql
-- track: everything that one table needs: embedding table, generated functions, triggers, and the start of its backfill.
--
-- Locks:  SHARE ROW EXCLUSIVE on the table (writers wait, readers do not), taken in attempts of half a second with pauses
--         between them and held to the end of the transaction. Nothing is read from the table itself.
-- Raises: VE102 name taken · VE103 unknown column · VE104 bad recipe · VE105 not a table with a primary key ·
--         VE106 name too long · VE107 embedding table exists · VE108 unknown model · VE110 not permitted ·
--         VE111 unknown distance or index · 55P03 the table stays locked
create or replace function evervec.track(
    p_relation regclass,
    p_columns  text[] default null,
    p_template text default null,
    p_model    text default 'local',
    p_name     text default null,
    p_distance text default 'cosine',
    p_index    text default 'hnsw',
    p_backfill boolean default true,
    p_priority integer default 5
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source;
    v_model  evervec.model;
    v_recipe record;
    v_key    record;
begin
    perform evervec.check_relation(p_relation);
    v_source.name := coalesce(p_name, (select c.relname from pg_class c where c.oid = p_relation));
    perform evervec.check_name(v_source.name);
    v_model := evervec.model_named(p_model);
    perform evervec.check_option('p_distance', p_distance, array['cosine', 'l2', 'inner_product', 'l1']);
    perform evervec.check_option('p_index', p_index, array['hnsw', 'none']);
    perform evervec.check_option('p_priority', p_priority::text, array(select g::text from generate_series(1, 10) g));
    v_recipe := evervec.compile_recipe(p_relation, p_columns, p_template);

    perform evervec.lock_relation(p_relation, 'share row exclusive');

    select array_agg(k.column_name order by k.ordinal) as names,
           array_agg(evervec.target_column_name(k.column_name) order by k.ordinal) as target_names,
           array_agg(k.type_name order by k.ordinal) as types,
           array_agg(k.operator order by k.ordinal) as operators
      into v_key
      from evervec.primary_key(p_relation) k;

    insert into evervec.source
        (name, relation, relation_kind, key_columns, key_types, key_operators, target_key_columns, columns, template,
         watched_columns, text_expression, model_id, target, distance, index_method, priority)
    select v_source.name, p_relation, c.relkind, v_key.names, v_key.types, v_key.operators, v_key.target_names, p_columns,
           p_template, v_recipe.columns, v_recipe.text_expression, v_model.model_id,
           evervec.create_target(p_relation, v_source.name || '_embedding', v_key.target_names, v_model.dimensions),
           p_distance, p_index, p_priority
      from pg_class c
     where c.oid = p_relation
    returning * into v_source;

    perform evervec.create_row_functions(v_source);
    perform evervec.create_search_function(v_source);
    perform evervec.create_triggers(v_source);
    if p_backfill then
        perform evervec.backfill(v_source.name);
    end if;
    return v_source.name;
end
$$;

comment on function evervec.track(regclass, text[], text, text, text, text, text, boolean, integer) is
$$Tracks a table and returns the name of the source. p_columns: columns joined as "Name: value" lines; or p_template: a text with {column} holes. p_model: see add_model. p_name: default the table's name. p_distance: cosine, l2, inner_product or l1. p_index: hnsw or none; built once the first vectors are there. p_backfill: also embed the rows that are there already. p_priority: 1 (highest) to 10 of jobs made by changes. Locks the table SHARE ROW EXCLUSIVE for a moment. Raises VE102 to VE108, VE110, VE111, 55P03.$$;

revoke execute on function evervec.track(regclass, text[], text, text, text, text, text, boolean, integer) from public;

-- file: functions/track/untrack.sql
-- untrack: takes back all that track made; the vectors stay unless they are to go.
--
-- Locks:  ACCESS EXCLUSIVE on the table, taken in attempts of half a second with pauses between them: DROP TRIGGER needs it.
-- Raises: VE101 unknown source · 55P03 the table stays locked · 2BP01 something else uses a generated function
create or replace function evervec.untrack(p_source text, p_drop_vectors boolean default false)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_object record;
begin
    if exists (select from pg_class c where c.oid = v_source.relation) then
        perform evervec.lock_relation(v_source.relation, 'access exclusive');
        for v_object in
            select t.tgname
              from pg_trigger t
             where t.tgrelid = v_source.relation and not t.tgisinternal and t.tgparentid = 0
               and t.tgname = any (array(select format('evervec_%s_%s', v_source.name, e)
                                           from unnest(array['insert', 'update', 'rekey', 'delete', 'truncate']) e))
        loop
            execute format('drop trigger %I on %s', v_object.tgname, v_source.relation);
        end loop;
    end if;

    for v_object in
        select p.oid::regprocedure as function
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace
           and p.proname = any (evervec.generated_functions(v_source.name))
    loop
        execute format('drop function %s', v_object.function);
    end loop;

    execute format('drop view if exists evervec.%I', 'vector_' || v_source.name);
    if p_drop_vectors and exists (select from pg_class c where c.oid = v_source.target) then
        execute format('drop table %s', v_source.target);
    end if;

    delete from evervec.processing_queue q where q.source_id = v_source.source_id;
    delete from evervec.source s where s.source_id = v_source.source_id;
end
$$;

comment on function evervec.untrack(text, boolean) is
$$Removes triggers, generated functions and jobs of a source. p_drop_vectors: its embedding table too (default: it stays). Locks the table ACCESS EXCLUSIVE for a moment. Raises VE101, 55P03, 2BP01.$$;

revoke execute on function evervec.untrack(text, boolean) from public;

-- file: functions/track/vanished_vectors.sql
-- vanished_vectors: USING and WHERE of the DELETE by which a trigger removes the vectors e of rows that went.
--
-- needs: functions/track/key_match.sql
-- needs: functions/track/key_of_change.sql
-- Locks:  none.
create or replace function evervec.vanished_vectors(p_source evervec.source, p_rows text)
returns text
language sql immutable
set search_path from current
as $$
    select format('using (select %s from %s o, %s) as gone where %s',
                  string_agg(format('(select %1$I from (select o.*) as changed) as %1$I', c.name), ', ' order by c.ordinality),
                  p_rows,
                  (evervec.key_of_change(p_source, 'o')).decoy,
                  evervec.key_match(p_source, 'e', true, 'gone', false))
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
$$;

comment on function evervec.vanished_vectors(evervec.source, text) is
$$Internal. SQL after DELETE FROM the embedding table e: those of the rows in p_rows, whose key columns are named as key_of_change does.$$;

revoke execute on function evervec.vanished_vectors(evervec.source, text) from public;

-- file: views/status.sql
-- status: one row a source: what it is, and how much of its work is not done yet.
--
-- vectors is the planner's estimate, backfill the share of a pass that is still ahead; the other counts are exact.
create or replace view evervec.status as
select s.name as source,
       s.relation::text as relation,
       m.name as model,
       case when m.paused_until > now() then 'model paused' else s.state end as state,
       coalesce(l.changes, 0) + coalesce(q.queued, 0) as pending,
       coalesce(q.processing, 0) as processing,
       coalesce(q.retrying, 0) as retrying,
       coalesce(d.letters, 0) as dead,
       evervec.estimated_rows(s.target) as vectors,
       case when s.index_method = 'none' then 'none'
            when i.index is null then 'not built'
            when i.valid then 'valid'
            else 'invalid' end as index_state,
       s.pass_kind is not null as backfill
  from evervec.source s
  join evervec.model m using (model_id)
  cross join lateral evervec.index_of(s) i
  left join (
    select source_id, count(*) as changes from evervec.change_log group by source_id
  ) l using (source_id)
  left join (
    select source_id,
           count(*) filter (where status = 'pending' and attempts = 0) as queued,
           count(*) filter (where status = 'processing') as processing,
           count(*) filter (where status = 'pending' and attempts > 0) as retrying
      from evervec.processing_queue
     group by source_id
  ) q using (source_id)
  left join (
    select source_id, count(*) as letters from evervec.dead_letter where resolved_at is null group by source_id
  ) d using (source_id);

comment on view evervec.status is
$$One row a source. pending: changes not folded and jobs not tried yet; processing; retrying: jobs waiting for their next attempt; dead: open dead letters; vectors: estimate; index_state: none, not built, invalid, valid; backfill: whether a pass over all rows is under way.$$;

-- generated: end

insert into evervec.schema_version (migration_id, checksum)
values ('evervec_0002_functions', 'd719af960dafe90bb739e834ca1a992e8fa23ec186d7c581017cfa15d8a30714');

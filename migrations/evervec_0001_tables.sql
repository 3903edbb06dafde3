--
-- The tables of evervec. Functions, triggers and views follow in the next migration, frozen from sql/.
--
-- Needs: pgvector >= 0.8 in any schema of this database; CREATE on the database. No superuser.
-- Locks: none on the tables of anybody else.

do $$
declare
    v_schema  name;
    v_version text;
begin
    select n.nspname, e.extversion
      into v_schema, v_version
      from pg_catalog.pg_extension e
      join pg_catalog.pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'vector';
    if not found then
        raise exception using
            errcode = 'VE001',
            message = pg_catalog.format('pgvector is not installed in database "%s"', pg_catalog.current_database()),
            detail  = 'evervec stores its vectors in the types of pgvector 0.8 or newer.',
            hint    = 'Install the package of pgvector on the server, run CREATE EXTENSION vector; in this database as its owner or a superuser, then migrate again.';
    end if;
    if pg_catalog.string_to_array(pg_catalog.substring(v_version, '^\d+\.\d+'), '.')::int[] < array[0, 8] then
        raise exception using
            errcode = 'VE002',
            message = pg_catalog.format('pgvector %s is too old', v_version),
            detail  = 'evervec needs pgvector 0.8 or newer: filtered searches rely on iterative index scans.',
            hint    = 'Upgrade the package of pgvector on the server, run ALTER EXTENSION vector UPDATE; in this database, then migrate again.';
    end if;
    if exists (select from pg_catalog.pg_namespace where nspname = 'evervec') then
        raise exception using
            errcode = 'VE004',
            message = 'schema "evervec" exists already',
            detail  = 'Either a former run was killed before yoyo could record it, or the schema belongs to something else.',
            hint    = 'Run "evervec migrate", which mends the record of a killed run; or rename the other schema.';
    end if;
    perform pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, %I, pg_temp', v_schema), true);
end
$$;

create schema evervec;
comment on schema evervec is
$$Keeps embeddings true to the rows they describe. Functions and views are the interface; tables are not.$$;

create table evervec.schema_version (
    migration_id text        not null,
    checksum     text        not null,
    applied_at   timestamptz not null default now(),
    constraint schema_version_pkey primary key (migration_id)
);
comment on table evervec.schema_version is
$$Every applied migration, written in its own transaction. checksum: SHA-256 of the migration's text before this INSERT.$$;

create table evervec.model (
    model_id                 integer     generated always as identity,
    name                     text        not null,
    provider                 text        not null,
    provider_model           text        not null,
    dimensions               integer     not null,
    input_limit              integer     not null default 8191,
    price_per_million_tokens numeric,
    document_prefix          text        not null default '',
    query_prefix             text        not null default '',
    request                  jsonb       not null default '{}',
    requests_per_minute      integer,
    tokens_per_minute        integer,
    concurrent_requests      integer,
    batch_texts              integer     not null default 100,
    batch_tokens             integer     not null default 100000,
    paused_at                timestamptz,
    paused_until             timestamptz,
    pause_reason             text,
    pause_class              text,
    full_until               timestamptz,
    created_at               timestamptz not null default now(),
    constraint model_pkey primary key (model_id),
    constraint model_name_key unique (name),
    constraint model_name_check check (name ~ '\S'),
    constraint model_provider_check check (provider ~ '^[a-z][a-z0-9_-]*$'),
    constraint model_dimensions_check check (dimensions between 1 and 16000),
    constraint model_input_limit_check check (input_limit > 0),
    constraint model_price_per_million_tokens_check check (price_per_million_tokens >= 0),
    constraint model_request_check check (jsonb_typeof(request) = 'object'
                                          and coalesce(jsonb_typeof(request -> 'document'), 'object') = 'object'
                                          and coalesce(jsonb_typeof(request -> 'query'), 'object') = 'object'),
    constraint model_requests_per_minute_check check (requests_per_minute > 0),
    constraint model_tokens_per_minute_check check (tokens_per_minute > 0),
    constraint model_concurrent_requests_check check (concurrent_requests > 0),
    constraint model_batch_texts_check check (batch_texts > 0),
    constraint model_batch_tokens_check check (batch_tokens > 0)
);
comment on table evervec.model is
$$Embedding models: which provider serves them, under which name, and within which limits. Holds no keys.$$;
comment on column evervec.model.pause_class is
$$The class of error that paused the model, until a success or resume_model clears it; NULL: paused by hand.$$;
comment on column evervec.model.full_until is
$$Until when its limits were found to allow no further request: nobody is given jobs for it before, so nobody waits.$$;
comment on column evervec.model.paused_at is
$$When the pause began; errors of one class that follow each other prolong it.$$;

create table evervec.model_call (
    call_id     bigint      generated always as identity,
    model_id    integer     not null,
    tokens      bigint      not null,
    started_at  timestamptz not null,
    finished_at timestamptz,
    expires_at  timestamptz not null,
    constraint model_call_pkey primary key (call_id),
    constraint model_call_model_id_fkey foreign key (model_id) references evervec.model (model_id) on delete cascade,
    constraint model_call_tokens_check check (tokens >= 0)
);
create index model_call_model_id_idx on evervec.model_call (model_id);
-- Rows live for a minute.
alter table evervec.model_call set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table evervec.model_call is
$$Requests to models with limits, in flight or of the last minute: what all workers together have sent.$$;
comment on column evervec.model_call.expires_at is
$$When a call that nobody ends counts as finished: its worker was killed.$$;

create table evervec.source (
    source_id          integer     generated always as identity,
    name               text        not null,
    relation           regclass    not null,
    relation_kind      "char"      not null,
    relation_name      text        not null,
    partitions         oid[]       not null default '{}',
    key_columns        text[]      not null,
    key_attributes     smallint[]  not null,
    key_types          text[]      not null,
    key_operators      text[]      not null,
    target_key_columns text[]      not null,
    columns            text[],
    template           text,
    text_sql           text,
    condition          text,
    depends_on         jsonb       not null default '{}',
    watched_columns    text[]      not null,
    watched_attributes smallint[]  not null,
    text_expression    text        not null,
    model_id           integer     not null,
    storage            text        not null default 'table',
    foreign_key        boolean     not null default false,
    target             regclass    not null,
    target_name        text        not null,
    vector_column      text        not null default 'embedding',
    hash_column        text        not null default 'content_hash',
    model_column       text        not null default 'model_id',
    time_column        text        not null default 'updated_at',
    version_column     text,
    version            integer     not null default 1,
    distance           text        not null,
    vector_type        text        not null default 'vector',
    index_method       text        not null,
    index_precision    text        not null default 'full',
    index_options      jsonb       not null default '{}',
    search_method      text        not null,
    search_precision   text        not null default 'full',
    search_effort      integer,
    priority           smallint    not null default 5,
    priority_sql       text,
    too_long           text        not null default 'cut',
    cache              boolean     not null default true,
    return_columns     text[]      not null default '{}',
    return_attributes  smallint[]  not null default '{}',
    text_search        text,
    bm25               boolean     not null default false,
    retention          jsonb,
    views              regclass[],
    state              text        not null default 'active',
    pass_kind          text,
    pass_stage         text,
    pass_after         jsonb,
    pass_at            timestamptz not null default now(),
    pass_examined      bigint      not null default 0,
    pass_missing       bigint      not null default 0,
    pass_stale         bigint      not null default 0,
    pass_orphaned      bigint      not null default 0,
    last_error         text,
    created_at         timestamptz not null default now(),
    constraint source_pkey primary key (source_id),
    constraint source_name_key unique (name),
    constraint source_model_id_fkey foreign key (model_id) references evervec.model (model_id),
    constraint source_storage_check check (storage in ('table', 'column', 'manual')),
    constraint source_foreign_key_check check (not foreign_key or storage <> 'column'),
    constraint source_distance_check check (distance in ('cosine', 'l2', 'inner_product', 'l1')),
    constraint source_index_method_check check (index_method in ('hnsw', 'ivfflat', 'none')),
    constraint source_vector_type_check check (vector_type in ('vector', 'halfvec')),
    constraint source_index_precision_check check (index_precision in ('full', 'half', 'bit')),
    constraint source_index_options_check check (jsonb_typeof(index_options) = 'object'),
    constraint source_search_effort_check check (search_effort > 0),
    constraint source_priority_check check (priority between 1 and 10),
    constraint source_too_long_check check (too_long in ('cut', 'dead_letter')),
    constraint source_bm25_check check (not bm25 or text_search is not null),
    constraint source_state_check check (state in ('active', 'paused', 'suspended')),
    constraint source_pass_kind_check check (pass_kind in ('backfill', 'reconcile')),
    constraint source_pass_stage_check check (pass_stage in ('rows', 'vectors')),
    constraint source_pass_check check ((pass_kind is null) = (pass_stage is null))
);
create index source_relation_idx on evervec.source (relation);
create index source_model_id_idx on evervec.source (model_id);
comment on table evervec.source is
$$One row a pipeline: a table, the recipe of its text, a model, and the table that holds its vectors.$$;
comment on column evervec.source.text_expression is
$$The recipe compiled to an SQL expression over the row s; NULL or blank text means that the row has no vector.$$;
comment on column evervec.source.relation_name is
$$The table's name (target_name: that of the vectors' table) when the generated functions were written; they are written anew when it, or a column's name, has changed.$$;
comment on column evervec.source.return_columns is
$$Columns of the table that find_similar_<source> and the functions of its filters return beside the key; return_attributes: their numbers.$$;
comment on column evervec.source.text_search is
$$The configuration of full text search by whose rules texts are kept beside their vectors, with its schema; NULL: they are not. As text, because pg_upgrade refuses a column of type regconfig.$$;
comment on column evervec.source.bm25 is
$$Whether texts are kept beside their words, with an index of pg_textsearch that ranks what the words find.$$;
comment on column evervec.source.retention is
$$Which rows are settled, and archived by maintenance: older_than, column, where; NULL: none.$$;
comment on column evervec.source.views is
$$The views <source>_active and <source>_archived, as add_views made them; empty while the source is suspended, NULL: not wanted.$$;
comment on column evervec.source.vector_type is
$$Type of the stored vectors: vector, with members of four bytes, or halfvec, of two.$$;
comment on column evervec.source.index_precision is
$$What the index knows of a vector: its members (full), of two bytes each (half), or their signs (bit).$$;
comment on column evervec.source.search_method is
$$The index that searches are written for, as search_precision: another one than index_method and index_precision say while that is not built yet.$$;
comment on column evervec.source.search_effort is
$$What searches set hnsw.ef_search or ivfflat.probes to; NULL: as the session has it.$$;
comment on column evervec.source.partitions is
$$The partitions that were there at the last look; ATTACH and DETACH fire no trigger, so tick() compares.$$;
comment on column evervec.source.pass_kind is
$$A pass over the whole source that is under way (backfill: rows without a vector; reconcile: compares every hash), NULL when none is.$$;
comment on column evervec.source.pass_after is
$$Key of the last row that the pass has looked at; NULL at its beginning.$$;
comment on column evervec.source.pass_at is
$$When the pass, or the last one, began or moved.$$;

create table evervec.dependency (
    source_id integer  not null,
    ordinal   smallint not null,
    relation  regclass not null,
    columns   text[]   not null,
    types     text[]   not null,
    watched   text[]   not null,
    keys      text     not null,
    constraint dependency_pkey primary key (source_id, ordinal),
    constraint dependency_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade
);
comment on table evervec.dependency is
$$Other tables that a recipe reads. columns: what the triggers log of a changed row; watched: which changes count; keys: query over changed that gives the keys of our rows.$$;

create table evervec.filter (
    filter_id       integer     generated always as identity,
    source_id       integer     not null,
    name            text        not null,
    condition       text        not null,
    parameter_names text[]      not null default '{}',
    parameter_types text[]      not null default '{}',
    created_at      timestamptz not null default now(),
    constraint filter_pkey primary key (filter_id),
    constraint filter_source_id_name_key unique (source_id, name),
    constraint filter_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade,
    constraint filter_parameters_check check (cardinality(parameter_names) = cardinality(parameter_types))
);
comment on table evervec.filter is
$$Conditions over the rows of a source, each with search functions of its own. condition: SQL over the row, which is called by its table's name; its parameters by name, or as $1, $2, ….$$;

-- No index, no foreign key, no sequence: a writer pays for one append and nothing else. A NULL row_key says that rows of the
-- source changed which nobody can name (TRUNCATE): the whole source is then compared.
create table evervec.change_log (
    logged_at timestamptz not null default now(),
    source_id integer     not null,
    operation "char"      not null,
    row_key   jsonb
);
-- Without a replica identity, a publication FOR ALL TABLES would make the fold's DELETE fail.
alter table evervec.change_log replica identity full;
-- Rows live for seconds: vacuum by count, not by a share of a size that is mostly history.
alter table evervec.change_log set (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000
);
comment on table evervec.change_log is
$$Append-only record of changes, written by triggers inside the writer's transaction. operation: I, U, D, T (truncate), R (a row of a table that the recipe depends on).$$;

create table evervec.fold_state (
    only_row     boolean     not null default true,
    next_block   bigint      not null default 0,
    next_full_at timestamptz not null default '-infinity',
    constraint fold_state_pkey primary key (only_row),
    constraint fold_state_only_row_check check (only_row)
);
insert into evervec.fold_state default values;
comment on table evervec.fold_state is
$$Where in change_log the next slice of the fold begins, so that a slice never walks over what was folded before it.$$;

-- No foreign key to source: the fold inserts only for sources it has just read, and untrack removes their jobs.
create table evervec.processing_queue (
    job_id             bigint      generated always as identity,
    source_id          integer,
    task_type          text        not null default 'embed',
    row_key            jsonb,
    task_data          jsonb,
    status             text        not null default 'pending',
    priority           smallint    not null default 5,
    available_at       timestamptz not null default now(),
    attempts           smallint    not null default 0,
    expiries           smallint    not null default 0,
    generation         bigint      not null default 1,
    claimed_generation bigint,
    claimed_hash       bytea,
    lease_token        uuid,
    lease_expires_at   timestamptz,
    last_error         text,
    failures           jsonb       not null default '[]',
    metadata           jsonb       not null default '{}',
    created_at         timestamptz not null default now(),
    started_at         timestamptz,
    constraint processing_queue_pkey primary key (job_id),
    constraint processing_queue_source_id_task_type_row_key_key unique (source_id, task_type, row_key),
    constraint processing_queue_status_check check (status in ('pending', 'processing')),
    constraint processing_queue_priority_check check (priority between 1 and 10),
    constraint processing_queue_lease_check
        check ((status = 'processing') = (lease_token is not null and lease_expires_at is not null))
);
create index processing_queue_pending_idx on evervec.processing_queue (priority, source_id, available_at, job_id) where status = 'pending';
create index processing_queue_processing_idx on evervec.processing_queue (lease_expires_at) where status = 'processing';
create index processing_queue_task_idx on evervec.processing_queue (task_type) where row_key is null;
-- Room in each page for the versions of its rows (folded again, leased, returned): they stay HOT where no indexed column changes.
alter table evervec.processing_queue set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
comment on table evervec.processing_queue is
$$One job a row and task, however often the row changes: generation counts the changes. Finished jobs leave the table.$$;
comment on column evervec.processing_queue.source_id is
$$NULL: a task that concerns no source, or none that exists.$$;
comment on column evervec.processing_queue.expiries is
$$How often in succession a worker took the job and was not heard of again: such a job is leased alone, and in the end buried.$$;

create table evervec.job_receipt (
    job_id      bigint      not null,
    source_id   integer,
    task_type   text        not null,
    row_key     jsonb,
    outcome     text        not null,
    note        text,
    attempts    smallint    not null,
    generation  bigint      not null,
    metadata    jsonb       not null default '{}',
    created_at  timestamptz not null,
    started_at  timestamptz,
    finished_at timestamptz not null default now(),
    constraint job_receipt_pkey primary key (job_id),
    constraint job_receipt_outcome_check check (outcome in ('completed', 'superseded', 'unchanged', 'gone', 'empty'))
);
create index job_receipt_finished_at_idx on evervec.job_receipt using brin (finished_at);
comment on table evervec.job_receipt is
$$What became of finished jobs, kept for 24 hours.$$;
comment on column evervec.job_receipt.outcome is
$$completed, unchanged (no call was needed), empty (no text, no vector), gone (no row) or superseded (something else took its place).$$;

create table evervec.dead_letter (
    dead_letter_id  bigint      generated always as identity,
    job_id          bigint,
    source_id       integer,
    task_type       text        not null,
    row_key         jsonb,
    task_data       jsonb,
    priority        smallint    not null,
    attempts        smallint    not null default 0,
    error_class     text        not null,
    status_code     integer,
    message         text        not null,
    failures        jsonb       not null default '[]',
    metadata        jsonb       not null default '{}',
    created_at      timestamptz not null default now(),
    first_failed_at timestamptz not null,
    last_failed_at  timestamptz not null default now(),
    resolved_at     timestamptz,
    resolved_by     text,
    note            text,
    constraint dead_letter_pkey primary key (dead_letter_id),
    constraint dead_letter_resolved_check check ((resolved_at is null) = (resolved_by is null))
);
create index dead_letter_source_id_idx on evervec.dead_letter (source_id) where resolved_at is null;
create index dead_letter_job_id_idx on evervec.dead_letter (job_id);
-- By hash, because a key that is too long for the queue's index is kept here.
create index dead_letter_row_key_idx on evervec.dead_letter using hash (row_key) where resolved_at is null;
comment on table evervec.dead_letter is
$$Jobs that gave up, with every failed attempt in failures; changes that never became a job have no job_id.$$;

create table evervec.retry_policy (
    retry_policy_id integer  generated always as identity,
    source_id       integer,
    error_class     text     not null,
    max_attempts    smallint,
    base_delay      interval not null default '1 second',
    max_delay       interval not null default '60 seconds',
    jitter          real     not null default 0.3,
    costs_attempt   boolean  not null default true,
    pauses_model    boolean  not null default false,
    constraint retry_policy_pkey primary key (retry_policy_id),
    constraint retry_policy_source_id_error_class_key unique nulls not distinct (source_id, error_class),
    constraint retry_policy_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade,
    constraint retry_policy_max_attempts_check check (max_attempts > 0),
    constraint retry_policy_delay_check check (base_delay > '0' and max_delay >= base_delay),
    constraint retry_policy_jitter_check check (jitter between 0 and 1)
);
comment on table evervec.retry_policy is
$$How each class of error is retried; editable. A row with a source_id goes before the one without, which every class has. max_attempts: 1 gives up at once, NULL never. Delay: base × 2^(attempt − 1), capped, plus up to jitter of it; what the provider asks for goes before it. pauses_model: the error is about the service, so nothing is sent to the model meanwhile.$$;
insert into evervec.retry_policy (error_class, max_attempts, base_delay, max_delay, costs_attempt, pauses_model)
values ('timeout',          3,    '1 second',   '60 seconds', true,  false),
       ('network',          3,    '1 second',   '60 seconds', true,  false),
       ('server_error',     3,    '1 second',   '60 seconds', true,  false),
       ('rate_limit',       5,    '60 seconds', '60 seconds', true,  true),
       ('auth',             null, '60 seconds', '60 seconds', false, true),
       ('quota',            null, '60 seconds', '60 seconds', false, true),
       ('bad_input',        1,    '1 second',   '60 seconds', true,  false),
       ('not_found',        3,    '1 second',   '60 seconds', true,  false),
       ('invalid_response', 3,    '1 second',   '60 seconds', true,  false),
       ('render',           3,    '1 second',   '60 seconds', true,  false),
       ('database',         null, '60 seconds', '60 seconds', false, false);

-- Unlogged: every vector stands beside its row as well, durably. To write it twice to the WAL would cost more than to pay again, after
-- a crash of the server, for the few texts that then come back. Without a foreign key: it would lock the model's row for each vector.
create unlogged table evervec.embedding_cache (
    model_id     integer     not null,
    content_hash bytea       not null,
    embedding    vector      not null,
    note         text,
    source_id    integer     not null,
    created_at   timestamptz not null default now(),
    used_at      timestamptz not null default now(),
    constraint embedding_cache_pkey primary key (model_id, content_hash)
);
create index embedding_cache_used_at_idx on evervec.embedding_cache (used_at);
-- In the row and uncompressed where they fit into a page: vectors out of line take four times as long to write.
alter table evervec.embedding_cache set (toast_tuple_target = 8160);
comment on table evervec.embedding_cache is
$$Vectors by model and SHA-256 of the text: the same text is not paid for twice while it is here (setting cache_keep, from its last use). No texts. Empty after a crash of the server; on a standby it cannot be read.$$;
comment on column evervec.embedding_cache.note is
$$Where the vector does not stand for the whole text; sources that want no text cut do not use it.$$;
comment on column evervec.embedding_cache.source_id is
$$The source whose text was paid for; it may be gone.$$;

-- Logged, unlike the cache of texts, because searches on a standby read it.
create table evervec.query_cache (
    model_id   integer     not null,
    query_hash bytea       not null,
    embedding  vector      not null,
    created_at timestamptz not null default now(),
    constraint query_cache_pkey primary key (model_id, query_hash),
    constraint query_cache_model_id_fkey foreign key (model_id) references evervec.model (model_id) on delete cascade
);
create index query_cache_created_at_idx on evervec.query_cache (created_at);
alter table evervec.query_cache alter column embedding set storage external;
comment on table evervec.query_cache is
$$Vectors of what was searched for, by model and a SHA-256 of the words: the same search is not paid for twice while it is here (settings query_cache_keep, query_cache_most). No words.$$;

-- Unlogged, both, and so emptied by the same crash. Without a unique key: of two who keep the same result neither waits for the other.
create unlogged table evervec.search_cache (
    source_id    integer     not null,
    search_hash  bytea       not null,
    seen         pg_snapshot not null,
    kept_by      xid8        not null default pg_current_xact_id(),
    row_keys     jsonb[]     not null,
    similarities real[]      not null,
    distances    real[]      not null,
    created_at   timestamptz not null default now()
);
create index search_cache_search_hash_idx on evervec.search_cache (search_hash);
create index search_cache_created_at_idx on evervec.search_cache (created_at);
alter table evervec.search_cache set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table evervec.search_cache is
$$Results of searches by a SHA-256 of all that decides them, the caller among it (settings search_cache_keep, search_cache_most): keys and similarities, neither words nor vectors. Whoever gets one reads its rows as himself. Empty after a crash of the server; on a standby it cannot be read.$$;
comment on column evervec.search_cache.seen is
$$A snapshot that the search had or had surpassed. The result holds while it shows every change of the source (source_change) that is committed.$$;
comment on column evervec.search_cache.kept_by is
$$The transaction that searched: a snapshot does not tell what its own transaction had done before from what it did afterwards.$$;

-- Appended by whoever stores vectors, and never updated: nobody waits. No foreign key: it would lock the source's row.
create unlogged table evervec.source_change (
    source_id integer not null,
    xid       xid8    not null default pg_current_xact_id()
);
create index source_change_source_id_xid_idx on evervec.source_change (source_id, xid);
alter table evervec.source_change set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table evervec.source_change is
$$Transactions that stored vectors of a source, so that results of searches kept from before are not used any more. cleanup_expired() puts one row in the place of many.$$;

create table evervec.setting (
    name  text  not null,
    value jsonb not null,
    note  text  not null,
    constraint setting_pkey primary key (name)
);
comment on table evervec.setting is
$$Thresholds that doctor and alerts go by; editable.$$;
insert into evervec.setting (name, value, note)
values ('alert_change_log_rows', '100000', 'alerts: changes not folded, more than'),
       ('alert_dead_letters', '50', 'alerts: open dead letters, more than'),
       ('alert_pending_age', '"1 hour"', 'alerts: the oldest pending job is older than'),
       ('alert_rate_limited', '"15 minutes"', 'alerts: a model is held back by rate limits for longer than'),
       ('alert_vectors_without_index', '10000', 'alerts: a source has no index and as many vectors as'),
       ('batch_log_keep', '"400 days"', 'cleanup_expired: batches, and what a day cost, are forgotten after'),
       ('cache_keep', '"30 days"', 'a vector of a text is used again, and then forgotten by cleanup_expired, this long after its last use'),
       ('cron_history_keep', '"2 days"', 'pg_cron: what it keeps about the jobs of evervec is pruned after'),
       ('dead_letter_keep', '"90 days"', 'cleanup_expired: dead letters are forgotten after'),
       ('dead_letter_keep_resolved', '"7 days"', 'cleanup_expired: resolved dead letters are forgotten after'),
       ('dead_letter_most', '100000', 'cleanup_expired: dead letters are kept at most, the newest'),
       ('index_wait', '"15 minutes"', 'a vector index that is missing is built, however long the queue is, so long after a backfill has moved last'),
       ('interaction_keep', '"1 year"', 'what people did is forgotten after, by whole months'),
       ('interaction_key_keep', '"30 days"', 'the key of an interaction keeps it from being recorded again, and is then forgotten by cleanup_expired, this long'),
       ('query_cache_keep', '"24 hours"', 'the vector of a search is used again, and then forgotten by cleanup_expired, this long after it was made'),
       ('query_cache_most', '10000', 'cleanup_expired: vectors of searches are kept at most, the newest'),
       ('rate_window', '"60 seconds"', 'requests and tokens a minute are counted over'),
       ('recommendation_keep', '"1 hour"', 'what was recommended to a user is used again, while nothing that it was made from has changed, for so long; 0: not at all'),
       ('recommendation_popularity', '0', 'recommend: how much it counts that a row is popular, beside its similarity; of 1, the most popular row gains 1'),
       ('search_cache_keep', '"24 hours"', 'the result of a search is used again, while its source has not changed, and then forgotten by cleanup_expired, this long after it was found; 0: not at all'),
       ('search_cache_most', '10000', 'cleanup_expired: results of searches are kept at most, the newest'),
       ('token_keep', '"90 days"', 'cleanup_expired: tokens of the webhook are forgotten so long after they were revoked, or expired'),
       ('trend_half_life', '"7 days"', 'update_trends: what people did counts half after'),
       ('trend_period', '"30 days"', 'update_trends: what people did counts for');

create table evervec.batch_log (
    batch_log_id bigint      generated always as identity,
    worker       text,
    source       text,
    model        text,
    claimed      integer     not null,
    embedded     integer     not null,
    cached       integer     not null,
    unchanged    integer     not null,
    failed       integer     not null,
    requests     integer     not null,
    tokens       bigint      not null,
    cost         numeric,
    claim_ms     real,
    embed_ms     real,
    complete_ms  real,
    finished_at  timestamptz not null default now(),
    constraint batch_log_pkey primary key (batch_log_id),
    constraint batch_log_counts_check check (least(claimed, embedded, cached, unchanged, failed, requests, tokens) >= 0)
);
create index batch_log_finished_at_idx on evervec.batch_log (finished_at);
comment on table evervec.batch_log is
$$One row a processed batch and source: counts of jobs, requests, tokens, cost in the currency of the model's price, durations in milliseconds. By name, because what was paid for stays paid for when a source is gone.$$;
comment on column evervec.batch_log.source is
$$NULL: tasks that concern no source.$$;
comment on column evervec.batch_log.claim_ms is
$$The source's share of the batch's time, by its jobs; embed_ms and complete_ms likewise: sums over rows are times.$$;

-- Sums of batch_log, so that neither a budget, which is asked for at every claim, nor the view cost adds up a day's batches.
create table evervec.spending (
    day       date   not null,
    source    text   not null,
    model     text   not null,
    requests  bigint not null,
    embedded  bigint not null,
    cached    bigint not null,
    unchanged bigint not null,
    failed    bigint not null,
    tokens    bigint not null,
    cost      numeric,
    constraint spending_pkey primary key (day, source, model)
);
-- Today's few rows are updated by every batch.
alter table evervec.spending set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table evervec.spending is
$$What each source had from each model on a day (UTC): the sums of batch_log.$$;

create table evervec.budget (
    budget_id    integer generated always as identity,
    model_id     integer,
    source_id    integer,
    tokens_a_day bigint,
    cost_a_day   numeric,
    constraint budget_pkey primary key (budget_id),
    constraint budget_model_id_source_id_key unique nulls not distinct (model_id, source_id),
    constraint budget_model_id_fkey foreign key (model_id) references evervec.model (model_id) on delete cascade,
    constraint budget_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade,
    constraint budget_whose_check check (num_nonnulls(model_id, source_id) = 1),
    constraint budget_limit_check check (num_nonnulls(tokens_a_day, cost_a_day) > 0),
    constraint budget_tokens_a_day_check check (tokens_a_day > 0),
    -- NaN is greater than everything else.
    constraint budget_cost_a_day_check check (cost_a_day > 0 and cost_a_day < 'Infinity')
);
create index budget_source_id_idx on evervec.budget (source_id);
comment on table evervec.budget is
$$What a model, or a source, may spend on a day (UTC) before its jobs wait for the next one. See set_budget.$$;

create table evervec.access (
    role       regrole     not null,
    kind       text        not null,
    granted_at timestamptz not null default now(),
    constraint access_pkey primary key (role, kind),
    constraint access_kind_check check (kind in ('reader', 'writer', 'worker', 'admin'))
);
comment on table evervec.access is
$$Who was given which rights by grant_access: so that what is made later, for another source or by a migration, is open to them as well.$$;

-- What upkeep there is, and when a worker ran it last; a job is the name of a function without arguments.
create table evervec.maintenance (
    job       text        not null,
    every     interval    not null,
    by_worker boolean     not null default true,
    ran_at    timestamptz not null default '-infinity',
    error     text,
    constraint maintenance_pkey primary key (job),
    constraint maintenance_every_check check (every between '1 second' and '1 day')
);
comment on table evervec.maintenance is
$$Upkeep and how often it is done; every is editable, and schedule_maintenance tells pg_cron. ran_at, error: when a worker ran it last (maintain), and why it failed.$$;
comment on column evervec.maintenance.by_worker is
$$false: pg_cron only; a worker does the work that it would ring for.$$;
insert into evervec.maintenance (job, every, by_worker)
values ('apply_retention', '10 minutes', true),
       ('cleanup_expired', '5 seconds', true),
       ('forget_leavers', '1 minute', true),
       ('make_partitions', '1 hour', true),
       ('ring', '5 seconds', false),
       ('tick', '15 seconds', true),
       ('update_trends', '5 minutes', true),
       ('update_user_embeddings', '15 minutes', true);

-- What configure_push was told; no row: push is off.
create table evervec.push (
    only_row  boolean  not null default true,
    url       text     not null,
    transport text     not null,
    debounce  interval not null,
    search    boolean  not null,
    problem   text,
    constraint push_pkey primary key (only_row),
    constraint push_only_row_check check (only_row)
);
comment on table evervec.push is
$$Which webhook is rung, by what it may be, and how often; search: whether it is asked for vectors. problem: why the last ring() failed.$$;

create sequence evervec.next_ring;
comment on sequence evervec.next_ring is
$$When a trigger may ring the webhook again, in milliseconds since 1970: a value that all sessions see at once, and none waits for.$$;

-- The webhook: what signs its rings, and who may call it. No kind of access has a right on these tables.
create table evervec.secret (
    secret_id  integer     generated always as identity,
    name       text        not null,
    value      text,
    vault_id   uuid,
    created_at timestamptz not null default now(),
    retires_at timestamptz,
    constraint secret_pkey primary key (secret_id),
    constraint secret_place_check check (num_nonnulls(value, vault_id) = 1)
);
create unique index secret_present_idx on evervec.secret (name) where retires_at is null;
comment on table evervec.secret is
$$Secrets of evervec's own, for its owner alone. retires_at: another has taken its place, and it is good until then.$$;
comment on column evervec.secret.vault_id is
$$In vault.secrets of Supabase Vault, where that is to be had; value is NULL then.$$;

create table evervec.ring_nonce (
    nonce   text        not null,
    seen_at timestamptz not null default now(),
    constraint ring_nonce_pkey primary key (nonce)
);
comment on table evervec.ring_nonce is
$$Nonces of rings that were accepted: each is good once.$$;

create table evervec.api_token (
    token_hash   bytea       not null,
    name         text        not null,
    scopes       text[]      not null,
    tenant       text,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    constraint api_token_pkey primary key (token_hash),
    constraint api_token_scopes_check check (scopes <@ array['read', 'write', 'admin'] and cardinality(scopes) > 0)
);
create unique index api_token_in_use_idx on evervec.api_token (name) where revoked_at is null;
comment on table evervec.api_token is
$$Who may call the webhook: the SHA-256 of each token, never the token.$$;

-- People: what they did, what they like, and what is kept for them. A user is whatever text the application knows one by.
-- Row-level security confines all but evervec's owner, workers and admins to the rows of the user they are (see confine_to_user).
create table evervec.interaction_type (
    name   text             not null,
    weight double precision not null,
    marks  text,
    rated  boolean          not null default false,
    constraint interaction_type_pkey primary key (name),
    constraint interaction_type_name_check check (name ~ '\S'),
    constraint interaction_type_weight_check check (abs(weight) < 'Infinity'),
    constraint interaction_type_marks_check check (marks in ('has', 'dismissed'))
);
comment on table evervec.interaction_type is
$$What people do with rows, and how much of a liking that shows (a negative weight: of a dislike). marks: the row then counts as theirs, or as dismissed, and is not recommended. rated: its value is a rating.$$;
insert into evervec.interaction_type (name, weight, marks, rated)
values ('dismiss',         -1.0, 'dismissed', false),
       ('favorite',         1.0, 'has',       false),
       ('purchase',         1.0, 'has',       false),
       ('purchase_intent',  0.7, null,        false),
       ('rating',           1.0, 'has',       true),
       ('search',           0.1, null,        false),
       ('view',             0.2, null,        false);

create table evervec.interaction (
    interaction_id bigint           generated always as identity,
    user_id        text             not null,
    source_id      integer          not null,
    row_key        jsonb,
    type           text             not null,
    value          double precision,
    context        jsonb            not null default '{}',
    occurred_at    timestamptz      not null default now()
) partition by range (occurred_at);
alter table evervec.interaction replica identity full;
-- Ids grow with time: the newest of a user's are found by them, and those of a period lie together.
create index interaction_user_id_source_id_interaction_id_idx on evervec.interaction (user_id, source_id, interaction_id);
comment on table evervec.interaction is
$$What people did with rows, a partition a month. row_key: NULL where no row was concerned, as in a search. No foreign keys: the row may go, and comes to nothing then.$$;

create table evervec.interaction_key (
    user_id        text        not null,
    key            text        not null,
    interaction_id bigint      not null,
    created_at     timestamptz not null default now(),
    constraint interaction_key_pkey primary key (user_id, key)
);
create index interaction_key_created_at_idx on evervec.interaction_key (created_at);
comment on table evervec.interaction_key is
$$Keys under which interactions were recorded, so that none is recorded twice: a unique key of a partitioned table would not reach over its partitions.$$;

create table evervec.row_mark (
    user_id   text        not null,
    source_id integer     not null,
    row_key   jsonb       not null,
    mark      text        not null,
    marked_at timestamptz not null default now(),
    constraint row_mark_pkey primary key (user_id, source_id, row_key),
    constraint row_mark_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade,
    constraint row_mark_mark_check check (mark in ('has', 'dismissed'))
);
create index row_mark_source_id_idx on evervec.row_mark (source_id);
comment on table evervec.row_mark is
$$Rows that are not recommended to a user, who has or dismissed them: known for longer than the interactions that say so.$$;

create table evervec.weighting (
    name          text             not null,
    own_mean      boolean          not null,
    rating_middle double precision not null,
    rating_scale  double precision not null,
    rating_lift   double precision not null,
    unrated       double precision not null,
    half_life     interval,
    period        interval         not null,
    curve         text             not null,
    saturation    double precision not null,
    frequency     jsonb            not null,
    note          text             not null,
    constraint weighting_pkey primary key (name),
    constraint weighting_rating_middle_check check (abs(rating_middle) <= 1e6),
    constraint weighting_rating_scale_check check (rating_scale between 1e-6 and 1e6),
    constraint weighting_rating_lift_check check (abs(rating_lift) <= 1e6),
    constraint weighting_unrated_check check (abs(unrated) <= 1e6),
    constraint weighting_half_life_check check (half_life between '1 minute' and '1000 years'),
    constraint weighting_period_check check (period between '1 minute' and '1000 years'),
    constraint weighting_curve_check check (curve in ('saturating', 'linear')),
    constraint weighting_saturation_check check (saturation between 1e-6 and 1e6),
    constraint weighting_frequency_check check (jsonb_typeof(frequency) = 'object'
                                                and not jsonb_path_exists(frequency, '$.* ? (@.type() != "number" || @ > 1000000 || @ < -1000000)'))
);
comment on table evervec.weighting is
$$How ratings, frequencies and counts become weights (docs/people.md has the formulas); editable, and more may be added.$$;
comment on column evervec.weighting.rating_middle is
$$A rating that counts nothing; with own_mean: one more rating of each user's, whose mean that is.$$;
comment on column evervec.weighting.rating_lift is
$$A rating counts rating_lift + (rating - mean) / rating_scale: whoever rates a row has chosen it, which is a liking too.$$;
comment on column evervec.weighting.unrated is
$$What a row counts that has no rating.$$;
comment on column evervec.weighting.frequency is
$$Factors of frequencies of use; "" is for none and for those that are not here.$$;
insert into evervec.weighting (name, own_mean, rating_middle, rating_scale, rating_lift, unrated, half_life, period, curve, saturation, frequency, note)
values ('evervec', true, 3, 2, 0.5, 0.5, '30 days', '90 days', 'saturating', 3,
        '{"daily": 1.0, "weekly": 0.8, "occasional": 0.5, "special": 0.3, "": 1.0}',
        'ratings around the user''s own mean, counts that saturate, a half-life'),
       ('collection', false, 0, 5, 0, 0.6, null, '90 days', 'linear', 10,
        '{"daily": 1.0, "weekly": 0.8, "occasional": 0.5, "special": 0.3, "": 0.5}',
        'ratings of 5, counts of 10 within the period, frequencies of use');

create table evervec.signal (
    signal_id   integer          generated always as identity,
    source_id   integer          not null,
    name        text             not null,
    query       text             not null,
    key_columns text[]           not null,
    columns     text[]           not null default '{}',
    weight      double precision not null default 1,
    last_error  text,
    created_at  timestamptz      not null default now(),
    constraint signal_pkey primary key (signal_id),
    constraint signal_source_id_name_key unique (source_id, name),
    constraint signal_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade,
    constraint signal_weight_check check (abs(weight) < 'Infinity')
);
comment on table evervec.signal is
$$Queries over the application's tables that tell who likes which rows. key_columns: what the query calls the columns of the key; columns: which of the optional ones it gives; last_error: why it failed last.$$;

create type evervec.signal_row as (
    user_id   text,
    row_key   jsonb,
    rating    double precision,
    frequency text,
    amount    double precision,
    weight    double precision,
    at        timestamptz
);
comment on type evervec.signal_row is
$$What a signal says: that a user has a row, since when, how often it is used, how much, and how it was rated.$$;

create table evervec.preference (
    preference_id integer  generated always as identity,
    source_id     integer  not null,
    name          text     not null,
    weighting     text     not null,
    signals       text[],
    types         text[],
    tastes        smallint not null default 1,
    constraint preference_pkey primary key (preference_id),
    constraint preference_source_id_name_key unique (source_id, name),
    constraint preference_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade,
    constraint preference_weighting_fkey foreign key (weighting) references evervec.weighting (name),
    constraint preference_tastes_check check (tastes between 1 and 20)
);
create index preference_weighting_idx on evervec.preference (weighting);
comment on table evervec.preference is
$$Kinds of preference of a source; without a row of that name, default is: weighting evervec, all signals and types, one taste. signals, types: those that count; NULL: all.$$;

create table evervec.user_preference (
    user_id         text        not null,
    source_id       integer     not null,
    preference_type text        not null default 'default',
    taste           smallint    not null default 1,
    embedding       vector,
    share           real        not null default 1,
    strength        real        not null default 0.5,
    confidence      real        not null default 0.5,
    sample_size     integer     not null default 0,
    liked           jsonb[]     not null default '{}',
    inputs_hash     bytea,
    model_id        integer     not null,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint user_preference_pkey primary key (source_id, preference_type, user_id, taste),
    constraint user_preference_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade
);
create index user_preference_user_id_idx on evervec.user_preference (user_id);
-- In the row and uncompressed where they fit into a page, as in embedding_cache.
alter table evervec.user_preference set (toast_tuple_target = 8160);
comment on table evervec.user_preference is
$$What users like, as vectors among those of the rows: one a kind of preference and taste. share: of all that is liked; liked: keys of the rows that weigh most.$$;
comment on column evervec.user_preference.embedding is
$$NULL: from these inputs nothing could be learned. The row is there so that it is not tried again and again.$$;

create table evervec.source_centre (
    source_id  integer     not null,
    model_id   integer     not null,
    embedding  vector      not null,
    updated_at timestamptz not null default now(),
    constraint source_centre_pkey primary key (source_id),
    constraint source_centre_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade
);
comment on table evervec.source_centre is
$$The mean of a source's vectors, each of length 1: what all rows have in common tells nothing about anybody's preferences.$$;

create table evervec.trend (
    source_id  integer          not null,
    row_key    jsonb            not null,
    score      double precision not null,
    updated_at timestamptz      not null default now(),
    constraint trend_score_check check (score > 0),
    constraint trend_pkey primary key (source_id, row_key),
    constraint trend_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade
);
create index trend_source_id_score_idx on evervec.trend (source_id, score desc);
comment on table evervec.trend is
$$Rows that people did something with lately, and how much of it (update_trends()); whoever may search sees the rows that he may see.$$;

create table evervec.trend_state (
    source_id   integer     not null,
    counted     bytea       not null,
    counted_at  timestamptz not null default clock_timestamp(),
    constraint trend_state_pkey primary key (source_id),
    constraint trend_state_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade
);
comment on table evervec.trend_state is
$$When the trend of a source was counted, and a hash of what of: without anything new it stays.$$;

-- Unlogged, like the cache of searches, and emptied with the table of changes that it is checked against.
create unlogged table evervec.recommendation_cache (
    user_id      text        not null,
    source_id    integer     not null,
    context_hash bytea       not null,
    seen         pg_snapshot not null,
    kept_by      xid8        not null default pg_current_xact_id(),
    row_keys     jsonb[]     not null,
    scores       real[]      not null,
    similarities real[]      not null,
    because      jsonb[]     not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null
);
create index recommendation_cache_user_id_context_hash_idx on evervec.recommendation_cache (user_id, context_hash);
create index recommendation_cache_expires_at_idx on evervec.recommendation_cache (expires_at);
alter table evervec.recommendation_cache set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table evervec.recommendation_cache is
$$What was recommended to users, by a SHA-256 of all that decides it. Empty after a crash of the server; on a standby it cannot be read.$$;

create table evervec.analysis_cache (
    user_id     text        not null,
    name        text        not null,
    source_id   integer,
    value       jsonb       not null,
    confidence  real        not null default 0.5,
    inputs_hash bytea,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    constraint analysis_cache_pkey primary key (user_id, name),
    constraint analysis_cache_source_id_fkey foreign key (source_id) references evervec.source (source_id) on delete cascade
);
create index analysis_cache_source_id_idx on evervec.analysis_cache (source_id);
create index analysis_cache_expires_at_idx on evervec.analysis_cache (expires_at);
comment on table evervec.analysis_cache is
$$What applications found out about users, for a time (cache_put, cache_get). inputs_hash: of what the user does with a source, where it was made from that.$$;

create table evervec.user_relation (
    relation      regclass not null,
    key_column    name     not null,
    key_attribute smallint not null,
    constraint user_relation_pkey primary key (relation)
);
comment on table evervec.user_relation is
$$Tables of users (track_users): who is deleted there is forgotten here. key_attribute: the number of the column, should it be renamed.$$;

-- Appended, and nothing else, where more could make the writer fail (REPEATABLE READ, SERIALIZABLE).
create table evervec.leaver (
    user_id text        not null,
    left_at timestamptz not null default now()
);
alter table evervec.leaver replica identity full;
comment on table evervec.leaver is
$$Users who were deleted and are yet to be forgotten, by maintenance.$$;

insert into evervec.schema_version (migration_id, checksum)
values ('evervec_0001_tables', '58bbfd1df062fdee47b21d2de491c5a08572523595a01ec0dc87cb453515d320');

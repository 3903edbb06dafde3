-- estimate: what it would cost to give every row of a source its vector.
--
-- Reads and renders the rows, 5,000 of them at most, more or less: a larger table is sampled by pages, and the counts are scaled by the
-- share of its pages that was read.
-- Locks:  ACCESS SHARE on what the recipe reads.
-- Raises: VE101 unknown source · VE111 a manual source
create or replace function evervec.estimate(p_source text)
returns table (
    rows     bigint,
    missing  bigint,
    cached   bigint,
    tokens   bigint,
    cost     numeric,
    sampled  boolean,
    examined bigint
)
language plpgsql volatile security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_model  evervec.model;
    v_share  numeric;
    v_room   integer;
    v_pages  bigint;
begin
    perform evervec.check_option(format('the storage of "%s", for an estimate,', v_source.name), v_source.storage, array['table', 'column']);
    select * into v_model from evervec.model m where m.model_id = v_source.model_id;
    v_share := least(5000.0 / greatest(evervec.estimated_rows(v_source.relation), 1), 1);
    -- Characters of a text that the provider is sent, as the worker cuts it.
    v_room := least(greatest(4::bigint * v_model.input_limit - length(v_model.document_prefix), 1), 2147483647);
    select sum(pg_relation_size(r.relation)) / current_setting('block_size')::integer
      into v_pages
      from unnest(v_source.relation::oid || evervec.partitions_of(v_source.relation)) as r (relation);

    return query execute format(
        $sql$
        with row as materialized (
            select r.page, r.content_hash, r.characters, r.bytes,
                   r.content_hash is not null and (r.stored_hash, r.stored_model_id) is distinct from (r.content_hash, $3) as missing
              from evervec.%1$I($1, $2) r
        ), text as (
            select r.characters, r.bytes, c.content_hash is not null as cached,
                   -- A text that several rows share is paid for once where the cache keeps it.
                   row_number() over (partition by r.content_hash) as occurrence
              from row r
              left join %2$s c
                on $4 and c.model_id = $3 and c.content_hash = r.content_hash and (c.note is null or $5)
               and c.used_at >= now() - evervec.setting_interval('cache_keep', '30 days')
             where r.missing
        ), price as (
            -- As the worker estimates tokens: a quarter of the bytes, and no more than the model reads.
            select count(*) filter (where t.cached) as cached,
                   sum(least(greatest((t.bytes + $6) / 4, 1), $7))
                       filter (where not t.cached and (t.occurrence = 1 or not $4) and (t.characters <= $2 or $5)) as tokens
              from text t
        ), total as (
            select count(*) as rows, count(*) filter (where r.missing) as missing,
                   case when $8 < 1 then $9::numeric / nullif(count(distinct r.page), 0) else 1 end as scale
              from row r
        )
        select round(t.rows * t.scale)::bigint, round(t.missing * t.scale)::bigint, round(p.cached * t.scale)::bigint, n.tokens,
               $10 * n.tokens / 1000000, $8 < 1, t.rows
          from total t
          cross join price p
          cross join lateral (select coalesce(round(p.tokens * t.scale), 0)::bigint) as n (tokens)
        $sql$,
        'sample_' || v_source.name,
        -- Unlogged: PostgreSQL refuses to read it on a standby.
        case when pg_is_in_recovery() then '(select (null::evervec.embedding_cache).* where false)' else 'evervec.embedding_cache' end)
    using (100 * v_share)::real, v_room, v_model.model_id, v_source.cache, v_source.too_long = 'cut',
          octet_length(convert_to(v_model.document_prefix, 'UTF8')), v_model.input_limit, v_share, v_pages, v_model.price_per_million_tokens;
end
$$;

comment on function evervec.estimate(text) is
$$What it would cost to give every row its vector, without sending or queueing anything. rows: of the table. missing: those that have a text, and no vector of that very text and the source's model. cached: of these, those whose vector the cache has, for nothing; 0 on a standby, which cannot read the cache. tokens: about how many the texts of the others are, a quarter of their bytes, cut at the model's limit; a tokenizer may count otherwise. cost: at the model's price, NULL when it has none. sampled: whether the table is so large that only a sample of about 5,000 rows (those on pages chosen at random, of partitions too) was read, and the counts scaled; examined: how many rows were read. Raises VE101, VE111.$$;

revoke execute on function evervec.estimate(text) from public;

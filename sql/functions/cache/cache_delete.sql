-- cache_delete: removes vectors of texts from the cache, and of queries; those beside their rows stay.
--
-- For texts that must not be remembered, and to have vectors made anew. Entries that another source made, and that a row of this one
-- stands for now, go too.
-- Locks:  the entries, SKIP LOCKED; ACCESS SHARE on the source's embedding table.
-- Raises: VE101 unknown source · VE108 unknown model
create or replace function evervec.cache_delete(
    p_source     text default null,
    p_model      text default null,
    p_older_than interval default null
)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source  evervec.source;
    v_model   integer;
    v_present text := 'false';
    v_removed bigint;
    v_queries bigint := 0;
begin
    if p_model is not null then
        v_model := (evervec.model_named(p_model)).model_id;
    end if;
    if p_source is not null then
        v_source := evervec.source_named(p_source);
        if exists (select from pg_class t where t.oid = v_source.target) then
            v_present := format('c.model_id = $2 and c.content_hash in (select h from evervec.%I(null) h)', 'hashes_' || v_source.name);
        end if;
    end if;
    execute format(
        $sql$
        delete from evervec.embedding_cache d
         where d.ctid = any (array(
            select c.ctid
              from evervec.embedding_cache c
             where ($1 is null or c.source_id = $1 or %s)
               and ($3 is null or c.model_id = $3)
               and ($4 is null or c.used_at < now() - $4)
             limit 10000
               for update of c skip locked))
        $sql$, v_present)
    using v_source.source_id, v_source.model_id, v_model, p_older_than;
    get diagnostics v_removed = row_count;
    if p_source is null then
        delete from evervec.query_cache d
         where d.ctid = any (array(
            select c.ctid
              from evervec.query_cache c
             where (p_model is null or c.model_id = v_model)
               and (p_older_than is null or c.created_at < now() - p_older_than)
             limit 10000
               for update of c skip locked));
        get diagnostics v_queries = row_count;
    end if;
    return v_removed + v_queries;
end
$$;

comment on function evervec.cache_delete(text, text, interval) is
$$Removes up to 10,000 vectors of texts from the cache, and without p_source as many of queries, and returns how many: call it until 0. p_source: those that its texts made, and those of the texts that its rows have now. p_model: of that model. p_older_than: last used longer ago (of queries: made longer ago). What is NULL does not count; without any, all go. Vectors beside their rows stay. Raises VE101, VE108.$$;

revoke execute on function evervec.cache_delete(text, text, interval) from public;

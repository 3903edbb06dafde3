-- reset: throws all vectors of a source away, or those of some rows, and starts to make them anew.
--
-- With those of all rows the index goes, because building one over everything afterwards costs far less than as many inserts into a
-- standing one. The cache of vectors stays then, and what it has of the present texts comes from there; of rows that are named it forgets
-- these texts, because otherwise the same vectors would come back.
-- Searches find nothing until workers have caught up. In column storage every row is updated in this one transaction.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them; in column storage on
--         the table itself, for its index, and the rows that have a vector. For rows that are named: their vectors, SKIP LOCKED.
-- Raises: VE101 unknown source · VE111 a manual source · VE202 not a key · VE303 a key too long · 55P03 the table, or a vector, stays locked
create or replace function evervec.reset(p_source text, p_row_keys jsonb[] default null)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source  evervec.source := evervec.source_named(p_source);
    v_keys    jsonb[];
    v_hashes  bytea[];
    v_index   regclass;
    v_dropped bigint;
begin
    perform evervec.check_option(format('the storage of "%s", for a reset,', v_source.name), v_source.storage, array['table', 'column']);
    if p_row_keys is not null then
        v_keys := array(select distinct k from unnest(evervec.checked_keys(v_source, p_row_keys)) k);
        execute format('select count(r.stored_hash), array_agg(r.content_hash) from evervec.%I($1, null) r', 'render_' || v_source.name)
           into v_dropped, v_hashes
          using v_keys;
        if evervec.erase_vectors(v_source, v_keys) <> '{}' then
            raise exception using
                errcode = 'lock_not_available',
                message = format('a vector of source "%s" is locked', v_source.name),
                detail  = 'Another transaction holds it. Nothing of this call was done.',
                hint    = 'Call again when that transaction has ended; a worker that is storing the vector needs milliseconds.';
        end if;
        delete from evervec.embedding_cache d
         where d.ctid = any (array(
            select c.ctid from evervec.embedding_cache c
             where c.model_id = v_source.model_id and c.content_hash = any (v_hashes)
               for update skip locked));
        perform evervec.queue_keys(v_source, v_keys, 5, jsonb_build_object('operation', 'update', 'triggered_by', 'reset', 'triggered_at', now()));
        return v_dropped;
    end if;
    perform evervec.lock_relation(v_source.target, 'access exclusive');
    for v_index in
        select x.index from evervec.vector_indexes(v_source) x
    loop
        execute format('drop index %s', evervec.qualified_name(v_index));
    end loop;
    execute format('select evervec.%I()', 'clear_' || v_source.name) into v_dropped;
    perform evervec.start_pass(v_source.source_id, 'backfill');
    return v_dropped;
end
$$;

comment on function evervec.reset(text, jsonb[]) is
$$Drops all vectors of a source, and its index, and starts a backfill that makes them anew: texts that the cache has are not paid for again (see cache_delete). Returns how many there were. Searches find nothing until workers have caught up. Locks the embedding table ACCESS EXCLUSIVE to the end of the transaction. p_row_keys: only those of these rows, which are queued; what the cache has of their texts is forgotten, so that they are paid for again. Raises VE101, VE111, VE202, VE303, 55P03.$$;

revoke execute on function evervec.reset(text, jsonb[]) from public;

-- reset: throws all vectors of a source away and starts to make them anew.
--
-- The index goes with them, because building one over everything afterwards costs far less than as many inserts into a standing one.
-- The cache of vectors stays, and what it has of the present texts comes from there.
-- Searches find nothing until workers have caught up. In column storage every row is updated in this one transaction.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them; in column storage on
--         the table itself, for its index, and the rows that have a vector.
-- Raises: VE101 unknown source · VE111 a manual source · 55P03 the table stays locked
create or replace function evervec.reset(p_source text)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source  evervec.source := evervec.source_named(p_source);
    v_index   regclass;
    v_dropped bigint;
begin
    perform evervec.check_option(format('the storage of "%s", for a reset,', v_source.name), v_source.storage, array['table', 'column']);
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

comment on function evervec.reset(text) is
$$Drops all vectors of a source, and its index, and starts a backfill that makes them anew: texts that the cache has are not paid for again (see cache_delete). Returns how many there were. Searches find nothing until workers have caught up. Locks the embedding table ACCESS EXCLUSIVE to the end of the transaction. Raises VE101, VE111, 55P03.$$;

revoke execute on function evervec.reset(text) from public;

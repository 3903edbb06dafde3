-- keep_result: keeps what a search has found for the next one like it.
--
-- Of two who bring the same result neither waits for the other; one of theirs is found.
-- Locks:  the former result, SKIP LOCKED.
-- Raises: VE101 unknown source
-- needs: functions/cache/result_hash.sql
create or replace function evervec.keep_result(
    p_source         text,
    p_query          vector,
    p_limit          integer,
    p_min_similarity real,
    p_exclude        jsonb[],
    p_user           name,
    p_seen           pg_snapshot,
    p_row_keys       jsonb[],
    p_similarities   real[],
    p_distances      real[]
)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_hash   bytea := evervec.result_hash(v_source, p_query, p_limit, p_min_similarity, p_exclude, p_user);
begin
    -- A great answer costs more to keep than to find.
    if v_hash is null or cardinality(p_row_keys) > least(p_limit, 1000)
       or cardinality(p_row_keys) <> all (array[cardinality(p_similarities), cardinality(p_distances)]) then
        return false;
    end if;
    delete from evervec.search_cache d
     where d.ctid = any (array(select r.ctid from evervec.search_cache r where r.search_hash = v_hash for update skip locked));
    insert into evervec.search_cache (source_id, search_hash, seen, row_keys, similarities, distances)
    values (v_source.source_id, v_hash, p_seen, p_row_keys, p_similarities, p_distances);
    return true;
end
$$;

comment on function evervec.keep_result(text, vector, integer, real, jsonb[], name, pg_snapshot, jsonb[], real[], real[]) is
$$Internal. Keeps keys, similarities and distances that a search found; p_seen: a snapshot taken before it. False where results are not kept. Raises VE101.$$;

revoke execute on function evervec.keep_result(text, vector, integer, real, jsonb[], name, pg_snapshot, jsonb[], real[], real[]) from public;

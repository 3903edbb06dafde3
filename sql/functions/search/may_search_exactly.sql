-- may_search_exactly: whether a search whose index scan fell short may read everything; warns where it may not.
--
-- Locks:  none.
-- Raises: VE211 (a WARNING) the answer may lack rows
create or replace function evervec.may_search_exactly(p_found bigint, p_wanted bigint)
returns boolean
language plpgsql stable
set search_path from current
as $$
begin
    if coalesce(nullif(current_setting('evervec.exact_search', true), '')::boolean, true) then
        return true;
    end if;
    raise warning using
        errcode = 'VE211',
        message = format('the index gave %s of %s rows, and there may be more', p_found, p_wanted),
        detail  = format('Its scan ends after hnsw.max_scan_tuples (%s) vectors, or with its memory, and evervec.exact_search is off.',
                         current_setting('hnsw.max_scan_tuples', true)),
        hint    = 'SET evervec.exact_search = on; or raise hnsw.max_scan_tuples and hnsw.scan_mem_multiplier.';
    return false;
end
$$;

comment on function evervec.may_search_exactly(bigint, bigint) is
$$Internal. True, unless evervec.exact_search is off: then false, with the warning VE211.$$;

revoke execute on function evervec.may_search_exactly(bigint, bigint) from public;

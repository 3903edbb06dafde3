-- caller_context: what decides, beside its arguments, what a search of a source finds; NULL where no result of it may be kept.
--
-- None is kept where row-level security decides what is found, nor where an answer may be cut (evervec.exact_search), which is said but once,
-- nor where nothing can be written. Under REPEATABLE READ and SERIALIZABLE,
-- to write or even to read what others write would make a search fail that is only a search. The start of the server is in it, because the
-- transactions of another one, where a dump comes from, say nothing here. p_user is the caller's word; who is logged in, and as which role,
-- is not: at worst somebody spoils what he himself gets. The settings are those that decide how far an index is searched.
-- Locks:  none.
create or replace function evervec.caller_context(p_source evervec.source, p_user name)
returns jsonb
language plpgsql stable
set search_path from current
as $$
begin
    -- Before pgvector's library is loaded its settings are unknown.
    perform vector_dims('[1]'::vector);
    if current_setting('transaction_read_only')::boolean
       or current_setting('transaction_isolation') in ('repeatable read', 'serializable')
       or not coalesce(nullif(current_setting('evervec.exact_search', true), '')::boolean, true)
       -- There rows may come, and keys change, with their vectors: nothing is stored then.
       or p_source.storage = 'column' or p_source.foreign_key
       -- Whose rights a function lends cannot be told from what its caller says.
       or p_user is distinct from coalesce(nullif(current_setting('role'), 'none'), session_user)
       or exists (select from pg_class c where c.oid in (p_source.relation, p_source.target) and c.relrowsecurity) then
        return null;
    end if;
    return jsonb_build_array(
        p_source.source_id, pg_postmaster_start_time(), session_user, current_setting('role'), p_user,
        current_setting('hnsw.ef_search', true), current_setting('hnsw.iterative_scan', true), current_setting('hnsw.max_scan_tuples', true));
end
$$;

comment on function evervec.caller_context(evervec.source, name) is
$$Internal. Caller, source and settings of a search, as JSON; NULL where its result is not kept.$$;

revoke execute on function evervec.caller_context(evervec.source, name) from public;

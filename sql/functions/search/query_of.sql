-- query_of: the query vector of the words of a search, from the cache of queries.
--
-- The words of a search are not embedded in the database: no transaction is open while the network is.
-- Locks:  none.
-- Raises: VE101 unknown source · VE207 the vector is not known · VE218 no words
-- needs: functions/cache/cached_query.sql
create or replace function evervec.query_of(p_source text, p_text text)
returns vector
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_model  text := (select m.name from evervec.model m where m.model_id = v_source.model_id);
    v_query  vector;
begin
    perform evervec.check_words(p_text);
    v_query := evervec.cached_query(v_model, p_text);
    if v_query is null then
        raise exception using
            errcode = 'VE207',
            message = format('the vector of these words is not known to model "%s"', v_model),
            detail  = 'The database does not ask the model itself; nobody has searched for these words with this model within the time that the setting query_cache_keep says.',
            hint    = format('Search by "evervec search %s …" or by evervec.Search in Python, which ask the model and keep the vector for the next search of these words; or embed them yourself, SELECT evervec.cache_query(%L, …, …); and search again, or give the vector to evervec.find_similar().',
                             p_source, v_model);
    end if;
    return v_query;
end
$$;

comment on function evervec.query_of(text, text) is
$$Internal. The cached vector of the words of a search. Raises VE101, VE207, VE218.$$;

revoke execute on function evervec.query_of(text, text) from public;

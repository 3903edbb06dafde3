-- query_of: the query vector of the words of a search: from the cache of queries, or by the webhook.
--
-- The words of a search are not embedded in the database: no transaction is open while the network is. It asks the webhook where
-- configure_push has allowed that; not for evervec's own programs, which ask the provider themselves, and of which the webhook is one.
-- Locks:  none.
-- Raises: VE101 unknown source · VE207 the vector is not known · VE218 no words · VE424 the webhook gives no vector
-- needs: functions/cache/cached_query.sql
-- needs: functions/push/embed_by_service.sql
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
    if v_query is null and not starts_with(current_setting('application_name'), 'evervec') and exists (select from evervec.push p where p.search) then
        return evervec.embed_by_service(v_model, p_text);
    end if;
    if v_query is null then
        raise exception using
            errcode = 'VE207',
            message = format('the vector of these words is not known to model "%s"', v_model),
            detail  = 'The database does not ask the model itself; nobody has searched for these words with this model within the time that the setting query_cache_keep says.',
            hint    = format('Search by "evervec search %s …" or by evervec.Search in Python, which ask the model and keep the vector for the next search of these words; or embed them yourself, SELECT evervec.cache_query(%L, …, …); and search again, or give the vector to evervec.find_similar(). configure_push(…, p_search => true) lets the database ask the webhook.',
                             p_source, v_model);
    end if;
    return v_query;
end
$$;

comment on function evervec.query_of(text, text) is
$$Internal. The vector of the words of a search. Raises VE101, VE207, VE218, VE424.$$;

revoke execute on function evervec.query_of(text, text) from public;

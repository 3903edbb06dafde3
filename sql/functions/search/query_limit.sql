-- query_limit: the limit of a search, once its arguments are known to be good.
--
-- Locks:  none.
-- Raises: VE201 NULL query or wrong number of dimensions · VE204 negative or NULL limit
create or replace function evervec.query_limit(p_query vector, p_dimensions integer, p_limit integer)
returns integer
language plpgsql stable
set search_path from current
as $$
begin
    if p_query is null then
        raise exception using
            errcode = 'VE201', message = 'the query vector is NULL',
            detail  = format('A vector of %s dimensions is expected.', p_dimensions),
            hint    = 'Embed the query with the model of the source first; a subquery that finds no row gives NULL.';
    elsif vector_dims(p_query) <> p_dimensions then
        raise exception using
            errcode = 'VE201',
            message = format('the query vector has %s dimensions, not %s', vector_dims(p_query), p_dimensions),
            detail  = 'Query and source must be embedded with the same model.',
            hint    = 'Embed the query with the model that evervec.get_source() names.';
    elsif p_limit is null or p_limit < 0 then
        raise exception using
            errcode = 'VE204', message = format('a limit of %s makes no sense', coalesce(p_limit::text, 'NULL')),
            detail  = 'p_limit is the number of rows that a search returns at most.',
            hint    = 'Give a limit of 0 or more.';
    end if;
    return p_limit;
end
$$;

comment on function evervec.query_limit(vector, integer, integer) is
$$Internal. Returns p_limit; raises VE201 or VE204 when the arguments of a search are not good.$$;

revoke execute on function evervec.query_limit(vector, integer, integer) from public;

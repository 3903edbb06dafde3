-- filter_arguments: the arguments of a filter's functions, read out of a JSON object, in their order.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE111 arguments that the filter does not take · VE208 unknown filter
create or replace function evervec.filter_arguments(p_source text, p_filter text, p_arguments jsonb)
returns text
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_filter evervec.filter := evervec.filter_named(v_source, p_filter);
begin
    if jsonb_typeof(p_arguments) is distinct from 'object'
       or array(select jsonb_object_keys(p_arguments) order by 1) <> array(select unnest(v_filter.parameter_names) order by 1) then
        raise exception using
            errcode = 'VE111',
            message = format('these are not the arguments of filter "%s" of source "%s"', p_filter, p_source),
            detail  = format('It takes a JSON object with exactly these members: %s.',
                             coalesce(nullif(array_to_string(v_filter.parameter_names, ', '), ''), 'none')),
            hint    = 'For example: {"p_from": 1970}; what is no number or boolean is written as PostgreSQL reads it from a string.';
    end if;
    return (
        select string_agg(format('($1->>%L)::%s', p.name, p.type), ', ' order by p.ordinality)
          from unnest(v_filter.parameter_names, v_filter.parameter_types) with ordinality as p (name, type, ordinality));
end
$$;

comment on function evervec.filter_arguments(text, text, jsonb) is
$$Internal. SQL expressions over $1, a JSON object such as p_arguments, for the parameters of a filter; NULL where it has none. Raises VE101, VE111, VE208.$$;

revoke execute on function evervec.filter_arguments(text, text, jsonb) from public;

-- filter_named: the filter of that name, or an error that says what to do.
--
-- Locks:  none.
-- Raises: VE208 unknown filter
create or replace function evervec.filter_named(p_source evervec.source, p_name text)
returns evervec.filter
language plpgsql stable
set search_path from current
as $$
declare
    v_filter evervec.filter;
begin
    select f.* into v_filter from evervec.filter f where f.source_id = p_source.source_id and f.name = p_name;
    if not found then
        raise exception using
            errcode = 'VE208',
            message = format('source "%s" has no filter "%s"', p_source.name, p_name),
            detail  = coalesce((select 'Its filters: ' || string_agg(f.name, ', ' order by f.name) || '.'
                                  from evervec.filter f where f.source_id = p_source.source_id), 'It has none.'),
            hint    = 'Names are case-sensitive.';
    end if;
    return v_filter;
end
$$;

comment on function evervec.filter_named(evervec.source, text) is
$$Internal. The row of evervec.filter. Raises VE208.$$;

revoke execute on function evervec.filter_named(evervec.source, text) from public;

-- source_named: the source of that name, or the error that every function gives for an unknown one.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.source_named(p_source text)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source;
begin
    select * into v_source from evervec.source s where s.name = p_source;
    if not found then
        raise exception using
            errcode = 'VE101',
            message = format('source "%s" does not exist', p_source),
            detail  = coalesce(
                (select 'Tracked sources: ' || string_agg(s.name, ', ' order by s.name) || '.' from evervec.source s),
                'No table is tracked yet.'),
            hint    = 'Track a table with: SELECT evervec.track(''schema.table'', p_columns => ''{title,body}'');';
    end if;
    return v_source;
end
$$;

comment on function evervec.source_named(text) is
$$Internal. The row of a source by its name. Raises VE101 when there is none.$$;

revoke execute on function evervec.source_named(text) from public;

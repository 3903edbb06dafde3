-- drop_signal: takes back what add_signal made.
--
-- Locks:  none that matter.
-- Raises: VE101 unknown source · VE506 unknown signal · 2BP01 something else uses its function
create or replace function evervec.drop_signal(p_source text, p_name text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    delete from evervec.signal s where s.source_id = v_source.source_id and s.name = p_name;
    if not found then
        raise exception using
            errcode = 'VE506',
            message = format('source "%s" has no signal %s', p_source, coalesce(quote_literal(p_name), 'NULL')),
            detail  = coalesce((select 'Its signals: ' || string_agg(s.name, ', ' order by s.name) || '.'
                                  from evervec.signal s where s.source_id = v_source.source_id), 'It has none.'),
            hint    = 'Names are case-sensitive.';
    end if;
    execute format('drop function if exists evervec.%I(text)', format('signal_%s_%s', p_source, p_name));
end
$$;

comment on function evervec.drop_signal(text, text) is
$$Removes a signal of a source, and its function. Raises VE101, VE506, 2BP01.$$;

revoke execute on function evervec.drop_signal(text, text) from public;

-- with_priority: a source with what p_priority says: a number from 1 to 10, or an expression that the fold evaluates.
--
-- Locks:  those of analyse_sql.
-- Raises: VE111 a number out of range · VE104 not an expression over the row · VE110 unsafe SQL
create or replace function evervec.with_priority(p_source evervec.source, p_priority text)
returns evervec.source
language plpgsql
set search_path from current
as $$
begin
    p_source.priority := 5;
    if coalesce(p_priority, '') ~ '^\s*(-?\d*\.?\d*)\s*$' then
        perform evervec.check_option('p_priority', btrim(p_priority), array(select g::text from generate_series(1, 10) g));
        p_source.priority := p_priority::smallint;
    else
        perform evervec.analyse_sql(p_source.relation, 'p_priority', format('(%s)::numeric', p_priority));
        p_source.priority_sql := p_priority;
    end if;
    return p_source;
end
$$;

comment on function evervec.with_priority(evervec.source, text) is
$$Internal. The source with priority or priority_sql set. Raises VE104, VE110, VE111.$$;

revoke execute on function evervec.with_priority(evervec.source, text) from public;

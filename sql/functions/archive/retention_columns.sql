-- retention_columns: the columns that a source's retention reads.
--
-- Locks:  those of analyse_sql.
-- Raises: VE104, VE110 as analyse_sql
create or replace function evervec.retention_columns(p_source evervec.source)
returns text[]
language plpgsql
set search_path from current
as $$
declare
    v_where   text := p_source.retention ->> 'where';
    v_columns text[] := array_remove(array[p_source.retention ->> 'column'], null);
begin
    if v_where is not null then
        v_columns := v_columns || (select a.columns from evervec.analyse_sql(p_source.relation, 'where', format(E'(%s\n) is true', v_where)) a);
    end if;
    return v_columns;
end
$$;

comment on function evervec.retention_columns(evervec.source) is
$$Internal. Columns whose changes may unsettle a row of the source; {} without a retention. Raises VE104, VE110.$$;

revoke execute on function evervec.retention_columns(evervec.source) from public;

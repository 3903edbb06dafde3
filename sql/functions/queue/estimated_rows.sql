-- estimated_rows: the planner's estimate of a table's rows, partitions included, without reading it.
--
-- Volatile, because PostgreSQL allows EXPLAIN in no other function.
-- Locks:  none.
create or replace function evervec.estimated_rows(p_relation regclass)
returns bigint
language plpgsql volatile
set search_path from current
as $$
declare
    v_plan jsonb;
begin
    if not exists (select from pg_class c where c.oid = p_relation) then
        return null;
    end if;
    -- The planner scales the last statistics to the table's present size, which reltuples alone does not.
    execute format('explain (format json) select from %s', p_relation) into v_plan;
    return (v_plan #>> '{0,Plan,Plan Rows}')::bigint;
exception when insufficient_privilege or undefined_table then
    return null;
end
$$;

comment on function evervec.estimated_rows(regclass) is
$$Internal. Estimated number of rows of a table; NULL when it does not exist or the caller may not read it.$$;

revoke execute on function evervec.estimated_rows(regclass) from public;

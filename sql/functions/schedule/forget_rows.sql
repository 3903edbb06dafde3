-- forget_rows: removes rows of one of evervec's tables for which a condition holds, p_limit of them at most.
--
-- Rows that somebody holds stay for the next time: to clean up waits for nobody.
-- Locks:  what is forgotten, SKIP LOCKED.
create or replace function evervec.forget_rows(p_table text, p_condition text, p_limit integer)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_removed bigint;
begin
    execute format('delete from evervec.%1$I d where d.ctid = any (array(select o.ctid from evervec.%1$I o where %2$s limit $1 for update skip locked))',
                   p_table, p_condition)
      using p_limit;
    get diagnostics v_removed = row_count;
    return v_removed;
end
$$;

comment on function evervec.forget_rows(text, text, integer) is
$$Internal. Removes up to p_limit rows o of evervec's table p_table of which p_condition, an SQL condition of evervec's own, is true; returns how many.$$;

revoke execute on function evervec.forget_rows(text, text, integer) from public;

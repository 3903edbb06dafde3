-- log_slice: physical addresses of committed changes, from one block on and before another, in the order of the table.
--
-- Locks:  none.
create or replace function evervec.log_slice(p_from bigint, p_limit integer, p_before bigint default null)
returns tid[]
language plpgsql stable
set search_path from current
as $$
declare
    v_rows tid[];
begin
    -- Dynamic, because a TID range scan is planned only for bounds that the planner can see.
    execute format(
        'select array(select l.ctid from evervec.change_log l where l.ctid >= %L %s limit %s)',
        format('(%s,0)', p_from),
        case when p_before is not null then format('and l.ctid < %L', format('(%s,0)', p_before)) end,
        p_limit)
    into v_rows;
    return v_rows;
end
$$;

comment on function evervec.log_slice(bigint, integer, bigint) is
$$Internal. ctids of up to p_limit rows of change_log from block p_from on, before block p_before (NULL: to the end).$$;

revoke execute on function evervec.log_slice(bigint, integer, bigint) from public;

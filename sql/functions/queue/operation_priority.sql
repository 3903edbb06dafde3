-- operation_priority: the priority of what enqueue queues: the one that is given, else that of the operation, which must be known.
--
-- Locks:  none.
-- Raises: VE302 unknown operation
create or replace function evervec.operation_priority(p_operation text, p_priority integer)
returns integer
language plpgsql immutable
set search_path from current
as $$
declare
    v_priority integer := case p_operation when 'create' then 1 when 'update' then 5 when 'bulk' then 8 when 'retry' then 5 end;
begin
    if v_priority is null then
        raise exception using
            errcode = 'VE302',
            message = format('operation %s is not known', coalesce(quote_literal(p_operation), 'NULL')),
            detail  = 'Operations and their priorities: create 1, update 5, bulk 8, retry 5.',
            hint    = 'Choose one of these; p_priority may say otherwise.';
    end if;
    return coalesce(p_priority, v_priority);
end
$$;

comment on function evervec.operation_priority(text, integer) is
$$Internal. p_priority, or where it is NULL 1, 5, 8 or 5 for create, update, bulk or retry. Raises VE302.$$;

revoke execute on function evervec.operation_priority(text, integer) from public;

-- check_request: refuses a priority or metadata that a job cannot have.
--
-- Locks:  none.
-- Raises: VE302 priority out of range, no object
create or replace function evervec.check_request(p_priority integer, p_object jsonb, p_name text)
returns void
language plpgsql immutable
set search_path from current
as $$
begin
    if (p_priority between 1 and 10) is not true then
        raise exception using
            errcode = 'VE302', message = 'a priority is from 1 to 10',
            detail  = format('p_priority is %s.', coalesce(p_priority::text, 'NULL')),
            hint    = '1 is done first, 5 is usual, 8 is what a backfill has.';
    elsif (jsonb_typeof(p_object) = 'object') is not true then
        raise exception using
            errcode = 'VE302', message = format('%s is not a JSON object', p_name),
            detail  = format('It is %s.', coalesce(left(p_object::text, 200), 'NULL')),
            hint    = 'For example: ''{"reason": "import"}''.';
    end if;
end
$$;

comment on function evervec.check_request(integer, jsonb, text) is
$$Internal. Raises VE302 for a priority out of range, or data that are no object.$$;

revoke execute on function evervec.check_request(integer, jsonb, text) from public;
